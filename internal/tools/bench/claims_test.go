package bench

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	claim  = regexp.MustCompile(`<!-- claim: (\S+) (\S+) (\w+(?:,\w+)*)(?:/(\w+))? ([<>]) (\d+\.?\d*) -->`)
	result = regexp.MustCompile(`(?m)^Benchmark(\S+)/server=(\w+)-\d+\s+1\s(.*)$`)
)

// TestClaims compares the pages with bench.txt. A comment such as
//
//	<!-- claim: Prompt cpu-µs/req stage3,stage4/stage1 > 1.1 -->
//
// says that a metric of stages 3 and 4, or its ratio to that of stage 1, is greater than a number. The
// metrics are the medians of the rounds, as the tables of the pages show them.
func TestClaims(t *testing.T) {
	raw, err := os.ReadFile("internal/tools/bench/bench.txt")
	if err != nil {
		t.Fatal(err)
	}
	rounds := make(map[string][]float64) // by benchmark, metric and server
	for _, m := range result.FindAllStringSubmatch(string(raw), -1) {
		for metric := range slices.Chunk(strings.Fields(m[3]), 2) { // a number and its unit
			value, _ := strconv.ParseFloat(metric[0], 64)
			key := m[1] + " " + metric[1] + " " + m[2]
			rounds[key] = append(rounds[key], value)
		}
	}
	median := func(of []float64) float64 {
		if len(of) == 0 {
			return math.NaN() // for which no claim holds
		}
		return slices.Sorted(slices.Values(of))[len(of)/2]
	}
	pages, _ := filepath.Glob("docs/*.md")
	for _, page := range append(pages, "README.md") {
		text, _ := os.ReadFile(page)
		claims := claim.FindAllStringSubmatch(string(text), -1)
		if n := strings.Count(string(text), "<!-- claim:"); n != len(claims) {
			t.Errorf("%s: %d of %d claims are well-formed", page, len(claims), n)
		}
		for _, m := range claims {
			for server := range strings.SplitSeq(m[3], ",") {
				value := median(rounds[m[1]+" "+m[2]+" "+server])
				if m[4] != "" {
					value /= median(rounds[m[1]+" "+m[2]+" "+m[4]])
				}
				bound, _ := strconv.ParseFloat(m[6], 64)
				if holds := m[5] == ">" && value > bound || m[5] == "<" && value < bound; !holds {
					t.Errorf("%s: %s: of %s it is %.4g", page, m[0], server, value)
				}
			}
		}
	}
}
