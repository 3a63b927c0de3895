package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What is measured stands in the pages at three kinds of comments:
//
//	<!-- table: cpu -->
//	<!-- end of table -->
//
// has a table between its lines. In a sentence,
//
//	<!-- n: Silent/silent=1000 threads stage4 -->7<!-- /n -->
//
// has a number: of a load, a unit and a server, or a ratio, see results.spread. And
//
//	<!-- claim: Prompt/visitors=1,64 cpu-µs/req stage5/stage4 < 1.1 -->
//
// stands at a sentence that says so in words. It holds if the whole spread, from
// quartile to quartile, is below 1.1, or above it with >. Several loads or servers
// stand for a claim about each.
var (
	place = regexp.MustCompile(`<!-- table: (\S+) -->\n[^<]*<!-- end of table -->\n` +
		`|<!-- n: (\S+) (\S+) (\S+) -->[^<]*<!-- /n -->` +
		`|<!-- claim: (\S+) (\S+) (\S+) ([<>]) (\d+\.?\d*) -->`)
	placeStart = regexp.MustCompile(`<!-- (table|n|claim):`)
)

// fillPages returns the pages as they have to be, by their names. The error says what is
// wrong with them: a claim that does not hold, or a place that cannot be filled.
func fillPages(r *results) (pages map[string]string, err error) {
	pages = make(map[string]string)
	names, _ := filepath.Glob("docs/*.md")
	all := ""
	var errs []error
	for _, name := range append(names, "README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		page, err := fill(string(text), r)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		pages[name], all = page, all+page
	}
	for _, t := range tables() {
		if !strings.Contains(all, "<!-- table: "+t.name+" -->") {
			errs = append(errs, fmt.Errorf("no page has a place for the table %s", t.name))
		}
	}
	return pages, errors.Join(errs...)
}

// fill returns one page with its tables and numbers, and what is wrong with it.
func fill(page string, r *results) (filled string, err error) {
	var errs []error
	begun, found := len(placeStart.FindAllString(page, -1)), len(place.FindAllString(page, -1))
	if begun != found {
		errs = append(errs, fmt.Errorf("%d comments begin with table:, n: or claim:, and %d are well-formed", begun, found))
	}
	filled = place.ReplaceAllStringFunc(page, func(old string) string {
		m := place.FindStringSubmatch(old)
		comment := old[:strings.Index(old, "-->")+len("-->")]
		switch {
		case m[1] != "":
			i := slices.IndexFunc(tables(), func(t table) bool { return t.name == m[1] })
			if i >= 0 {
				return comment + "\n" + tables()[i].text(r) + "<!-- end of table -->\n"
			}
			errs = append(errs, fmt.Errorf("there is no table %s", m[1]))
		case m[2] != "":
			number, _, _ := strings.Cut(r.cell(m[2], m[3], m[4]), " (") // a ratio without its spread
			if number != missing {
				return comment + number + "<!-- /n -->"
			}
			errs = append(errs, fmt.Errorf("not measured: %s", old))
		default:
			errs = append(errs, r.check(old, m[5], m[6], m[7], m[8], m[9]))
		}
		return old
	})
	return filled, errors.Join(errs...)
}

// check returns what does not hold of a claim.
func (r *results) check(claim, loads, unit, servers, sign, number string) error {
	bound, _ := strconv.ParseFloat(number, 64)
	var errs []error
	for _, load := range each(loads) {
		for _, server := range each(servers) {
			s, ok := r.spread(load, unit, server)
			switch {
			case !ok:
				errs = append(errs, fmt.Errorf("%s: %s of %s is not measured", claim, unit, server))
			case sign == "<" && s.high >= bound || sign == ">" && s.low <= bound:
				errs = append(errs, fmt.Errorf("%s does not hold: %s of %s is %v", claim, load, server, s))
			}
		}
	}
	return errors.Join(errs...)
}

// each returns the parts of a list with commas: "visitors=1,64" is visitors=1 and
// visitors=64.
func each(list string) []string {
	start := list[:strings.LastIndex(list, "=")+1]
	parts := strings.Split(list[len(start):], ",")
	for i := range parts {
		parts[i] = start + parts[i]
	}
	return parts
}
