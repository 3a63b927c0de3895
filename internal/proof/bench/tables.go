package bench

import (
	"fmt"
	"regexp"
	"strings"
)

// Fill returns the Markdown page with its tables made anew of the results. The
// place of a table is between two comments, each on a line of its own:
//
//	<!-- table: cpu -->
//	<!-- end of table -->
//
// The error is about a place for a table that there is not, or whose end is
// missing, or about a table that has no place.
func Fill(page string, results *Results) (string, error) {
	filled := make(map[string]bool)
	var unknown []string
	page = place.ReplaceAllStringFunc(page, func(old string) string {
		name := place.FindStringSubmatch(old)[1]
		table, ok := tables[name]
		if !ok {
			unknown = append(unknown, name)
			return old
		}
		filled[name] = true
		return fmt.Sprintf("<!-- table: %s -->\n%s%s", name, table(results), end)
	})
	if unknown != nil {
		return "", fmt.Errorf("no such table: %s", strings.Join(unknown, ", "))
	}
	if begun, ended := strings.Count(page, "<!-- table: "), strings.Count(page, end); begun != ended {
		return "", fmt.Errorf("%d tables begin, and %d end", begun, ended)
	}
	for name := range tables {
		if !filled[name] {
			return "", fmt.Errorf("the page has no place for the table %s", name)
		}
	}
	return page, nil
}

const end = "<!-- end of table -->\n"

var place = regexp.MustCompile(`(?s)<!-- table: (\S+) -->\n.*?` + regexp.QuoteMeta(end))

// tables are those of the page. Each has few columns, to be read on a narrow
// screen.
var tables = map[string]func(*Results) string{
	"machine": func(r *Results) string {
		return fmt.Sprintf("%s cores, %s; %s; %s for %s/%s; medians of %d rounds.\n", r.Config["cores"],
			r.Config["cpu"], r.Config["kernel"], r.Config["go"], r.Config["goos"], r.Config["goarch"], r.rounds())
	},
	"cpu":          prompt("CPU time, µs", func(r *Results, name string) string { return r.show(name, "cpu-µs/req", round) }),
	"throughput":   prompt("requests/s", func(r *Results, name string) string { return r.show(name, "req/s", round) }),
	"prompt-waits": prompt("wait, ms", (*Results).waits),
	"cpu-ratios": func(r *Results) string {
		var t table
		t.row("CPU time to that of", "1", "64", "512")
		for _, pair := range [][2]string{{"stage5", "stage1"}, {"stage5", "nethttp"}, {"stage4", "limit"}, {"stage5", "limit"}} {
			cells := []string{title[pair[0]] + " to " + title[pair[1]]}
			for _, visitors := range []string{"1", "64", "512"} {
				name := "Prompt/visitors=" + visitors + "/server="
				cells = append(cells, optional(hundredths)(r.ratio(name+pair[0], name+pair[1], "cpu-µs/req")))
			}
			t.row(cells...)
		}
		return t.String()
	},
	"beside": func(r *Results) string {
		var t table
		t.row("wait, ms", "alone", "beside 1", "beside 50")
		for _, server := range servers[:6] {
			name := "Beside/visitors=1/server=" + server + "/slow="
			t.row(title[server], r.waits(name+"0"), r.waits(name+"1"), r.waits(name+"50"))
		}
		return t.String()
	},
	"beside-ratios": func(r *Results) string {
		var t table
		t.row("99th percentile to that alone", "beside 1", "beside 50")
		for _, server := range servers[:6] {
			name := "Beside/visitors=1/server=" + server + "/slow="
			t.row(title[server], optional(round)(r.ratio(name+"1", name+"0", "p99-µs")),
				optional(round)(r.ratio(name+"50", name+"0", "p99-µs")))
		}
		return t.String()
	},
	"beside-many": func(r *Results) string {
		var t table
		t.row("wait, ms", "1", "64", "512")
		for _, server := range servers[:6] {
			cells := []string{title[server]}
			for _, visitors := range []string{"1", "64", "512"} {
				cells = append(cells, r.waits("Beside/visitors="+visitors+"/server="+server+"/slow=1"))
			}
			t.row(cells...)
		}
		return t.String()
	},
	"silent-0":     silent("0"),
	"silent-1000":  silent("1000"),
	"silent-10000": silent("10000"),
}

var (
	servers = []string{"stage1", "stage2", "stage3", "stage4", "stage5", "nethttp", "limit"}
	title   = map[string]string{"stage1": "stage 1", "stage2": "stage 2", "stage3": "stage 3",
		"stage4": "stage 4", "stage5": "stage 5", "nethttp": "net/http", "limit": "the limit"}
)

// prompt makes a table of a row for each server and a column for each number of
// prompt visitors.
func prompt(what string, cell func(r *Results, name string) string) func(*Results) string {
	return func(r *Results) string {
		var t table
		t.row(what, "1", "64", "512")
		for _, server := range servers {
			cells := []string{title[server]}
			for _, visitors := range []string{"1", "64", "512"} {
				cells = append(cells, cell(r, "Prompt/visitors="+visitors+"/server="+server))
			}
			t.row(cells...)
		}
		return t.String()
	}
}

// silent makes a table of how servers fare among that many silent visitors.
func silent(visitors string) func(*Results) string {
	return func(r *Results) string {
		var t table
		t.row("server", "threads", "bytes each", "the next visitor")
		for _, server := range servers[:6] {
			name := "Silent/silent=" + visitors + "/server=" + server
			next := "not answered"
			if alive, ok := r.median(name, "alive"); ok && alive < 1 {
				next = "finds nobody"
			} else if answered, ok := r.median(name, "answered"); ok && answered == 1 {
				next = "answered, " + r.show(name, "ns/op", func(ns float64) string { return round(ns/1e6) + " ms" })
			} else if !ok {
				next = "–"
			}
			t.row(title[server], r.show(name, "threads", whole), r.show(name, "B/silent", round), next)
		}
		return t.String()
	}
}

// waits returns a benchmark's median and 99th percentile, in milliseconds.
func (r *Results) waits(name string) string {
	ms := func(µs float64) string { return round(µs / 1000) }
	if _, ok := r.median(name, "p50-µs"); !ok {
		return "–"
	}
	return r.show(name, "p50-µs", ms) + " / " + r.show(name, "p99-µs", ms)
}

// show returns the median of a metric, in a given form.
func (r *Results) show(name, unit string, form func(float64) string) string {
	return optional(form)(r.median(name, unit))
}

// optional gives what has not been measured a form too.
func optional(form func(float64) string) func(float64, bool) string {
	return func(value float64, ok bool) string {
		if !ok {
			return "–"
		}
		return form(value)
	}
}

// round gives a number the form of two significant digits, which is what is
// left of it the next time that it is measured; of one that is not small, three.
func round(value float64) string {
	switch {
	case value == 0:
		return "0"
	case value < 1:
		return fmt.Sprintf("%.2f", value)
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

// thousands writes 12345 as 12,345.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// A table is one of GitHub's Markdown. Its first row is the heading, and all
// columns but the first hold numbers.
type table struct {
	text strings.Builder
}

func (t *table) row(cells ...string) {
	heading := t.text.Len() == 0
	t.text.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	if heading {
		t.text.WriteString("|---|" + strings.Repeat("---:|", len(cells)-1) + "\n")
	}
}

func (t *table) String() string { return t.text.String() }
