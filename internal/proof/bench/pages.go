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
//	<!-- table: cpu -->
//	<!-- end of table -->
//
// has a table between its lines. In a sentence,
//
//	<!-- n: Silent/silent=1000 threads stage4 -->7<!-- /n -->
//
// has a number: of a load, a unit and a server, or a ratio, see spread. And
//
//	<!-- claim: Prompt/visitors=1,64 cpu-µs/req stage5/stage4 < 1.1 -->
//
// stands at a sentence that says so in words. It holds if the whole spread, from
// quartile to quartile, is below 1.1, or above it with >. Several loads or servers
// stand for a claim about each.
var (
	tablePlace  = regexp.MustCompile(`(?s)<!-- table: (\S+) -->\n.*?<!-- end of table -->\n`)
	numberPlace = regexp.MustCompile(`<!-- n: (\S+) (\S+) (\S+) -->.*?<!-- /n -->`)
	claimPlace  = regexp.MustCompile(`<!-- claim: (\S+) (\S+) (\S+) ([<>]) ([\d.]+) -->`)
)

// fillPages returns the pages as they have to be, by their names, with what is wrong
// with them: a claim that does not hold, or a place that cannot be filled.
func fillPages(r *results) (pages map[string]string, problems []error) {
	pages = make(map[string]string)
	names, _ := filepath.Glob("docs/*.md")
	places := ""
	for _, name := range append(names, "README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, []error{err}
		}
		page, found := fill(string(text), r)
		pages[name], places = page, places+page
		for _, problem := range found {
			problems = append(problems, fmt.Errorf("%s: %w", name, problem))
		}
	}
	for _, t := range tables {
		if !strings.Contains(places, "<!-- table: "+t.name+" -->") {
			problems = append(problems, fmt.Errorf("no page has a place for the table %s", t.name))
		}
	}
	return pages, problems
}

// updatePages writes the pages. The error says which claims do not hold.
func updatePages(r *results) error {
	pages, problems := fillPages(r)
	for name, page := range pages {
		if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("the pages are written, but they are wrong:\n%w", errors.Join(problems...))
	}
	return nil
}

// fill returns one page with its tables and numbers, and what is wrong with it.
func fill(page string, r *results) (filled string, problems []error) {
	for start, place := range map[string]*regexp.Regexp{"<!-- table:": tablePlace, "<!-- n:": numberPlace, "<!-- claim:": claimPlace} {
		if begun, whole := strings.Count(page, start), len(place.FindAllString(page, -1)); begun != whole {
			problems = append(problems, fmt.Errorf("%d comments begin with %s, and %d are well-formed", begun, start, whole))
		}
	}
	page = tablePlace.ReplaceAllStringFunc(page, func(old string) string {
		name := tablePlace.FindStringSubmatch(old)[1]
		for _, t := range tables {
			if t.name == name {
				return "<!-- table: " + name + " -->\n" + t.text(r) + "<!-- end of table -->\n"
			}
		}
		problems = append(problems, fmt.Errorf("there is no table %s", name))
		return old
	})
	page = numberPlace.ReplaceAllStringFunc(page, func(old string) string {
		m := numberPlace.FindStringSubmatch(old)
		form := round
		switch {
		case strings.Contains(m[1], ":"), strings.Contains(m[3], "/"):
			form = hundredths
		case m[2] == "threads", m[2] == "connected":
			form = whole
		}
		number := r.show(m[1], m[2], m[3], form)
		if number == missing {
			problems = append(problems, fmt.Errorf("not measured: %s", old))
		}
		return fmt.Sprintf("<!-- n: %s %s %s -->%s<!-- /n -->", m[1], m[2], m[3], number)
	})
	for _, m := range claimPlace.FindAllStringSubmatch(page, -1) {
		problems = append(problems, r.check(m[0], m[1], m[2], m[3], m[4], m[5])...)
	}
	return page, problems
}

// check returns what does not hold of a claim.
func (r *results) check(claim, loads, unit, servers, sign, number string) (problems []error) {
	bound, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return []error{fmt.Errorf("%s: %w", claim, err)}
	}
	for _, load := range each(loads) {
		for _, server := range each(servers) {
			s, ok := r.spread(load, unit, server)
			switch {
			case !ok:
				problems = append(problems, fmt.Errorf("%s: %s of %s is not measured", claim, unit, server))
			case sign == "<" && s.high >= bound || sign == ">" && s.low <= bound:
				problems = append(problems, fmt.Errorf("%s does not hold: %s of %s is %v", claim, load, server, s))
			}
		}
	}
	return problems
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
