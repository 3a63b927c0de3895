package behaviour

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Report holds the results of all scripts that were run against one server.
type Report struct {
	// Who names the server at the beginning of a sentence.
	Who string
	// Again is the command that runs one script, with NAME in place of its name.
	Again string
	// Stage is the stage that the server has to reach, or nil if the question is which one it has.
	Stage *Stage
	// Strict says that the server needs all behaviours of Stage, manners included. Otherwise its
	// place on the ladder has to be Stage, or a later one.
	Strict bool
	// Results are in the order of the groups.
	Results []Result
}

// RunAll runs all scripts against the runner's program, or in strict mode those of the stage. It
// calls done after each, unless done is nil; see Run.
func (t *Runner) RunAll(ctx context.Context, stage *Stage, done func(Result)) *Report {
	r := &Report{Who: "Your server", Stage: stage, Strict: t.Strict && stage != nil}
	scripts := Scripts()
	if r.Strict {
		scripts = Scripts(stage.Behaviours...)
	}
	r.Results = t.Run(ctx, scripts, atOnce, done)
	return r
}

// Failures returns the results of the scripts that failed.
func Failures(results []Result) []Result {
	return slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return !r.Failed })
}

// Verdict returns a text of at most rows lines of 76 columns: which stage the server has reached,
// what the next one asks, and how its manners are; or, in strict mode, what the server does not do. ok
// says whether the server is as it has to be.
func (r *Report) Verdict(rows int) (text string, ok bool) {
	failed := Failures(r.Results)
	lacks := func(result Result) bool { return result.Lacks }
	if i := slices.IndexFunc(failed, lacks); i >= 0 {
		if failed = slices.DeleteFunc(failed, lacks); len(failed) == 0 || !r.Strict {
			return r.Who + " could not be examined here.\n\n" + Failures(r.Results)[i].Reason + "\n", false
		}
	}
	switch {
	case !r.Strict:
		return r.placeVerdict(rows)
	case len(failed) > 0:
		return r.strictVerdict(failed, rows), false
	}
	return fmt.Sprintf("%s behaves like stage %d.\n\n%s", r.Who, r.Stage.Number, r.table()), true
}

// table returns the rows of the README's table, each with its answer.
func (r *Report) table() string {
	var b strings.Builder
	for i, row := range Rows {
		holds := row.Holds(r.Results)
		if r.Strict && holds == Unseen {
			holds = "not asked"
		}
		if i == 0 && holds == No && stageHolds(1, r.Results) == Yes {
			holds = "see manners"
		}
		fmt.Fprintf(&b, "%-57s %s\n", row.Text, holds)
	}
	if where := r.goroutine1(); where != "" {
		fmt.Fprintf(&b, "While a request is served, goroutine 1 is %s.\n", where)
	}
	return b.String()
}

// goroutine1 returns where goroutine 1 was during a slow request, or "" if that was not seen.
func (r *Report) goroutine1() string {
	for _, result := range r.Results {
		if result.Goroutine1 != "" && path.Base(result.Script) == "slow-request" {
			return result.Goroutine1
		}
	}
	return ""
}

// placeVerdict is the verdict on a server whose place on the ladder is the question.
func (r *Report) placeVerdict(rows int) (text string, ok bool) {
	s := Place(r.Results)
	ok = r.Stage == nil || s.Stage >= r.Stage.Number
	place := s.Place
	if !ok {
		place = fmt.Sprintf("has not reached stage %d: it %s", r.Stage.Number, place)
	}
	if len(s.Asks) > 0 {
		place += fmt.Sprintf(". What stage %d asks: %s", s.Next.Number, strings.Join(s.Asks, "; "))
	}
	p := &page{rows: rows}
	p.add(wrap(r.Who+" "+place+"."), []string{""})
	if s.Stage > 0 {
		p.add(strings.Split(r.table(), "\n"))
	}
	end, again := r.mannersSummary(rows)
	if s.First != nil {
		again = s.First.Script
	}
	if again != "" {
		end = append(end, "To see one: "+strings.ReplaceAll(r.Again, "NAME", again))
		p.rows -= (len(end[len(end)-1]) - 1) / 80 // the terminal breaks this line
	}
	if s.First != nil {
		p.tail = len(end)
		p.explain("Make this hold first: ", *s.First)
		p.tail = 0
		if p.left() > len(end) {
			p.add([]string{""})
		}
	}
	p.add(end)
	return p.String(), ok
}

