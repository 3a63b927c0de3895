package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// What is measured stands in the pages at three kinds of comments:
//
//	<!-- table: Prompt/visitors=1,64 cpu-µs/req -->
//	| CPU time | 1 | 64 |
//	|----------|--:|---:|
//	| stage 1  |   |    |
//	<!-- end of table -->
//
// is a table. Its cells are filled with what was measured, under several loads or in
// several units, see results.cell. With "machine" in place of both it is a line about
// the machine. In a sentence,
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
	place = regexp.MustCompile(`<!-- table: (\S+)(?: (\S+))? -->\n([^<]*)<!-- end of table -->\n` +
		`|<!-- n: (\S+) (\S+) (\S+) -->[^<]*<!-- /n -->` +
		`|<!-- claim: (\S+) (\S+) (\S+) ([<>]) (\d+\.?\d*) -->`)
	placeStart = regexp.MustCompile(`<!-- (table|n|claim):`)
)

// fillPages returns the pages as they have to be, by their names. The error says what is
// wrong with them: a claim that does not hold, or a place that cannot be filled.
func fillPages(r *results) (pages map[string]string, err error) {
	pages = make(map[string]string)
	names, _ := filepath.Glob("docs/*.md")
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
		pages[name] = page
	}
	return pages, errors.Join(errs...)
}

// fill returns one page with its tables and numbers, and what is wrong with it. What cannot
// be filled stays as it is.
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
			text, err := r.table(m[1], m[2], m[3])
			if err == nil {
				return comment + "\n" + text + "<!-- end of table -->\n"
			}
			errs = append(errs, err)
		case m[4] != "":
			number, _, _ := strings.Cut(r.cell(m[4], m[5], m[6]), " (") // a ratio without its spread
			if number != missing {
				return comment + number + "<!-- /n -->"
			}
			errs = append(errs, fmt.Errorf("not measured: %s", old))
		default:
			errs = append(errs, r.check(old, m[7], m[8], m[9], m[10], m[11]))
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
		for server := range strings.SplitSeq(servers, ",") {
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

var list = regexp.MustCompile(`^(.*=)(\d+(?:,\d+)+)(.*)$`)

// each returns the loads of a list: "visitors=1,64" is visitors=1 and visitors=64.
func each(loads string) (all []string) {
	m := list.FindStringSubmatch(loads)
	if m == nil {
		return []string{loads}
	}
	for number := range strings.SplitSeq(m[2], ",") {
		all = append(all, m[1]+number+m[3])
	}
	return all
}
