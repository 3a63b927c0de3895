package bench

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Results are what the benchmarks printed.
type Results struct {
	// Config is what the lines such as "cpu: some processor" say about where
	// the benchmarks ran.
	Config map[string]string

	values map[metric][]float64 // one for each round
}

// A metric is one of the numbers of one benchmark.
type metric struct {
	name string // as in "Prompt/visitors=64/server=stage1"
	unit string // as in "cpu-µs/req"
}

var (
	configLine = regexp.MustCompile(`^([a-z]+): +(.*)$`)
	cores      = regexp.MustCompile(`-\d+$`) // GOMAXPROCS, at the end of a name
)

// Parse reads the output of go test -bench. It passes over lines that are
// neither results nor configuration. The error is that of r, or about a result
// that cannot be read, or that there is none.
func Parse(r io.Reader) (*Results, error) {
	results := &Results{Config: make(map[string]string), values: make(map[metric][]float64)}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if m := configLine.FindStringSubmatch(lines.Text()); m != nil {
			results.Config[m[1]] = m[2]
		}
		// A name, the number of operations, and then pairs of value and unit.
		f := strings.Fields(lines.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := cores.ReplaceAllString(strings.TrimPrefix(f[0], "Benchmark"), "")
		for pair := range slices.Chunk(f[2:], 2) {
			value, err := strconv.ParseFloat(pair[0], 64)
			if err != nil || len(pair) != 2 {
				return nil, fmt.Errorf("not the result of a benchmark: %q", lines.Text())
			}
			m := metric{name, pair[1]}
			results.values[m] = append(results.values[m], value)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(results.values) == 0 {
		return nil, fmt.Errorf("no results of benchmarks")
	}
	return results, nil
}

// rounds returns how often the benchmarks ran.
func (r *Results) rounds() int {
	most := 0
	for _, values := range r.values {
		most = max(most, len(values))
	}
	return most
}

// median returns the middle one of a metric's values, and whether there is one.
func (r *Results) median(name, unit string) (float64, bool) {
	return median(r.values[metric{name, unit}])
}

// ratio returns the middle one of the ratios in each round of two metrics, and
// whether there is one.
func (r *Results) ratio(name, to, unit string) (float64, bool) {
	a, b := r.values[metric{name, unit}], r.values[metric{to, unit}]
	if len(a) != len(b) {
		return 0, false
	}
	var ratios []float64
	for i := range a {
		ratios = append(ratios, a[i]/b[i])
	}
	return median(ratios)
}

func median(values []float64) (float64, bool) {
	n := len(values)
	if n == 0 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2, true
}
