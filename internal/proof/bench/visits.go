package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/perf/benchfmt"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

// A contender is a server to be measured.
type contender struct {
	name   string // in the names of the benchmarks
	title  string // in the tables
	folder string
	args   []string // without which it would drop a silent visitor
	serial bool     // it serves one visitor at a time
}

var patient = []string{"-patience", "1h"}

var contenders = []contender{
	{"stage1", "stage 1", "stage1-blocking", nil, true},
	{"stage2", "stage 2", "stage2-sequential-async", nil, true},
	{"stage3", "stage 3", "stage3-spawned", nil, false},
	{"stage4", "stage 4", "stage4-nonblocking-accept", patient, false},
	{"stage5", "stage 5", "stage5-testable", patient, false},
	{"nethttp", "net/http", "docs/examples/nethttp", patient, false},
	{limit, "the limit", "internal/proof/bench/limit", nil, true},
}

// limit is the name of the server that has the home page only.
const limit = "limit"

// A load is what visitors do to a server.
type load struct {
	name     string
	visitors int // who are measured, quick and prompt
	slow     int // beside them
	silent   int // or instead of both
}

var loads = []load{
	{name: "Prompt/visitors=1", visitors: 1},
	{name: "Prompt/visitors=64", visitors: 64},
	{name: "Prompt/visitors=512", visitors: 512},
	{name: "Beside/visitors=1/slow=0", visitors: 1},
	{name: "Beside/visitors=1/slow=1", visitors: 1, slow: 1},
	{name: "Beside/visitors=1/slow=50", visitors: 1, slow: 50},
	{name: "Beside/visitors=64/slow=1", visitors: 64, slow: 1},
	{name: "Beside/visitors=512/slow=1", visitors: 512, slow: 1},
	{name: "Silent/silent=0"},
	{name: "Silent/silent=1000", silent: 1000},
	{name: "Silent/silent=10000", silent: 10000},
}

// A benchmark measures one server under one load.
type benchmark struct {
	name   string // as in "Prompt/visitors=64/server=stage1"
	load   load
	server contender
}

// choose returns the benchmarks of one round whose names match: those of one load and
// all servers stand next to each other.
func choose(only *regexp.Regexp) []benchmark {
	var chosen []benchmark
	for _, l := range loads {
		for _, c := range contenders {
			name := l.name + "/server=" + c.name
			switch {
			case c.name == limit && !strings.HasPrefix(name, "Prompt/"):
				// It has no slow page, and a silent visitor stops it like stage 1.
			case c.serial && l.slow > 1:
				// 50 slow visitors make everybody wait for all of them, which shows
				// with one.
			case only.MatchString(name):
				chosen = append(chosen, benchmark{name, l, c})
			}
		}
	}
	return chosen
}

// slowPage is how long the slow page takes.
const slowPage = 100 * time.Millisecond

// run runs the benchmark with a server of its own, which has grown its first
// threads, stacks and buffers before it is measured.
func (b benchmark) run(program *server.Program) (*benchfmt.Result, error) {
	args := b.server.args
	if b.server.name != limit {
		args = append([]string{"-slow", slowPage.String()}, args...)
	}
	s, err := program.Start(server.Options{Args: args})
	if err != nil {
		return nil, err
	}
	defer s.Kill()
	if _, err := visitFor(50*time.Millisecond, s.Addr, 8); err != nil {
		return nil, err
	}
	var result *benchfmt.Result
	switch kind, _, _ := strings.Cut(b.name, "/"); kind {
	case "Prompt":
		result, err = measurePrompt(s, b.load.visitors)
	case "Beside":
		result, err = measureBeside(s, b.load.visitors, b.load.slow)
	case "Silent":
		result, err = measureSilent(s, b.load.silent)
	}
	if err != nil {
		return nil, err
	}
	result.Name = benchfmt.Name(b.name)
	return result, nil
}

// measurePrompt measures a number of visitors who ask for the home page again and
// again. The metrics are the replies a second, the median and the 99th percentile of
// how long a visitor waited for one, from before connecting until after reading it,
// and the server's CPU time for each.
func measurePrompt(s *server.Server, visitors int) (*benchfmt.Result, error) {
	cpuBefore, cpuErr := s.CPU()
	start := time.Now()
	waits, err := visitFor(400*time.Millisecond, s.Addr, visitors)
	if err != nil || len(waits) == 0 {
		return nil, cmp.Or(err, errors.New("nobody has come"))
	}
	elapsed := time.Since(start)
	cpuAfter, _ := s.CPU()
	n := float64(len(waits))
	slices.Sort(waits)
	result := &benchfmt.Result{Iters: len(waits)}
	report(result, "req/s", n/elapsed.Seconds())
	report(result, "p50-µs", microseconds(percentile(waits, 50)))
	report(result, "p99-µs", microseconds(percentile(waits, 99)))
	if cpuErr == nil {
		report(result, "cpu-µs/req", microseconds(cpuAfter-cpuBefore)/n)
	}
	return result, nil
}

// measureBeside measures quick visitors while others, who ask for the slow page,
// are being served all the time.
func measureBeside(s *server.Server, visitors, slow int) (*benchfmt.Result, error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := visit(ctx, s.Addr, "/sleep", slow, slowPage/time.Duration(max(1, slow)))
		ended <- err
	}()
	time.Sleep(2 * slowPage) // until all of them have come
	// A server that serves one at a time answers this one as a slow page ends, so that
	// those who are measured come as the next one begins.
	_, err := visitor.Get(s.Addr, "/", time.Now().Add(giveUp))
	result, err2 := measurePrompt(s, visitors)
	cancel()
	return result, cmp.Or(err, err2, <-ended)
}

// giveUp is longer than any server takes that answers at all.
const giveUp = 30 * time.Second

// visitFor has visitors ask for the home page for so long.
func visitFor(duration time.Duration, addr string, visitors int) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	return visit(ctx, addr, "/", visitors, 0)
}

// visit has a number of visitors ask for a page until ctx ends, each again as soon
// as they have the reply. They begin one after the other, that far apart. It returns
// how long each reply took, and the first error.
func visit(ctx context.Context, addr, path string, visitors int, apart time.Duration) ([]time.Duration, error) {
	waits := make([][]time.Duration, visitors)
	errs := make([]error, visitors)
	var running sync.WaitGroup
	for i := range visitors {
		running.Go(func() {
			time.Sleep(time.Duration(i) * apart)
			for ctx.Err() == nil && errs[i] == nil {
				start := time.Now()
				var reply []byte
				reply, errs[i] = visitor.Get(addr, path, start.Add(giveUp))
				waits[i] = append(waits[i], time.Since(start))
				if errs[i] == nil && !(bytes.HasPrefix(reply, []byte("HTTP/1.1 200 ")) && bytes.Contains(reply, []byte("Hello!"))) {
					errs[i] = fmt.Errorf("reply to GET %s: %q", path, reply)
				}
			}
		})
	}
	running.Wait()
	return slices.Concat(waits...), cmp.Or(errs...)
}

func report(result *benchfmt.Result, unit string, value float64) {
	result.Values = append(result.Values, benchfmt.Value{Unit: unit, Value: math.Round(value*1000) / 1000})
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// percentile returns the smallest of the sorted values that at least p percent
// of them do not exceed.
func percentile(sorted []time.Duration, p float64) time.Duration {
	return sorted[int(math.Ceil(float64(len(sorted))*p/100))-1]
}
