package main

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A table has a row for each server, or for each pair of servers that are compared, as
// in "stage2/stage1". It has few columns, to be read on a narrow screen.
type table struct {
	name    string // in the comment that is its place in a page
	heading string
	rows    []string
	columns []column
}

// A column shows what was measured under a load, see results.cell.
type column struct{ title, load, unit string }

// tables returns those of the pages, in the order in which they are printed.
func tables() []table {
	var all, own []string
	for _, c := range contenders {
		all = append(all, c.name)
	}
	if *mine != "" {
		own = []string{all[len(all)-1] + "/stage5"}
	}
	pairs := func(names ...string) []string { return append(names, own...) }
	return []table{
		{name: "machine"},
		{"throughput", "requests/s", all, prompt("req/s")},
		{"throughput-ratios", "requests/s to those of",
			pairs("stage2/stage1", "stage3/stage1", "stage4/stage1", "stage5/stage1"), prompt("req/s")},
		{"cpu", "CPU time, µs", all, prompt("cpu-µs/req")},
		{"cpu-ratios", "CPU time to that of", pairs("stage2/stage1", "stage3/stage1", "stage5/stage1",
			"stage5/stage4", "stage5/nethttp", "stage1/limit", "stage5/limit"), prompt("cpu-µs/req")},
		{"prompt-waits", "wait, ms", all, prompt("wait")},
		{"beside", "wait, ms", all, []column{
			{"alone", "Beside/visitors=1/slow=0", "wait"},
			{"beside 1", "Beside/visitors=1/slow=1", "wait"},
			{"beside 50", "Beside/visitors=1/slow=50", "wait"}}},
		{"beside-ratios", "median to that alone", all, []column{
			{"beside 1", "Beside/visitors=1/slow=1:Beside/visitors=1/slow=0", "p50-µs"},
			{"beside 50", "Beside/visitors=1/slow=50:Beside/visitors=1/slow=0", "p50-µs"}}},
		{"beside-many", "wait beside 1, ms", all, []column{
			{"1", "Beside/visitors=1/slow=1", "wait"},
			{"64", "Beside/visitors=64/slow=1", "wait"},
			{"512", "Beside/visitors=512/slow=1", "wait"}}},
		{"silent-0", "nobody silent", all, silent("Silent/silent=0")},
		{"silent-1000", "1,000 silent", all, silent("Silent/silent=1000")},
		{"silent-10000", "10,000 silent", all, silent("Silent/silent=10000")},
	}
}

func prompt(unit string) []column {
	return []column{{"1", "Prompt/visitors=1", unit}, {"64", "Prompt/visitors=64", unit}, {"512", "Prompt/visitors=512", unit}}
}

func silent(load string) []column {
	return []column{{"threads", load, "threads"}, {"bytes each", load, "B/silent"}, {"the next visitor", load, "next"}}
}

// machine says where and how often the benchmarks ran.
func (r *results) machine() string {
	return fmt.Sprintf("%s cores, %s; %s; %s for %s/%s; rounds: %d.\n", r.config["cores"],
		r.config["cpu"], r.config["kernel"], r.config["go"], r.config["goos"], r.config["goarch"], r.rounds)
}

const missing = "–" // stands for what was not measured

// cell returns what a table says of a server, or of a pair of them, under a load: the
// median of a metric, of a time in milliseconds, or of a ratio, with its spread. There are
// two more units: "wait" is the median and the 99th percentile, and "next" what becomes of
// the visitor who comes after the silent ones.
func (r *results) cell(load, unit, server string) string {
	metrics := map[string]string{"wait": "p50-µs", "next": "alive"}
	s, ok := r.spread(load, cmp.Or(metrics[unit], unit), server)
	answered, _ := r.spread(load, "answered", server)
	switch {
	case !ok:
		return missing
	case unit == "wait":
		return r.cell(load, "p50-µs", server) + " / " + r.cell(load, "p99-µs", server)
	case unit == "next" && s.median < 1:
		return "finds nobody"
	case unit == "next" && answered.median < 1:
		return "not answered"
	case unit == "next":
		return "answered, " + r.cell(load, "p50-µs", server) + " ms"
	case strings.Contains(load, ":") || strings.Contains(server, "/"):
		return s.String()
	case unit == "threads" || unit == "connected":
		return whole(s.median)
	case strings.HasSuffix(unit, "-µs"):
		return round(s.median / 1000)
	}
	return round(s.median)
}

func (s spread) String() string {
	form := hundredths
	if s.median >= 10 {
		form = round
	}
	if s.low == s.high {
		return form(s.median)
	}
	return fmt.Sprintf("%s (%s–%s)", form(s.median), form(s.low), form(s.high))
}

// round gives a number the form of two significant digits, which is what is
// left of it the next time that it is measured; of one that is not small, three.
func round(value float64) string {
	switch {
	case value == 0:
		return "0"
	case value < 1:
		return hundredths(value)
	case value < 10:
		return fmt.Sprintf("%.1f", value)
	case value < 1000:
		return fmt.Sprintf("%.0f", value)
	}
	rounded, _ := strconv.ParseFloat(fmt.Sprintf("%.3g", value), 64)
	return whole(rounded)
}

func hundredths(value float64) string { return fmt.Sprintf("%.2f", value) }

// whole writes 12345.6 as 12,345.
func whole(value float64) string {
	if value < 1000 {
		return fmt.Sprint(int(value))
	}
	return fmt.Sprintf("%s,%03d", whole(value/1000), int(math.Mod(value, 1000)))
}

// text returns the table in GitHub's Markdown. All columns but the first hold numbers. Rows of which nothing
// was measured are left out, and so is a table without rows. The table of the machine is a line.
func (t table) text(r *results) string {
	if t.name == "machine" {
		return r.machine()
	}
	rows := [][]string{{t.heading}, nil}
	for _, c := range t.columns {
		rows[0] = append(rows[0], c.title)
	}
	for _, server := range t.rows {
		row, measured := []string{title(server)}, false
		for _, c := range t.columns {
			cell := r.cell(c.load, c.unit, server)
			row, measured = append(row, cell), measured || cell != missing
		}
		if measured {
			rows = append(rows, row)
		}
	}
	if len(rows) == 2 {
		return ""
	}
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for n, row := range rows {
		if n == 1 {
			fmt.Fprintf(&text, "|%s|", strings.Repeat("-", width[0]+2))
			for _, w := range width[1:] {
				fmt.Fprintf(&text, "%s:|", strings.Repeat("-", w+1))
			}
		} else {
			fmt.Fprintf(&text, "| %-*s |", width[0], row[0])
			for i, cell := range row[1:] {
				fmt.Fprintf(&text, " %*s |", width[i+1], cell)
			}
		}
		text.WriteString("\n")
	}
	return text.String()
}

// title returns what a table calls a server, or a pair of them.
func title(name string) string {
	if a, b, isPair := strings.Cut(name, "/"); isPair {
		return title(a) + " to " + title(b)
	}
	for _, c := range contenders {
		if c.name == name {
			return c.title
		}
	}
	return name
}
