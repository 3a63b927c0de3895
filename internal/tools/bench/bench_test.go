// Package bench measures what each stage costs and what it buys, beside net/http's own server:
//
//	make bench                       one round
//	make bench SERVER=./_mine        with your server among the others
//	make measurements                seven rounds, kept in bench.txt for docs/measurements.md
//
// Each server is a process of its own, as a reader would run it. The visitors are all in this
// process, on the same machine. A round measures everything once, so that what is compared is
// measured within seconds of each other.
package bench

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

const (
	slowPage = 100 * time.Millisecond // how long GET /sleep takes
	measured = 400 * time.Millisecond // for how long visitors come
	giveUp   = 30 * time.Second       // longer than any server takes that answers at all
)

// A contender is a server to be measured.
type contender struct {
	name   string // in the names of the benchmarks
	folder string // or a command
	args   []string

	buildFlags []string
}

func contenders() []contender {
	impatient := []string{"-slow", slowPage.String()}
	patient := append(impatient, "-patience", "1h") // keeps silent visitors
	all := []contender{
		{"stage1", "stage1-blocking", impatient, nil},
		{"stage2", "stage2-sequential-async", impatient, nil},
		{"stage3", "stage3-spawned", impatient, nil},
		{"stage4", "stage4-nonblocking-accept", patient, nil},
		{"stage5", "stage5-testable", patient, nil},
		{"nethttp", "docs/examples/nethttp", patient, nil},
	}
	if mine := os.Getenv("SERVER"); mine != "" {
		all = append(all, contender{strings.ReplaceAll(filepath.Base(mine), " ", "_"), mine, impatient, nil})
	}
	return all
}

var programs = make(map[string]*server.Program) // that have been built

func TestMain(m *testing.M) {
	os.Chdir("../../..")
	debug.SetGCPercent(1000) // the visitors' garbage is not what is measured
	status := m.Run()
	for _, p := range programs {
		p.Close()
	}
	os.Exit(status)
}

