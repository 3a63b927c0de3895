package bench

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"

	"example.com/concurrent-web-server/internal/server"
)

// TestMain runs the benchmarks -count times. Unlike the testing package, which
// repeats each one before it goes on to the next, it repeats the whole round:
// what is compared is then measured within seconds of each other, and
// a machine that is busy for a while spoils one round and not one server.
func TestMain(m *testing.M) {
	flag.Parse()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		closePrograms() // the servers end with this process, see internal/server
		os.Exit(130)
	}()

	rounds := 1
	if benchmarks := flag.Lookup("test.bench").Value.String(); benchmarks != "" {
		fmt.Sscan(flag.Lookup("test.count").Value.String(), &rounds)
		flag.Set("test.count", "1")
		fmt.Printf("go: %s\ncores: %d\nkernel: %s\n", runtime.Version(), runtime.NumCPU(), kernel())
		// The visitors' garbage is not what is measured.
		debug.SetGCPercent(1000)
	}
	code := 0
	for round := range rounds {
		if rounds > 1 {
			fmt.Printf("\n# round %d of %d\n", round+1, rounds)
		}
		code = max(code, m.Run())
	}
	closePrograms()
	os.Exit(code)
}

// kernel returns the system's name and the first two numbers of its version.
func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	numbers := strings.SplitN(string(release), ".", 3)
	return "Linux " + strings.Join(numbers[:min(2, len(numbers))], ".")
}

// A contender is a server to be measured.
type contender struct {
	name   string
	folder string
	args   []string // that it needs for a silent visitor to be left alone
}

var patient = []string{"-patience", "1h"}

var contenders = []contender{
	{"stage1", "../../../stage1-blocking", nil},
	{"stage2", "../../../stage2-sequential-async", nil},
	{"stage3", "../../../stage3-spawned", nil},
	{"stage4", "../../../stage4-nonblocking-accept", patient},
	{"stage5", "../../../stage5-testable", patient},
	{"nethttp", "../../../docs/examples/nethttp", patient},
	{"limit", "limit", nil},
}

// start starts the server as a process of its own, which ends with b.
func (c contender) start(b *testing.B, args ...string) *server.Server {
	b.Helper()
	program, err := c.program()
	if err != nil {
		b.Fatal(err)
	}
	s, err := program.Start(server.Options{Args: append(args, c.args...)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Kill)
	return s
}

var (
	programsMu sync.Mutex
	programs   = make(map[string]*server.Program) // by folder
)

// program builds the server, the first time that it is wanted.
func (c contender) program() (*server.Program, error) {
	programsMu.Lock()
	defer programsMu.Unlock()
	if programs[c.folder] == nil {
		program, err := server.Open(c.folder)
		if err != nil {
			return nil, err
		}
		programs[c.folder] = program
	}
	return programs[c.folder], nil
}

func closePrograms() {
	programsMu.Lock()
	defer programsMu.Unlock()
	for folder, program := range programs {
		program.Close()
		delete(programs, folder)
	}
}
