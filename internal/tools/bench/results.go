package main

import (
	"cmp"
	"errors"
	"io"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// results are what the benchmarks have measured.
type results struct {
	config map[string]string    // such as "cpu": "some processor"
	values map[metric][]float64 // one for each round
	rounds int
}

// A metric is one of the numbers of one benchmark.
type metric struct {
	name string // as in "Prompt/visitors=64/server=stage1"
	unit string // as in "cpu-µs/req"
}

// parse reads Go's benchmark format.
func parse(r io.Reader) (*results, error) {
	all := &results{config: make(map[string]string), values: make(map[metric][]float64)}
	reader := benchfmt.NewReader(r, rawFile)
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, record
		case *benchfmt.Result:
			for _, c := range record.Config {
				all.config[c.Key] = string(c.Value)
			}
			for _, v := range record.Values {
				m := metric{record.Name.String(), v.Unit}
				all.values[m] = append(all.values[m], v.Value)
				all.rounds = max(all.rounds, len(all.values[m]))
			}
		}
	}
	if reader.Err() == nil && all.rounds == 0 {
		return nil, errors.New("no results of benchmarks")
	}
	return all, reader.Err()
}

// A spread is the median of a value over the rounds, and its quartiles: half of
// the rounds are between low and high.
type spread struct{ low, median, high float64 }

// spread returns that of a metric, and whether it was measured. It is of a server, as
// in "stage5", or of a ratio in each round: of two servers, "stage5/nethttp", or under
// two loads, "Prompt/visitors=1:Prompt/visitors=64".
func (r *results) spread(load, unit, server string) (s spread, ok bool) {
	load, toLoad, ofLoads := strings.Cut(load, ":")
	server, toServer, ofServers := strings.Cut(server, "/")
	values := slices.Clone(r.values[metric{load + "/server=" + server, unit}])
	if ofLoads || ofServers {
		to := r.values[metric{cmp.Or(toLoad, load) + "/server=" + cmp.Or(toServer, server), unit}]
		if len(to) != len(values) {
			return spread{}, false
		}
		for i := range values {
			values[i] /= to[i]
		}
	}
	if len(values) == 0 {
		return spread{}, false
	}
	slices.Sort(values)
	return spread{quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75)}, true
}

// quantile returns a quantile of sorted values, between two of them if need be.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below, above := sorted[int(math.Floor(at))], sorted[int(math.Ceil(at))]
	return below + (above-below)*(at-math.Floor(at))
}
