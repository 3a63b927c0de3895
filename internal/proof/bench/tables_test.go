package bench

import (
	"os"
	"strings"
	"testing"
)

// The tables of the page are those that the raw results make.
func TestPage(t *testing.T) {
	raw, err := os.Open("testdata/bench.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	results, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../docs/measurements.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Fill(string(page), results)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(page); got != want {
		t.Errorf("the tables of docs/measurements.md are not those of internal/bench/testdata/bench.txt; " +
			"go run ./internal/proof/bench/measurements makes them anew")
	}
}

func TestParse(t *testing.T) {
	const output = `go: go1.26
cores: 2
# round 1 of 2
BenchmarkPrompt/visitors=1/server=stage1-2  	  100	  2000 ns/op	  20.50 cpu-µs/req
BenchmarkPrompt/visitors=1/server=limit-2   	  100	  1000 ns/op	  10.00 cpu-µs/req
--- BENCH: BenchmarkSilent/silent=1000/server=stage1-2
    silent_test.go:92: the next visitor is not answered: i/o timeout
PASS
# round 2 of 2
BenchmarkPrompt/visitors=1/server=stage1-2  	  100	  2000 ns/op	  30.50 cpu-µs/req
BenchmarkPrompt/visitors=1/server=limit-2   	  100	  1000 ns/op	  10.00 cpu-µs/req
PASS
ok  	example.com/bench	1.5s
`
	r, err := Parse(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	const stage1, limit = "Prompt/visitors=1/server=stage1", "Prompt/visitors=1/server=limit"
	if got, want := r.rounds(), 2; got != want {
		t.Errorf("rounds() = %d; want %d", got, want)
	}
	if got, want := r.Config["go"], "go1.26"; got != want {
		t.Errorf("Config[go] = %q; want %q", got, want)
	}
	if got, ok := r.median(stage1, "cpu-µs/req"); got != 25.5 || !ok {
		t.Errorf("median = %v, %v; want 25.5, true", got, ok)
	}
	if got, ok := r.ratio(stage1, limit, "cpu-µs/req"); got != 2.55 || !ok {
		t.Errorf("ratio = %v, %v; want 2.55, true", got, ok)
	}
	if got, ok := r.median(stage1, "threads"); ok {
		t.Errorf("median of what was not measured = %v, true", got)
	}
}

func TestParseErrors(t *testing.T) {
	for _, output := range []string{
		"",
		"PASS\n",
		"BenchmarkPrompt-2 100 many ns/op\n",
		"BenchmarkPrompt-2 100 2000 ns/op 20\n",
	} {
		if _, err := Parse(strings.NewReader(output)); err == nil {
			t.Errorf("Parse(%q): no error", output)
		}
	}
}

func TestRound(t *testing.T) {
	for _, test := range []struct {
		value float64
		want  string
	}{
		{0, "0"}, {0.1234, "0.12"}, {1.26, "1.3"}, {12.6, "13"}, {999.4, "999"},
		{4098, "4,100"}, {30945, "30,900"}, {1234567, "1,230,000"},
	} {
		if got := round(test.value); got != test.want {
			t.Errorf("round(%v) = %q; want %q", test.value, got, test.want)
		}
	}
}

// net/http and the limit are compared with the stages over the same pages.
func TestSamePages(t *testing.T) {
	for _, page := range []string{"hello.html", "404.html"} {
		want, err := os.ReadFile("../../../stage5-testable/" + page)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile("../../../docs/examples/nethttp/" + page); err != nil || string(got) != string(want) {
			t.Errorf("%s of net/http is %q, %v; want that of stage 5, %q", page, got, err, want)
		}
		if page == "hello.html" {
			source, err := os.ReadFile("limit/main.go")
			if err != nil || !strings.Contains(string(source), string(want)) {
				t.Errorf("limit/main.go (%v) does not have the %s of stage 5, %q", err, page, want)
			}
		}
	}
}
