package behaviour

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Report is what came of telling the stories about one server.
type Report struct {
	// Stage is the one that the server was asked to be like, or nil if it was asked
	// for everything.
	Stage   *Stage
	Results []Result // in the order of the topics
}

// RunAll tells the stories of the stage about the runner's program, or all stories if
// stage is nil, and calls told after each. It tells up to atOnce of them at the same time.
func (t *Runner) RunAll(ctx context.Context, stage *Stage, atOnce int, told func(Result)) *Report {
	r := &Report{Stage: stage}
	if stage != nil {
		t.Has = stage.Has
		r.Results = t.Run(ctx, slices.DeleteFunc(Scripts(stage.Behaviours...), func(script string) bool {
			return Folder(script) == "forgotten-await" && !t.Stage // which changes the source of stage 2
		}), atOnce, told)
		return r
	}
	// The second half of the stories asks what came of the first.
	has := map[string]bool{}
	t.Has = func(behaviour string) bool { return has[behaviour] }
	first := []string{"pages", "one-at-a-time", "many-at-once", "waiting-is-free"}
	r.Results = t.Run(ctx, Scripts(first...), atOnce, told)
	for _, b := range first {
		results := r.of(b)
		has[b] = 2*len(Failures(results)) < len(results) // all but a few hold
	}
	var second []string
	for _, b := range Behaviours() {
		if !slices.Contains(first, b) && b != "forgotten-await" {
			second = append(second, b)
		}
	}
	r.Results = append(r.Results, t.Run(ctx, Scripts(second...), atOnce, told)...)
	return r
}

// of returns the results of a behaviour's stories.
func (r *Report) of(behaviours ...string) []Result {
	var results []Result
	for _, result := range r.Results {
		if slices.Contains(behaviours, result.Behaviour()) {
			results = append(results, result)
		}
	}
	return results
}

// whereIs are the behaviours that say where goroutine 1 is, which is shown in one line.
var whereIs = []string{"goroutine-1-serves", "goroutine-1-awaits", "accept-holds-a-thread", "accept-is-parked"}

// Lines says in a line each which behaviours the server has.
func (r *Report) Lines() []string {
	var lines []string
	goroutine1 := false
	for _, b := range Behaviours() {
		results := r.of(b)
		name, says := strings.ReplaceAll(b, "-", " "), ""
		if slices.Contains(whereIs, b) {
			if goroutine1 {
				continue
			}
			results = r.of(whereIs...)
			name, says, goroutine1 = "where is goroutine 1", r.where(results), true
		}
		if len(results) == 0 || results[0].Skipped == notTold {
			continue
		}
		if says == "" {
			says = sum(results)
		}
		if failed := Failures(results); b == "command-line" && len(failed) > 0 {
			says = "no, which does not count: " + failed[0].brief()
		}
		lines = append(lines, fmt.Sprintf("%-24s %s", name, says))
	}
	return lines
}

// stagesOnly is why a story is left out that is not part of the contract.
const stagesOnly = "only the stages are held to so much"

// sum sums up the results of a behaviour's stories.
func sum(results []Result) string {
	var failed []string
	skipped, why := 0, ""
	for _, r := range results {
		switch {
		case r.Failed:
			_, name, _ := strings.Cut(r.Script, "/")
			failed = append(failed, name)
		case r.Skipped != "" && r.Skipped != stagesOnly:
			skipped++
			why = r.Skipped
		}
	}
	results = slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return r.Skipped == stagesOnly })
	told := len(results) - skipped
	switch {
	case len(failed) == told && told > 0:
		return "no"
	case len(failed) > 0 && len(failed) <= 3 && 2*len(failed) < told:
		return "all but " + strings.Join(failed, ", ")
	case len(failed) > 0:
		return fmt.Sprintf("no (%d of %d stories hold)", told-len(failed), told)
	case 2*told < len(results):
		return "cannot be seen: " + why
	case skipped > 0:
		return fmt.Sprintf("yes, as far as can be seen (%d of %d stories)", told, len(results))
	}
	return "yes"
}

