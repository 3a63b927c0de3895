package main

import (
	"regexp"
	"time"

	"golang.org/x/perf/benchfmt"

	"example.com/concurrent-web-server/internal/server"
)

// A contender is a server to be measured.
type contender struct {
	name   string // in the names of the benchmarks
	title  string // in the tables
	folder string // or a command
	args   []string
	skips  string // regexp of the loads that would show nothing more of it
}

// slowPage is how long the slow page takes.
const slowPage = 100 * time.Millisecond

var (
	slow    = []string{"-slow", slowPage.String()}
	patient = []string{"-slow", slowPage.String(), "-patience", "1h"} // keeps silent visitors

	contenders = []contender{
		// 50 slow visitors would make everybody wait for all of them, which shows with one.
		{"stage1", "stage 1", "stage1-blocking", slow, "slow=50"},
		{"stage2", "stage 2", "stage2-sequential-async", slow, "slow=50"},
		{"stage3", "stage 3", "stage3-spawned", slow, "^$"},
		{"stage4", "stage 4", "stage4-nonblocking-accept", patient, "^$"},
		{"stage5", "stage 5", "stage5-testable", patient, "^$"},
		{"nethttp", "net/http", "docs/examples/nethttp", patient, "^$"},
		// It has no slow page, and a silent visitor stops it like stage 1.
		{"limit", "the limit", "internal/proof/bench/limit", nil, "Beside|Silent"},
	}
)

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

// choose returns the benchmarks of one round: those of one load and all servers stand
// next to each other.
func choose() []benchmark {
	var chosen []benchmark
	for _, l := range loads {
		for _, c := range contenders {
			name := l.name + "/server=" + c.name
			if only.MatchString(name) && !regexp.MustCompile(c.skips).MatchString(l.name) {
				chosen = append(chosen, benchmark{name, l, c})
			}
		}
	}
	return chosen
}

// run runs the benchmark with a server of its own, which has grown its first
// threads, stacks and buffers before it is measured.
func (b benchmark) run(program *server.Program) (*benchfmt.Result, error) {
	s, err := program.Start(server.Options{Args: b.server.args})
	if err != nil {
		return nil, err
	}
	defer s.Kill()
	if _, err := visitFor(50*time.Millisecond, s.Addr, 8); err != nil {
		return nil, err
	}
	var result *benchfmt.Result
	switch l := b.load; {
	case l.visitors == 0:
		result, err = measureSilent(s, l.silent)
	case l.slow > 0:
		result, err = measureBeside(s, l.visitors, l.slow)
	default:
		result, err = measurePrompt(s, l.visitors)
	}
	if err != nil {
		return nil, err
	}
	result.Name = benchfmt.Name(b.name)
	return result, nil
}
