package server

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// changesPrograms matches the variables that change what a runtime prints, how long it takes to
// end, or how much memory it uses.
var changesPrograms = regexp.MustCompile(`^(GODEBUG|GOTRACEBACK|GORACE|GOGC|GOMEMLIMIT|GOCOVERDIR|RUST_BACKTRACE|RUST_LIB_BACKTRACE)=`)

// serverEnvironment returns an environment for a server, without variables that would change the
// verdict on it.
func serverEnvironment(env []string) []string {
	env = slices.DeleteFunc(env, changesPrograms.MatchString)
	return append(env, "GORACE=atexit_sleep_ms=10") // the race detector sleeps for a second at the end
}

var coverFlags = regexp.MustCompile(`-cover\S*\s*`)

// buildEnvironment returns the environment for go build. It turns coverage off: a program that
// measures it prints more than others.
func buildEnvironment() []string {
	env := os.Environ()
	for i, pair := range env {
		if strings.HasPrefix(pair, "GOFLAGS=") {
			env[i] = coverFlags.ReplaceAllString(pair, "")
		}
	}
	return env
}

// filesNeeded is how many files this process has open while it runs scripts at the same time:
// connections of visitors, and pipes for the output of servers.
const filesNeeded = 1000

// AllowFiles raises the limit on open files, of this process and of the servers. It returns an
// error if the system allows fewer than the scripts need.
var AllowFiles = sync.OnceValue(func() error {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	if err == nil && limit.Max < filesNeeded {
		return fmt.Errorf("The scripts need %d open files at the same time, and the system allows %d: "+
			"see ulimit -Hn.", filesNeeded, limit.Max)
	}
	// Go has raised the limit of this process already, but would give servers the one from before.
	limit.Cur = min(limit.Max, 10*filesNeeded)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	return err
})
