package behaviour

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// File is the script, as seen from the workbook's folder.
func (r Result) File() string { return "testdata/" + r.Script + ".txtar" }

// String tells the story as far as it went, and why it went no further.
func (r Result) String() string {
	switch {
	case r.Skipped != "":
		return r.Script + " was left out: " + r.Skipped
	case !r.Failed:
		return r.Script + " passed"
	}
	var b strings.Builder
	b.WriteString(r.File())
	if r.Line > 0 {
		fmt.Fprintf(&b, ", line %d", r.Line)
	}
	b.WriteString(":\n\n")
	for _, heading := range r.Story {
		fmt.Fprintf(&b, "    %s\n", heading)
	}
	fmt.Fprintf(&b, "\n%s\n", strings.ReplaceAll(r.Reason, "\n\t", "\n    "))
	if r.Hint != "" {
		fmt.Fprintf(&b, "%s\n", r.Hint)
	}
	return b.String()
}

// brief says in a line why a story failed.
func (r Result) brief() string {
	line, rest, _ := strings.Cut(r.Reason, "\n")
	if strings.HasSuffix(line, ":") { // what the server printed, for instance
		next, _, _ := strings.Cut(rest, "\n")
		line += " " + strings.TrimSpace(next)
	}
	const most = 90
	if len(line) > most {
		line = line[:strings.LastIndex(line[:most], " ")] + " ..."
	}
	return line
}

// Failures returns the results of stories that failed, in the order of the topics.
func Failures(results []Result) []Result {
	order := Scripts()
	var failed []Result
	for _, r := range results {
		if r.Failed {
			failed = append(failed, r)
		}
	}
	slices.SortStableFunc(failed, func(a, b Result) int {
		return slices.Index(order, a.Script) - slices.Index(order, b.Script)
	})
	return failed
}

// Verdict says in one screen what failed: the story that leads in full, and a line
// for each other one. again is the command that tells one story, with NAME in the place
// of its name. It returns "" if no story failed.
func Verdict(results []Result, again string) string {
	const most = 6 // others; more would not fit on the screen
	return verdict(results, again, most)
}

// verdict is Verdict with a line for each of the first others, as many as most says.
func verdict(results []Result, again string, most int) string {
	failed := Failures(results)
	if len(failed) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(failed[0].String())
	if slices.ContainsFunc(results, func(r Result) bool { return r.Skipped == notTold }) {
		fmt.Fprintf(&b, "\nThe other stories are not told: %s.\n", notTold)
	}
	others := failed[1:]
	if len(others) == 0 {
		return b.String()
	}
	more := "1 more story fails"
	if len(others) > 1 {
		more = fmt.Sprintf("%d more stories fail", len(others))
	}
	fmt.Fprintf(&b, "\n%s, perhaps for the same reason:\n", more)
	width := 0
	for _, r := range others {
		width = max(width, len(r.Script))
	}
	for i, r := range others {
		if i == most {
			fmt.Fprintf(&b, "    [and %d more]\n", len(others)-most)
			break
		}
		fmt.Fprintf(&b, "    %-*s  %s\n", width, r.Script, r.brief())
	}
	fmt.Fprintf(&b, "To be told one of them: %s\n", strings.ReplaceAll(again, "NAME", others[0].Script))
	return b.String()
}

// Lost says what a server does no longer, as in "no longer serves its pages", by
// the results of its stories, some of which failed.
func Lost(results []Result) string {
	lead := Failures(results)[0]
	does := "does what " + path.Dir(lead.Script) + " shows"
	for _, t := range topics {
		if slices.Contains(t.scripts, lead.Script) {
			does = t.does
		}
	}
	if strings.Contains(lead.Reason, dataRace) {
		return "has a data race: two goroutines use a variable at the same time, and one writes it"
	}
	if lead.Undecided {
		return "may be one that " + does + ", and that could not be decided"
	}
	return "no longer " + does
}
