package behaviour

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Passed says whether the story was told to its end, and holds.
func (r Result) Passed() bool { return !r.Failed && r.Skipped == "" }

// Outcome says in a few words what came of the story.
func (r Result) Outcome() string {
	switch {
	case r.Skipped != "":
		return "left out: " + r.Skipped
	case r.Failed:
		return "no: " + r.brief()
	}
	return "yes"
}

// String tells the story as far as it went, and why it went no further.
func (r Result) String() string {
	switch {
	case r.Skipped != "":
		return r.Script + " was left out: " + r.Skipped
	case !r.Failed:
		return r.Script + " passed"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "testdata/%s.txtar", r.Script)
	if r.Line > 0 {
		fmt.Fprintf(&b, ", line %d", r.Line)
	}
	fmt.Fprintf(&b, ":\n\n    %s\n\n", strings.Join(r.Story, "\n    "))
	fmt.Fprintln(&b, strings.ReplaceAll(r.Reason, "\n\t", "\n    "))
	if r.Hint != "" {
		fmt.Fprintln(&b, r.Hint)
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
		line = line[:max(strings.LastIndex(line[:most], " "), 0)] + " ..."
	}
	return line
}

// Failures returns the results of the stories that failed.
func Failures(results []Result) []Result {
	return slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return !r.Failed })
}

// Verdict says in one screen what a stage no longer does, by the results of its stories in
// the order of the topics. It returns "" if none of them failed.
func Verdict(stage string, results []Result) string {
	failed := Failures(results)
	if len(failed) == 0 {
		return ""
	}
	const most = 6 // other stories; more would not fit on the screen
	again := "go test ./" + stage + " -run /NAME -v"
	return fmt.Sprintf("%s %s.\n\n%s", stage, lost(failed[0]), explain(results, again, most))
}

// lost says what a server does no longer, as in "no longer serves its pages", by the story
// that leads.
func lost(lead Result) string {
	does := "does what " + lead.Script + " shows"
	for _, t := range topics {
		if t.folder == lead.Behaviour() && slices.Contains(strings.Fields(t.names), path.Base(lead.Script)) {
			does = t.does
		}
	}
	switch {
	case lead.GoesOn:
		does = "ends when it is interrupted"
	case strings.Contains(lead.Reason, dataRace):
		return "has a data race: two goroutines use a variable at the same time, and one writes it"
	case lead.Undecided:
		return "may be one that " + does + ", and that could not be decided"
	}
	return "no longer " + does
}

// explain tells the first story of the results that failed in full, and says in a line each
// why others did, as many as most says. again is the command that tells one story, with
// NAME in the place of its name.
func explain(results []Result, again string, most int) string {
	failed := Failures(results)
	var b strings.Builder
	fmt.Fprint(&b, failed[0])
	if i := slices.IndexFunc(results, func(r Result) bool { return r.NotTold }); i >= 0 {
		fmt.Fprintf(&b, "\nThe other stories are not told: %s.\n", results[i].Skipped)
	}
	others := failed[1:]
	switch n := len(others); n {
	case 0:
		return b.String()
	case 1:
		fmt.Fprint(&b, "\n1 more story fails, perhaps for the same reason:\n")
	default:
		fmt.Fprintf(&b, "\n%d more stories fail, perhaps for the same reason:\n", n)
	}
	width := 0
	for _, r := range others {
		width = max(width, len(r.Script))
	}
	for _, r := range others[:min(len(others), most)] {
		fmt.Fprintf(&b, "    %-*s  %s\n", width, r.Script, r.brief())
	}
	if n := len(others) - most; n > 0 {
		fmt.Fprintf(&b, "    [and %d more]\n", n)
	}
	fmt.Fprintf(&b, "To be told one of them: %s\n", strings.ReplaceAll(again, "NAME", others[0].Script))
	return b.String()
}