// run runs a benchmark of each contender, with a server that has grown its first threads, stacks
// and buffers. One iteration is one measurement; its time means nothing.
func run(b *testing.B, list []contender, env []string, measure func(*testing.B, *server.Server)) {
	for _, c := range list {
		b.Run("server="+c.name, func(b *testing.B) {
			key := c.folder + strings.Join(c.buildFlags, " ")
			if programs[key] == nil {
				p, err := server.Open(c.folder, server.Build{Flags: c.buildFlags})
				check(b, err)
				programs[key] = p
			}
			s, err := programs[key].Start(server.Options{Args: c.args, Env: env})
			check(b, err)
			defer s.Kill()
			_, err = visit(s.Addr, "/", 8, time.Now().Add(50*time.Millisecond))
			check(b, err)
			for b.Loop() {
				measure(b, s)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func check(b *testing.B, err error) {
	if err != nil {
		b.Helper()
		b.Fatal(err)
	}
}

// BenchmarkPrompt has 64 visitors at a time ask for the home page.
func BenchmarkPrompt(b *testing.B) {
	run(b, contenders(), nil, func(b *testing.B, s *server.Server) { report(b, s, "/", 64, measured) })
}

// BenchmarkBeside has one visitor ask for the home page, again and again, while nobody or one
// other asks for the slow page.
func BenchmarkBeside(b *testing.B) {
	for _, slow := range []int{0, 1} {
		b.Run(fmt.Sprintf("slow=%d", slow), func(b *testing.B) {
			run(b, contenders(), nil, func(b *testing.B, s *server.Server) {
				ended := make(chan error)
				go func() {
					_, err := visit(s.Addr, "/sleep", slow, time.Now().Add(slowPage/2+measured))
					ended <- err
				}()
				time.Sleep(slowPage / 2) // until the slow one is being served
				report(b, s, "/", 1, measured)
				check(b, <-ended)
			})
		})
	}
}

// BenchmarkWaiting has fifty visitors ask for the slow page at once, each one time.
func BenchmarkWaiting(b *testing.B) {
	run(b, contenders(), nil, func(b *testing.B, s *server.Server) { report(b, s, "/sleep", 50, 0) })
}

// BenchmarkComputing has eight visitors at a time ask for a page that takes some 5 ms of
// computing, of a server that runs one goroutine at a time, or two.
func BenchmarkComputing(b *testing.B) {
	stages := contenders()[:5]
	for i := range stages {
		stages[i].buildFlags = []string{"-overlay", computing(b, stages[i].folder)}
	}
	for _, cores := range []string{"1", "2"} {
		b.Run("cores="+cores, func(b *testing.B) {
			run(b, stages, []string{"GOMAXPROCS=" + cores}, func(b *testing.B, s *server.Server) { report(b, s, "/sleep", 8, measured) })
		})
	}
}

// computing writes an overlay for go build, in which a stage computes instead of sleeping.
func computing(b *testing.B, stage string) string {
	main, err := filepath.Abs(filepath.Join(stage, "main.go"))
	check(b, err)
	text, err := os.ReadFile(main)
	check(b, err)
	const sleep = "time.Sleep(*slow)"
	if bytes.Count(text, []byte(sleep)) != 1 {
		b.Fatalf("%s has not one line %q", main, sleep)
	}
	computed := strings.Replace(string(text), sleep, "for range 10_000_000 {\n}", 1)
	dir := b.TempDir()
	replaced, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	check(b, os.WriteFile(replaced, []byte(computed), 0o666))
	check(b, os.WriteFile(overlay, fmt.Appendf(nil, `{"Replace": {%q: %q}}`, main, replaced), 0o666))
	return overlay
}

// report measures visitors who ask for a page for some time, a number of them at any time: each
// asks at least once, and again as soon as the reply has come.
func report(b *testing.B, s *server.Server, path string, visitors int, duration time.Duration) {
	before, cpuErr := s.CPU()
	start := time.Now()
	waits, err := visit(s.Addr, path, visitors, start.Add(duration))
	check(b, err)
	elapsed := time.Since(start)
	after, _ := s.CPU()
	slices.Sort(waits)
	b.ReportMetric(float64(len(waits))/elapsed.Seconds(), "req/s")
	b.ReportMetric(microseconds(waits[len(waits)/2]), "p50-µs")
	if cpuErr == nil {
		b.ReportMetric(microseconds(after-before)/float64(len(waits)), "cpu-µs/req")
	}
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// BenchmarkSilent has visitors connect who stay silent, and then one who does not. The metrics
// are whether that one was answered, 1 or 0; the threads of the server; and its memory for
// each silent visitor whom it has accepted.
func BenchmarkSilent(b *testing.B) {
	for _, silent := range []int{1000, 10000} {
		b.Run(fmt.Sprintf("silent=%d", silent), func(b *testing.B) {
			run(b, contenders(), nil, func(b *testing.B, s *server.Server) { reportSilent(b, s, silent) })
		})
	}
}

func reportSilent(b *testing.B, s *server.Server, silent int) {
	s.AwaitQuiet(server.SettleTime)
	memoryBefore, _ := s.Count(server.Memory)
	descriptorsBefore, _ := s.Count(server.Descriptors)
	var last *visitor.Visitor
	for range silent {
		last = visitor.Connect("silent", s.Addr, last)
		defer last.Reset() // leaves nothing that the system has to remember
	}
	// Not all can connect if the server dies, or does not accept them and the queue is full.
	s.Await(server.GiveUpAfter, func() bool { over, _ := last.Connected(); return over })
	if _, err := last.Connected(); errors.Is(err, syscall.EMFILE) {
		b.Fatalf("%v: %d visitors need %d; raise the limit (ulimit -n)", err, silent, silent+500)
	}
	for start := time.Now(); !s.Exited() && !s.AwaitQuiet(server.SettleTime) && time.Since(start) < giveUp; {
		// A server that dies prints all of its goroutines first.
	}
	threads, threadsErr := s.Count(server.Threads)
	memory, _ := s.Count(server.Memory)
	descriptors, _ := s.Count(server.Descriptors)

	prompt := visitor.Connect("prompt", s.Addr, nil)
	defer prompt.Close()
	prompt.Send(visitor.Request("GET", "/"))
	answered := 0.0
	if s.Await(server.GiveUpAfter, prompt.Answered); prompt.Replied() {
		answered = 1
	}
	b.ReportMetric(answered, "answered")
	if threadsErr != nil || s.Exited() {
		return
	}
	b.ReportMetric(float64(threads), "threads")
	if accepted := descriptors - descriptorsBefore; accepted >= 100 { // what a few cost each is lost in the noise
		b.ReportMetric(float64(memory-memoryBefore)/float64(accepted), "B/silent")
	}
}

// visit has visitors ask for a page until a time, each at least once, and again as soon as the
// reply has come. It returns how long each reply took.
func visit(addr, path string, visitors int, until time.Time) ([]time.Duration, error) {
	waits, errs := make([][]time.Duration, visitors), make([]error, visitors)
	var running sync.WaitGroup
	for i := range visitors {
		running.Go(func() {
			for again := true; again && errs[i] == nil; again = time.Now().Before(until) {
				start := time.Now()
				errs[i] = get(addr, path)
				waits[i] = append(waits[i], time.Since(start))
			}
		})
	}
	running.Wait()
	return slices.Concat(waits...), cmp.Or(errs...)
}

// get asks for a page over a connection of its own, and returns when the whole reply is there.
func get(addr, path string) error {
	dialer := net.Dialer{Timeout: giveUp, KeepAlive: -1}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(giveUp))
	io.WriteString(conn, visitor.Request("GET", path))
	reply, err := io.ReadAll(conn)
	if err == nil && !(bytes.HasPrefix(reply, []byte("HTTP/1.1 200 ")) && bytes.Contains(reply, []byte("Hello!"))) {
		err = fmt.Errorf("the reply to GET %s is %q", path, reply)
	}
	return err
}
