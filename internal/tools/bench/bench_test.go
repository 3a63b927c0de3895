package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The tables and numbers of the pages are those of the measurements that are kept, and
// no sentence says what these do not show.
func TestPages(t *testing.T) {
	t.Chdir("../../..")
	raw, err := os.ReadFile(rawFile)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := fillPages(parseString(t, string(raw)))
	if err != nil {
		t.Error(err)
	}
	for name, want := range pages {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("the tables and numbers of %s (%v) are not those of %s; bin/bench -rounds 0 -update makes them anew", name, err, rawFile)
		}
	}
}

func parseString(t *testing.T, s string) *results {
	t.Helper()
	r, err := parse(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const output = `goos: linux
cores: 2

BenchmarkPrompt/visitors=1/server=stage1 100 2000 ns/op 20.5 cpu-µs/req
BenchmarkPrompt/visitors=1/server=stage5 100 1000 ns/op 10 cpu-µs/req
BenchmarkSilent/silent=1000/server=stage4 1 7 threads
BenchmarkPrompt/visitors=1/server=stage1 100 2000 ns/op 30.5 cpu-µs/req
BenchmarkPrompt/visitors=1/server=stage5 100 1000 ns/op 10 cpu-µs/req
BenchmarkSilent/silent=1000/server=stage4 1 7 threads
`

func TestParse(t *testing.T) {
	r := parseString(t, output)
	if r.rounds != 2 || r.config["cores"] != "2" {
		t.Errorf("rounds = %d, cores = %q; want 2 and 2", r.rounds, r.config["cores"])
	}
	for _, wrong := range []string{"", "PASS\n", "BenchmarkPrompt 100 many ns/op\n", "BenchmarkPrompt 100 2000 ns/op 20\n"} {
		if _, err := parse(strings.NewReader(wrong)); err == nil {
			t.Errorf("parse(%q): no error", wrong)
		}
	}
}

func TestFill(t *testing.T) {
	r := parseString(t, output)
	table := func(what, rows string) string {
		return "<!-- table: " + what + " -->\n" + rows + "<!-- end of table -->\n"
	}
	for _, tt := range []struct{ page, want, wrong string }{
		{"Go has <!-- n: Silent/silent=1000 threads stage4 -->6<!-- /n --> threads.",
			"Go has <!-- n: Silent/silent=1000 threads stage4 -->7<!-- /n --> threads.", ""},
		{"<!-- n: Prompt/visitors=1 cpu-µs/req stage1/stage5 --><!-- /n --> times",
			"<!-- n: Prompt/visitors=1 cpu-µs/req stage1/stage5 -->2.55<!-- /n --> times", ""},
		{table("Prompt/visitors=1,64 cpu-µs/req", "| CPU time, µs | 1 | 64 |\n|-|-|\n| stage 1 |\n| stage 5 | 9 | 9 |\n"),
			table("Prompt/visitors=1,64 cpu-µs/req", "| CPU time, µs |  1 | 64 |\n|--------------|---:|---:|\n"+
				"| stage 1      | 26 |  – |\n| stage 5      | 10 |  – |\n"), ""},
		{table("Prompt/visitors=1 cpu-µs/req", "| ratio | 1 |\n|-|-|\n| stage 1 to stage 5 |\n"),
			table("Prompt/visitors=1 cpu-µs/req", "| ratio              |                1 |\n|--------------------|-----------------:|\n"+
				"| stage 1 to stage 5 | 2.55 (2.30–2.80) |\n"), ""},
		{"Stage 1 needs more. <!-- claim: Prompt/visitors=1 cpu-µs/req stage1/stage5 > 2.2 -->", "", ""},
		{"Stage 1 needs at most three times as much. <!-- claim: Prompt/visitors=1 cpu-µs/req stage1/stage5 < 3 -->", "", ""},

		// Sentences that the measurements do not bear out, the last two because
		// the spread reaches over the bound.
		{"Stage 1 needs less. <!-- claim: Prompt/visitors=1 cpu-µs/req stage1/stage5 < 1 -->", "", "is 2.55 (2.30–2.80)"},
		{"Stages 4 and 5 have six threads. <!-- claim: Silent/silent=1000 threads stage4,stage5 < 8 -->", "", "threads of stage5 is not measured"},
		{"Stage 1 needs 2.4 times as much. <!-- claim: Prompt/visitors=1 cpu-µs/req stage1/stage5 > 2.4 -->", "", "does not hold"},
		{"Stage 1 needs less than 2.7 times as much. <!-- claim: Prompt/visitors=1 cpu-µs/req stage1/stage5 < 2.7 -->", "", "does not hold"},

		{"<!-- claim: Prompt/visitors=1 stage1/stage5 < 2.7 -->", "", "1 comments begin with table:, n: or claim:, and 0 are well-formed"},
		{"<!-- n: Prompt/visitors=9 threads stage1 -->6<!-- /n -->", "", "not measured"},
		{"<!-- n: Prompt/visitors=1 cpu-µs/req stage1/stage2 --><!-- /n -->", "", "not measured"},
		{table("Prompt/visitors=1,64 cpu-µs/req", "| CPU time | 1 |\n|-|-|\n| stage 1 |\n"), "", "has to have 3 headings"},
		{table("Prompt/visitors=1 cpu-µs/req", "| CPU time | 1 |\n|-|-|\n| stage 6 |\n"), "", "nothing is measured of stage 6"},
		{"<!-- table: Prompt/visitors=1 cpu-µs/req -->\nno end\n", "", "1 comments begin with table:, n: or claim:, and 0 are well-formed"},
	} {
		got, err := fill(tt.page, r)
		if tt.want != "" && got != tt.want {
			t.Errorf("fill(%q) = %q; want %q", tt.page, got, tt.want)
		}
		if tt.wrong == "" && err != nil || !strings.Contains(fmt.Sprint(err), tt.wrong) {
			t.Errorf("fill(%q): %v; want %q", tt.page, err, tt.wrong)
		}
	}
}

func TestRound(t *testing.T) {
	for _, tt := range []struct {
		value float64
		want  string
	}{
		{0, "0"}, {0.1234, "0.12"}, {1.26, "1.3"}, {12.6, "13"}, {999.4, "999"},
		{4098, "4,100"}, {30945, "30,900"}, {1234567, "1,230,000"},
	} {
		if got := round(tt.value); got != tt.want {
			t.Errorf("round(%v) = %q; want %q", tt.value, got, tt.want)
		}
	}
}

// net/http is compared with the stages over the same pages.
func TestSamePages(t *testing.T) {
	t.Chdir("../../..")
	for _, page := range []string{"hello.html", "404.html"} {
		got, err := os.ReadFile("docs/examples/nethttp/" + page)
		want, err2 := os.ReadFile("stage5-testable/" + page)
		if string(got) != string(want) || err != nil || err2 != nil {
			t.Errorf("the %s of net/http is %q, %v; want that of stage 5, %q, %v", page, got, err, want, err2)
		}
	}
}
