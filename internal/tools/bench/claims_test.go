package bench

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	claim  = regexp.MustCompile(`<!-- claim: (\S+) (\S+) (\w+(?:,\w+)*)(?:/(\w+))? ([<>]) (\d+\.?\d*) -->`)
	result = regexp.MustCompile(`(?m)^Benchmark(\S+)/server=(\w+)-\d+\s+1\s(.*)$`)
	metric = regexp.MustCompile(`(\S+) (\S+)`)
)

// TestClaims compares the pages with bench.txt. A comment such as
//
//	<!-- claim: Prompt cpu-µs/req stage3,stage4/stage1 > 1.1 -->
//
// says that a metric of stages 3 and 4, or its ratio to that of stage 1, is greater than a number. It
// has to be so in three rounds of four.
func TestClaims(t *testing.T) {
	raw, err := os.ReadFile("internal/tools/bench/bench.txt")
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string][]float64) // by benchmark, metric and server; one for each round
	for _, m := range result.FindAllStringSubmatch(string(raw), -1) {
		for _, v := range metric.FindAllStringSubmatch(m[3], -1) {
			value, _ := strconv.ParseFloat(v[1], 64)
			key := m[1] + " " + v[2] + " " + m[2]
			values[key] = append(values[key], value)
		}
	}
	pages, _ := filepath.Glob("docs/*.md")
	for _, page := range append(pages, "README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		claims := claim.FindAllStringSubmatch(string(text), -1)
		if n := strings.Count(string(text), "<!-- claim:"); n != len(claims) {
			t.Errorf("%s: %d of %d claims are well-formed", page, len(claims), n)
		}
		for _, m := range claims {
			bound, _ := strconv.ParseFloat(m[6], 64)
			for server := range strings.SplitSeq(m[3], ",") {
				rounds, other := values[m[1]+" "+m[2]+" "+server], values[m[1]+" "+m[2]+" "+m[4]]
				holds := 0
				for i, value := range rounds {
					if m[4] != "" && i < len(other) {
						value /= other[i]
					}
					if m[5] == ">" && value > bound || m[5] == "<" && value < bound {
						holds++
					}
				}
				if holds*4 < len(rounds)*3 || len(rounds) == 0 || m[4] != "" && len(other) != len(rounds) {
					t.Errorf("%s: %s holds of %s in %d of %d rounds", page, m[0], server, holds, len(rounds))
				}
			}
		}
	}
}
