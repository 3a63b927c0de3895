package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var bar = regexp.MustCompile(` *\| *`) // between two cells

// table returns a table of a page with the numbers filled in. Its author has written the
// headings, and a row for each server or pair of them, as in "stage 2 to stage 1"; there is
// a column for each load and unit. The table gets a row for the reader's own server, if it is
// measured. A row of which nothing was measured is left out, which the error says, too.
func (r *results) table(loads, units, old string) (text string, err error) {
	if loads == "machine" {
		return r.machine(), nil
	}
	lines := strings.Split(strings.TrimSpace(old), "\n")
	headings := bar.Split(strings.Trim(lines[0], "| "), -1)
	columns := 1 + len(each(loads))*len(strings.Split(units, ","))
	if len(lines) < 3 || len(headings) != columns {
		return old, fmt.Errorf("a table of %s under %s has to have %d headings, and rows", units, loads, columns)
	}
	if *mine != "" {
		own := contenders[len(contenders)-1].title
		if strings.Contains(lines[2], " to ") {
			own += " to stage 5"
		}
		lines = append(lines, own)
	}
	rows := [][]string{headings, nil}
	for _, line := range lines[2:] {
		row, measured := bar.Split(strings.Trim(line, "| "), 2)[:1], false
		server := names().Replace(row[0])
		for _, load := range each(loads) {
			for unit := range strings.SplitSeq(units, ",") {
				cell := r.cell(load, unit, server)
				row, measured = append(row, cell), measured || cell != missing
			}
		}
		if measured {
			rows = append(rows, row)
		} else {
			err = errors.Join(err, fmt.Errorf("nothing is measured of %s under %s", row[0], loads))
		}
	}
	if len(rows) == 2 {
		return "", err
	}
	return markdown(rows), err
}

// names makes "stage2/stage1" of "stage 2 to stage 1".
func names() *strings.Replacer {
	pairs := []string{" to ", "/"}
	for _, c := range contenders {
		pairs = append(pairs, c.title, c.name)
	}
	return strings.NewReplacer(pairs...)
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

// markdown returns a table in GitHub's Markdown, with a line in place of the second row. All
// columns but the first hold numbers.
func markdown(rows [][]string) string {
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