// where says where goroutine 1 is, and which stages have it there.
func (r *Report) where(results []Result) string {
	place := ""
	var fits []string
	for _, r := range results {
		if r.Goroutine1 != "" {
			place = r.Goroutine1
		}
		if r.Failed || r.Skipped != "" {
			continue
		}
		for _, s := range Stages {
			if s.Has(r.Behaviour()) {
				fits = append(fits, fmt.Sprint(s.Number))
			}
		}
	}
	switch {
	case place == "" && len(fits) == 0:
		return ""
	case len(fits) == 0 && r.Stage != nil:
		return fmt.Sprintf("%s, not as in stage %d", place, r.Stage.Number)
	case len(fits) == 0:
		return place + ", as in no stage"
	}
	stages := "stage "
	if len(fits) > 1 {
		stages = "stages "
	}
	return strings.TrimPrefix(place+", as in "+stages+strings.Join(fits, " and "), ", ")
}

// decides says whether a story counts when it is decided which stage a server has
// reached. The command line is good manners, and a server's goroutine 1 may well be
// elsewhere in stages 3 to 5, if another goroutine accepts.
func decides(r Result) bool {
	switch r.Behaviour() {
	case "command-line", "accept-holds-a-thread", "accept-is-parked", "forgotten-await":
		return false
	}
	return true
}

// Misses returns what came of the stories that keep the server from being like a stage,
// and how many stories count. Of what cannot be seen no story counts.
func (r *Report) Misses(stage Stage) (misses []Result, counted int) {
	for _, result := range r.of(stage.Behaviours...) {
		if !decides(result) || result.Skipped != "" && result.Skipped != notTold {
			continue
		}
		counted++
		if result.Failed || result.Skipped != "" {
			misses = append(misses, result)
		}
	}
	return misses, counted
}

// Verdict says which stage the server has reached, or, in one screen, what keeps it from
// the one that is nearest, and whether it is like the stage that it was asked to be like.
// who is what the server is called; again is the command that tells one story, with
// NAME in the place of its name.
func (r *Report) Verdict(who, again string) (text string, ok bool) {
	near, misses, counted := r.nearest()
	if len(misses) == 0 {
		return r.reached(who, near), true
	}
	stage, is := near[0], "is nearest to"
	if r.Stage != nil {
		is = "does not behave like"
	}
	first := fmt.Sprintf("%s %s stage %d: %d of %d stories hold. The first that does not:", who, is, stage.Number, counted-len(misses), counted)
	if slices.ContainsFunc(misses, func(r Result) bool { return r.Skipped == notTold }) {
		first = who + " is like no stage yet:"
	}
	return first + "\n\n" + verdict(misses, again, len(misses)), false
}

// Failures returns what failed of the stage that is nearest to the server, or, if the server
// is like that one, of the stage after it.
func (r *Report) Failures() []Result {
	near, misses, _ := r.nearest()
	stage := near[0]
	if next := near[len(near)-1].Number; len(misses) == 0 && r.Stage == nil && next < len(Stages) {
		stage = Stages[next]
	}
	return Failures(r.of(stage.Behaviours...))
}

// nearest returns the stages that the server is like, or, if there is none, those of
// which more stories hold and fewer do not than of the others.
func (r *Report) nearest() (near []Stage, misses []Result, counted int) {
	stages := Stages
	if r.Stage != nil {
		stages = []Stage{*r.Stage}
	}
	best := 0
	for _, stage := range stages {
		m, n := r.Misses(stage)
		score := n - 2*len(m) // those that hold, less those that do not
		if len(m) == 0 {
			score = math.MaxInt
		}
		switch {
		case near == nil || score > best:
			near, misses, counted, best = []Stage{stage}, m, n, score
		case score == best:
			near = append(near, stage)
			misses, counted = m, n
		}
	}
	return near, misses, counted
}

// reached says which stage a server is at that is like all those near.
func (r *Report) reached(who string, near []Stage) string {
	last := near[len(near)-1]
	like, next := fmt.Sprintf("stage %d", last.Number), last.Number+1
	mock := slices.ContainsFunc(r.of("without-a-network"), func(r Result) bool { return !r.Failed && r.Skipped == "" })
	if len(near) > 1 && !mock {
		// The stages 1 and 2, or 4 and 5, of a server that is not written in Go.
		like = fmt.Sprintf("stages %d and %d, which nobody can tell apart from outside", near[0].Number, last.Number)
		next = max(last.Number, 3)
	}
	switch {
	case r.Stage != nil:
		return fmt.Sprintf("%s behaves like %s.\n", who, like)
	case next > len(Stages):
		return fmt.Sprintf("%s behaves like %s, which is the last one.\n", who, like)
	}
	stage := Stages[next-1]
	return fmt.Sprintf("%s behaves like %s. What stage %d adds: %s. See %s\n", who, like, next, stage.Adds, stage.Page())
}
