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

// changesPrograms matches the variables with which a runtime prints something else, takes
// longer to end, or uses its memory in another way.
var changesPrograms = regexp.MustCompile(`^(GODEBUG|GOTRACEBACK|GORACE|GOGC|GOMEMLIMIT|GOCOVERDIR|RUST_BACKTRACE|RUST_LIB_BACKTRACE)=`)

// serverEnvironment returns an environment without what would change the verdict on a
// server that is started with it.
func serverEnvironment(env []string) []string {
	env = slices.DeleteFunc(env, changesPrograms.MatchString)
	return append(env, "GORACE=atexit_sleep_ms=10") // the race detector sleeps for a second at the end
}

var coverFlags = regexp.MustCompile(`-cover\S*\s*`)

// buildEnvironment returns the environment that servers are built with. A program that
// is built to measure coverage prints more than others.
func buildEnvironment() []string {
	env := os.Environ()
	for i, pair := range env {
		if strings.HasPrefix(pair, "GOFLAGS=") {
			env[i] = coverFlags.ReplaceAllString(pair, "")
		}
	}
	return env
}

// filesNeeded is how many files this process has open when the scripts are run at the same
// time: their visitors, and what the servers print.
const filesNeeded = 1000

// AllowFiles lets this process and the servers open as many files as the system allows. It
// is an error if that is not enough for the scripts.
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
