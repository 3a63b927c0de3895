package main

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
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
	skips  string // a pattern of the loads that it is not measured under
}

// slowPage is how long the slow page takes.
const slowPage = 100 * time.Millisecond

var (
	impatient = []string{"-slow", slowPage.String()}
	patient   = []string{"-slow", slowPage.String(), "-patience", "1h"} // keeps silent visitors

	// Stages 1 and 2 would have everybody wait for all of 50 slow visitors, which shows
	// with one. The limit has no slow page, and a silent visitor stops it like stage 1.
	contenders = []contender{
		{"stage1", "stage 1", "stage1-blocking", impatient, "slow=50"},
		{"stage2", "stage 2", "stage2-sequential-async", impatient, "slow=50"},
		{"stage3", "stage 3", "stage3-spawned", impatient, "^$"},
		{"stage4", "stage 4", "stage4-nonblocking-accept", patient, "^$"},
		{"stage5", "stage 5", "stage5-testable", patient, "^$"},
		{"nethttp", "net/http", "docs/examples/nethttp", patient, "^$"},
		{"limit", "the limit", "internal/tools/bench/limit", nil, "Beside|Silent"},
	}
)

// loads are what visitors do to a server: a number of quick and prompt ones are measured,
// alone or beside slow ones; or a server is measured among silent ones.
var loads = []string{
	"Prompt/visitors=1",
	"Prompt/visitors=64",
	"Prompt/visitors=512",
	"Beside/visitors=1/slow=0",
	"Beside/visitors=1/slow=1",
	"Beside/visitors=1/slow=50",
	"Beside/visitors=64/slow=1",
	"Beside/visitors=512/slow=1",
	"Silent/silent=0",
	"Silent/silent=1000",
	"Silent/silent=10000",
}

// A benchmark measures one server under one load.
type benchmark struct {
	name   string // as in "Prompt/visitors=64/server=stage1"
	server contender
}

// choose returns the benchmarks of one round: those of one load and all servers stand
// next to each other.
func choose() []benchmark {
	var chosen []benchmark
	for _, load := range loads {
		for _, c := range contenders {
			name := load + "/server=" + c.name
			elsewhere := c.name == "limit" && runtime.GOOS != "linux" // where it is not built
			if only.MatchString(name) && !regexp.MustCompile(c.skips).MatchString(load) && !elsewhere {
				chosen = append(chosen, benchmark{name, c})
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
	if _, err := measurePrompt(s, 8, 50*time.Millisecond); err != nil {
		return nil, err
	}
	var visitors, slow, silent int
	var result *benchfmt.Result
	switch kind, numbers, _ := strings.Cut(b.name, "/"); kind {
	case "Prompt":
		fmt.Sscanf(numbers, "visitors=%d", &visitors)
		result, err = measurePrompt(s, visitors, measured)
	case "Beside":
		fmt.Sscanf(numbers, "visitors=%d/slow=%d", &visitors, &slow)
		result, err = measureBeside(s, visitors, slow)
	case "Silent":
		fmt.Sscanf(numbers, "silent=%d", &silent)
		result, err = measureSilent(s, silent)
	}
	if err == nil {
		result.Name = benchfmt.Name(b.name)
	}
	return result, err
}
