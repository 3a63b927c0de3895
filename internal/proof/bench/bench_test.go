package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The program and its tests run at the root of the repository.
func TestMain(m *testing.M) {
	if err := os.Chdir("../../.."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// The tables and numbers of the pages are those of the measurements that are kept, and
// no sentence says what these do not show.
func TestPages(t *testing.T) {
	raw, err := os.Open(rawFile)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	r, err := parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	pages, problems := fillPages(r)
	for _, problem := range problems {
		t.Error(problem)
	}
	for name, want := range pages {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("the tables and numbers of %s (%v) are not those of %s; bin/bench -rounds 0 -update makes them anew", name, err, rawFile)
		}
	}
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
	r, err := parse(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.rounds(), 2; got != want {
		t.Errorf("rounds() = %d; want %d", got, want)
	}
	if got, want := r.config["cores"], "2"; got != want {
		t.Errorf("config[cores] = %q; want %q", got, want)
	}
	for _, tt := range []struct {
		unit, servers string
		want          spread
		ok            bool
	}{
		{"cpu-µs/req", "stage1", spread{23, 25.5, 28}, true},
		{"cpu-µs/req", "stage1/stage5", spread{2.3, 2.55, 2.8}, true},
		{"threads", "stage1", spread{}, false},
		{"cpu-µs/req", "stage1/stage2", spread{}, false},
	} {
		got, ok := r.spread("Prompt/visitors=1", tt.unit, tt.servers)
		if fmt.Sprintf("%.4v", got) != fmt.Sprintf("%.4v", tt.want) || ok != tt.ok {
			t.Errorf("spread(%q, %q) = %v, %v; want %v, %v", tt.unit, tt.servers, got, ok, tt.want, tt.ok)
		}
	}
	for _, wrong := range []string{"", "PASS\n", "BenchmarkPrompt 100 many ns/op\n", "BenchmarkPrompt 100 2000 ns/op 20\n"} {
		if _, err := parse(strings.NewReader(wrong)); err == nil {
			t.Errorf("parse(%q): no error", wrong)
		}
	}
}

func TestFill(t *testing.T) {
	r, err := parse(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ page, want, problem string }{
		{"Go has <!-- n: Silent/silent=1000 threads stage4 -->6<!-- /n --> threads.",
			"Go has <!-- n: Silent/silent=1000 threads stage4 -->7<!-- /n --> threads.", ""},
		{"<!-- n: Prompt/visitors=1 cpu-µs/req stage1/stage5 --><!-- /n --> times",
			"<!-- n: Prompt/visitors=1 cpu-µs/req stage1/stage5 -->2.55<!-- /n --> times", ""},
		{"<!-- table: cpu -->\nold\n<!-- end of table -->\n",
			"<!-- table: cpu -->\n| CPU time, µs |  1 | 64 | 512 |\n|--------------|---:|---:|----:|\n" +
				"| stage 1      | 26 |  – |   – |\n| stage 5      | 10 |  – |   – |\n<!-- end of table -->\n", ""},
		{"Stage 1 needs more. <!-- claim: Prompt/visitors=1 cpu-µs/req stage1/stage5 > 2.2 -->", "", ""},
		{"Stage 1 needs at most three times as much. <!-- claim: Prompt/visitors=1 cpu-µs/req stage1/stage5 < 3 -->", "", ""},

		// Sentences that the measurements do not bear out, the last two because
		// the spread reaches over the bound.
		{"Stage 1 needs less. <!-- claim: Prompt/visitors=1 cpu-µs/req stage1/stage5 < 1 -->", "", "is 2.55 (2.30–2.80)"},
		{"Stages 4 and 5 have six threads. <!-- claim: Silent/silent=1000 threads stage4,stage5 < 8 -->", "", "threads of stage5 is not measured"},
		{"Stage 1 needs 2.4 times as much. <!-- claim: Prompt/visitors=1 cpu-µs/req stage1/stage5 > 2.4 -->", "", "does not hold"},
		{"Stage 1 needs less than 2.7 times as much. <!-- claim: Prompt/visitors=1 cpu-µs/req stage1/stage5 < 2.7 -->", "", "does not hold"},

		{"<!-- claim: Prompt/visitors=1 stage1/stage5 < 2.7 -->", "", "1 comments begin with <!-- claim:, and 0 are well-formed"},
		{"<!-- n: Prompt/visitors=9 threads stage1 -->6<!-- /n -->", "", "not measured"},
		{"<!-- table: cost -->\n<!-- end of table -->\n", "", "no table cost"},
		{"<!-- table: cpu -->\nno end\n", "", "1 comments begin with <!-- table:"},
	} {
		got, problems := fill(tt.page, r)
		if tt.want != "" && got != tt.want {
			t.Errorf("fill(%q) = %q; want %q", tt.page, got, tt.want)
		}
		if found := fmt.Sprint(problems); tt.problem == "" && problems != nil || !strings.Contains(found, tt.problem) {
			t.Errorf("fill(%q): %s; want %q", tt.page, found, tt.problem)
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

// net/http and the limit are compared with the stages over the same pages.
func TestSamePages(t *testing.T) {
	for _, tt := range []struct{ page, in string }{
		{"hello.html", "docs/examples/nethttp/hello.html"},
		{"404.html", "docs/examples/nethttp/404.html"},
		{"hello.html", "internal/proof/bench/limit/main.go"},
	} {
		for _, stage := range contenders[:5] {
			want, err := os.ReadFile(stage.folder + "/" + tt.page)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(tt.in); err != nil || !strings.Contains(string(got), string(want)) {
				t.Errorf("%s (%v) does not have the %s of %s, %q", tt.in, err, tt.page, stage.title, want)
			}
		}
	}
}
