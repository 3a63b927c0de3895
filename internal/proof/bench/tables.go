package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// tables are those of the pages, in the order in which they are printed. Each has few
// columns, to be read on a narrow screen, and is empty if nothing of it was measured.
var tables = []struct {
	name string
	text func(*results) string
}{
	{"machine", func(r *results) string {
		return fmt.Sprintf("%s cores, %s; %s; %s for %s/%s; rounds: %d.\n", r.config["cores"],
			r.config["cpu"], r.config["kernel"], r.config["go"], r.config["goos"], r.config["goarch"], r.rounds())
	}},
	{"throughput", byLoad("requests/s", prompt, servers, median("req/s"))},
	{"throughput-ratios", byLoad("requests/s to those of", prompt, pairs("stage2/stage1", "stage3/stage1", "stage4/stage1", "stage5/stage1"), ratio("req/s"))},
	{"cpu", byLoad("CPU time, µs", prompt, servers, median("cpu-µs/req"))},
	{"cpu-ratios", byLoad("CPU time to that of", prompt, pairs("stage2/stage1", "stage3/stage1", "stage5/stage1", "stage5/stage4", "stage5/nethttp", "stage1/limit", "stage5/limit"), ratio("cpu-µs/req"))},
	{"prompt-waits", byLoad("wait, ms", prompt, servers, (*results).waits)},
	{"beside", byLoad("wait, ms", beside(""), servers, (*results).waits)},
	{"beside-ratios", byLoad("median to that alone", beside(":Beside/visitors=1/slow=0")[1:], servers, ratio("p50-µs"))},
	{"beside-many", byLoad("wait beside 1, ms", []column{{"1", "Beside/visitors=1/slow=1"}, {"64", "Beside/visitors=64/slow=1"}, {"512", "Beside/visitors=512/slow=1"}}, servers, (*results).waits)},
	{"silent-0", silentVisitors("nobody silent", "Silent/silent=0")},
	{"silent-1000", silentVisitors("1,000 silent", "Silent/silent=1000")},
	{"silent-10000", silentVisitors("10,000 silent", "Silent/silent=10000")},
}

// A column of a table shows what was measured under one load.
type column struct{ title, load string }

var prompt = []column{{"1", "Prompt/visitors=1"}, {"64", "Prompt/visitors=64"}, {"512", "Prompt/visitors=512"}}

func beside(to string) []column {
	return []column{{"alone", "Beside/visitors=1/slow=0" + to}, {"beside 1", "Beside/visitors=1/slow=1" + to}, {"beside 50", "Beside/visitors=1/slow=50" + to}}
}

// servers returns the names of all servers.
func servers() (names []string) {
	for _, c := range contenders {
		names = append(names, c.name)
	}
	return names
}

// pairs returns pairs of servers to be compared, and one for the reader's own.
func pairs(names ...string) func() []string {
	return func() []string {
		if *mine == "" {
			return names
		}
		return slices.Concat(names, []string{contenders[len(contenders)-1].name + "/stage5"})
	}
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

// byLoad makes a table of a row for each of rows and a column for each load.
func byLoad(what string, columns []column, rows func() []string, cell func(r *results, load, row string) string) func(*results) string {
	return func(r *results) string {
		heading := []string{what}
		for _, c := range columns {
			heading = append(heading, c.title)
		}
		t := [][]string{heading}
		for _, name := range rows() {
			row := []string{title(name)}
			for _, c := range columns {
				row = append(row, cell(r, c.load, name))
			}
			t = append(t, row)
		}
		return markdown(t)
	}
}

// silentVisitors makes a table of how the servers fare among that many of them.
func silentVisitors(what, load string) func(*results) string {
	return func(r *results) string {
		t := [][]string{{what, "threads", "bytes each", "the next visitor"}}
		for _, name := range servers() {
			next := missing
			alive, ok := r.spread(load, "alive", name)
			answered, _ := r.spread(load, "answered", name)
			switch {
			case ok && alive.median < 1:
				next = "finds nobody"
			case ok && answered.median < 1:
				next = "not answered"
			case ok:
				next = "answered, " + r.show(load, "p50-µs", name, milliseconds) + " ms"
			}
			t = append(t, []string{title(name), r.show(load, "threads", name, whole), r.show(load, "B/silent", name, round), next})
		}
		return markdown(t)
	}
}

const missing = "–" // stands for what was not measured

// median returns what fills a cell with the median of a metric.
func median(unit string) func(r *results, load, server string) string {
	return func(r *results, load, server string) string { return r.show(load, unit, server, round) }
}

// waits returns the median and the 99th percentile, in milliseconds.
func (r *results) waits(load, name string) string {
	p50, p99 := r.show(load, "p50-µs", name, milliseconds), r.show(load, "p99-µs", name, milliseconds)
	if p50 == missing {
		return missing
	}
	return p50 + " / " + p99
}

// ratio returns what fills a cell with a ratio and its spread.
func ratio(unit string) func(r *results, load, pair string) string {
	return func(r *results, load, pair string) string {
		s, ok := r.spread(load, unit, pair)
		if !ok {
			return missing
		}
		return s.String()
	}
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

// show returns the median of a metric, in a given form.
func (r *results) show(load, unit, servers string, form func(float64) string) string {
	s, ok := r.spread(load, unit, servers)
	if !ok {
		return missing
	}
	return form(s.median)
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
	unit := 1
	for int(value)/unit >= 1000 {
		unit *= 10
	}
	return thousands(int(value/float64(unit)+0.5) * unit)
}

func whole(value float64) string { return thousands(int(value)) }

func hundredths(value float64) string { return fmt.Sprintf("%.2f", value) }

func milliseconds(µs float64) string { return round(µs / 1000) }

// thousands writes 12345 as 12,345.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// markdown returns a table of GitHub's Markdown. The first row is the heading. All
// columns but the first hold numbers. Rows of which nothing was measured are left out.
func markdown(rows [][]string) string {
	rows = slices.DeleteFunc(rows, func(row []string) bool {
		return !slices.ContainsFunc(row[1:], func(cell string) bool { return cell != missing })
	})
	if len(rows) < 2 {
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
		fmt.Fprintf(&text, "| %-*s |", width[0], row[0])
		for i, cell := range row[1:] {
			fmt.Fprintf(&text, " %*s |", width[i+1], cell)
		}
		text.WriteString("\n")
		if n == 0 {
			fmt.Fprintf(&text, "|%s|", strings.Repeat("-", width[0]+2))
			for _, w := range width[1:] {
				fmt.Fprintf(&text, "%s:|", strings.Repeat("-", w+1))
			}
			text.WriteString("\n")
		}
	}
	return text.String()
}
