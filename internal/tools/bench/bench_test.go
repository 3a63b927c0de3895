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
	name  string // in the names of the benchmarks
	spec  string // its folder, or a command
	args  []string
	env   []string
	build server.Build
}

func contenders() []contender {
	impatient := []string{"-slow", slowPage.String()}
	patient := append(impatient, "-patience", "1h") // keeps silent visitors
	all := []contender{
		{name: "stage1", spec: "stage1-blocking", args: impatient},
		{name: "stage2", spec: "stage2-sequential-async", args: impatient},
		{name: "stage3", spec: "stage3-spawned", args: impatient},
		{name: "stage4", spec: "stage4-nonblocking-accept", args: patient},
		{name: "stage5", spec: "stage5-testable", args: patient},
		{name: "nethttp", spec: "docs/examples/nethttp", args: patient},
	}
	if mine := os.Getenv("SERVER"); mine != "" {
		all = append(all, contender{name: strings.ReplaceAll(filepath.Base(mine), " ", "_"), spec: mine, args: impatient})
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
func run(b *testing.B, list []contender, measure func(*testing.B, *server.Server)) {
	for _, c := range list {
		b.Run("server="+c.name, func(b *testing.B) {
			key := fmt.Sprint(c.spec, c.build)
			if programs[key] == nil {
				p, err := server.Open(c.spec, c.build)
				check(b, err)
				programs[key] = p
			}
			s, err := programs[key].Start(server.Options{Args: c.args, Env: c.env})
			check(b, err)
			defer s.Kill()
			visit(b, s.Addr, "/", 8, time.Now().Add(50*time.Millisecond))
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

// BenchmarkPrompt measures 64 visitors at a time who ask for the home page.
func BenchmarkPrompt(b *testing.B) {
	run(b, contenders(), func(b *testing.B, s *server.Server) { report(b, s, "/", 64, measured) })
}

// BenchmarkBeside measures one visitor who asks for the home page, again and again, while nobody or
// one other asks for the slow page.
func BenchmarkBeside(b *testing.B) {
	for _, slow := range []int{0, 1} {
		b.Run(fmt.Sprintf("slow=%d", slow), func(b *testing.B) {
			run(b, contenders(), func(b *testing.B, s *server.Server) {
				var beside sync.WaitGroup
				beside.Go(func() { visit(b, s.Addr, "/sleep", slow, time.Now().Add(slowPage/2+measured)) })
				time.Sleep(slowPage / 2) // until the slow one is being served
				report(b, s, "/", 1, measured)
				beside.Wait()
			})
		})
	}
}

// BenchmarkWaiting measures fifty visitors who ask for the slow page at once, each one time.
func BenchmarkWaiting(b *testing.B) {
	run(b, contenders(), func(b *testing.B, s *server.Server) { report(b, s, "/sleep", 50, 0) })
}

// BenchmarkComputing measures eight visitors at a time who ask for a page that takes some 5 ms of
// computing, of a server that runs one goroutine at a time, or two.
func BenchmarkComputing(b *testing.B) {
	stages := contenders()[:5]
	for i, c := range stages {
		text, err := os.ReadFile(filepath.Join(c.spec, "main.go"))
		check(b, err)
		computes := strings.Replace(string(text), "time.Sleep(*slow)", "for range 10_000_000 {\n}", 1)
		if computes == string(text) {
			b.Fatalf("%s does not sleep", c.spec)
		}
		file := filepath.Join(b.TempDir(), "main.go")
		check(b, os.WriteFile(file, []byte(computes), 0o666))
		stages[i].build.Replace = map[string]string{"main.go": file}
	}
	for _, cores := range []string{"1", "2"} {
		for i := range stages {
			stages[i].env = []string{"GOMAXPROCS=" + cores}
		}
		b.Run("cores="+cores, func(b *testing.B) {
			run(b, stages, func(b *testing.B, s *server.Server) { report(b, s, "/sleep", 8, measured) })
		})
	}
}

// report measures visitors who ask for a page for some time, a number of them at any time: each
// asks at least once, and again as soon as the reply has come.
func report(b *testing.B, s *server.Server, path string, visitors int, duration time.Duration) {
	before, cpuErr := s.CPU()
	start := time.Now()
	waits := visit(b, s.Addr, path, visitors, start.Add(duration))
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

// BenchmarkSilent connects visitors who stay silent, and then one who does not. The metrics
// are whether that one was answered, 1 or 0; the threads of the server; and its memory for
// each silent visitor whom it has accepted.
func BenchmarkSilent(b *testing.B) {
	for _, silent := range []int{1000, 10000} {
		b.Run(fmt.Sprintf("silent=%d", silent), func(b *testing.B) {
			run(b, contenders(), func(b *testing.B, s *server.Server) { reportSilent(b, s, silent) })
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

// visit sends visitors who ask for a page until a time, each at least once, and again as soon as the
// reply has come. It returns how long each reply took.
func visit(b *testing.B, addr, path string, visitors int, until time.Time) []time.Duration {
	waits := make([][]time.Duration, visitors)
	var running sync.WaitGroup
	for i := range visitors {
		running.Go(func() {
			for again := true; again && !b.Failed(); again = time.Now().Before(until) {
				start := time.Now()
				if err := get(addr, path); err != nil {
					b.Error(err)
				}
				waits[i] = append(waits[i], time.Since(start))
			}
		})
	}
	running.Wait()
	return slices.Concat(waits...)
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