// mannersSummary returns a few lines on the server's manners, fewer if there are few rows, and the
// first script about manners that fails.
func (r *Report) mannersSummary(rows int) (lines []string, script string) {
	run, held, hint := 0, 0, 1
	if rows == 0 || rows > 26 {
		hint = 3
	}
	var first *Result
	for _, result := range r.Results {
		if result.Behaviour() != manners || result.Skipped != "" {
			continue
		}
		run++
		if result.Passed() {
			held++
		} else if first == nil {
			first = &result
		}
	}
	switch {
	case run == 0:
		return nil, ""
	case first == nil:
		return []string{fmt.Sprintf("Manners: %d of %d.", held, run)}, ""
	}
	reason, _, _ := strings.Cut(first.Reason, "\nIt printed:")
	lines = wrap(fmt.Sprintf("Manners: %d of %d. The first that fails is %s: %s", held, run, first.Script, reason))
	return append(cut(lines, 3), cut(wrap(first.Hint), hint)...), first.Script
}

// strictVerdict is the verdict in strict mode if some scripts fail.
func (r *Report) strictVerdict(failed []Result, rows int) string {
	lead, others := failed[0], failed[1:]
	p := &page{rows: rows}
	p.add(wrap(r.Who+" "+r.missing(lead)+"."), []string{""})
	var end []string
	if i := slices.IndexFunc(r.Results, func(r Result) bool { return r.NotRun }); i >= 0 {
		end = wrap("The other scripts are not run: " + r.Results[i].Skipped + ".")
	}
	if len(others) > 0 {
		end = append(end, cmp.Or(map[int]string{1: "1 more script fails"}[len(others)],
			fmt.Sprintf("%d more scripts fail", len(others)))+", perhaps for the same reason. To see one:")
		end = append(end, "    "+strings.ReplaceAll(r.Again, "NAME", others[0].Script))
	}
	p.tail = len(end)
	p.explain("", lead)
	p.tail = 0
	if len(end) > 0 && p.left() > len(end) {
		p.add([]string{""})
	}
	p.add(end)
	for _, other := range others[:max(0, min(len(others), p.left()))] {
		p.add(cut(wrap(fmt.Sprintf("    %s: %s", other.Script, brief(other.Reason))), 1))
	}
	return p.String()
}

// missing says what the server does not do, or no longer does. lead is the first script to fail.
func (r *Report) missing(lead Result) string {
	what := does(lead.Script)
	switch {
	case lead.GoesOn:
		what = "ends when it is interrupted"
	case strings.Contains(lead.Reason, dataRace):
		return "has a data race: two goroutines use a variable at the same time, and one writes it"
	case lead.Undecided:
		return "may be one that " + what + ", and that could not be decided"
	}
	if r.Who == r.Stage.Folder {
		return "no longer " + what
	}
	return fmt.Sprintf("does not behave like stage %d, which %s", r.Stage.Number, what)
}

// Outcome returns the result of the script in a few words.
func (r Result) Outcome() string {
	switch {
	case r.Skipped != "":
		return "left out: " + r.Skipped
	case r.Failed:
		return "no: " + brief(r.Reason)
	}
	return "yes"
}

// String returns a report on the script: why it failed, or why it was skipped.
func (r Result) String() string {
	switch {
	case r.Skipped != "":
		return r.Script + " was left out: " + r.Skipped + "\n"
	case !r.Failed:
		return r.Script + " passed\n"
	}
	p := &page{}
	p.explain("", r)
	return p.String()
}
