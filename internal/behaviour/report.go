package behaviour

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path"
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

// stagesOnly is why a story is left out that is not part of the contract.
const stagesOnly = "only the stages are held to so much"

// atOnce is how many stories are told at the same time where nobody says otherwise. They
// mostly wait.
const atOnce = 16

// RunAll tells the stories of the stage about the runner's program, or all stories if
// stage is nil, and calls told after each, unless it is nil; see Run.
func (t *Runner) RunAll(ctx context.Context, stage *Stage, told func(Result)) *Report {
	t.Has = nil
	scripts := Scripts()
	if stage != nil {
		t.Has, scripts = stage.Has, Scripts(stage.Behaviours...)
	}
	if stage == nil || !t.Stage {
		scripts = slices.DeleteFunc(scripts, func(script string) bool {
			return path.Dir(script) == "forgotten-await" // which changes the source of stage 2
		})
	}
	results := slices.DeleteFunc(t.Run(ctx, scripts, atOnce, told), func(r Result) bool {
		return r.Skipped == stagesOnly
	})
	return &Report{stage, results}
}

// Lines says in a line each which behaviours the server has.
func (r *Report) Lines() []string {
	var names []string
	results := map[string][]Result{}
	for _, result := range r.Results {
		name := strings.ReplaceAll(result.Behaviour(), "-", " ")
		switch result.Behaviour() {
		case "goroutine-1-serves", "goroutine-1-awaits", "accept-holds-a-thread", "accept-is-parked":
			name = "where is goroutine 1"
		}
		if !slices.Contains(names, name) && !result.NotTold {
			names = append(names, name)
		}
		results[name] = append(results[name], result)
	}
	var lines []string
	for _, name := range names {
		says := sum(results[name])
		if name == "where is goroutine 1" {
			says = cmp.Or(r.where(results[name]), says)
		} else if failed := Failures(results[name]); name == "command line" && len(failed) > 0 {
			says = "no, which does not count: " + failed[0].brief()
		}
		lines = append(lines, fmt.Sprintf("%-24s %s", name, says))
	}
	return lines
}

// sum sums up the results of a behaviour's stories.
func sum(results []Result) string {
	var failed []string
	told, why := 0, ""
	for _, r := range results {
		if r.Skipped != "" {
			why = r.Skipped
			continue
		}
		told++
		if r.Failed {
			failed = append(failed, path.Base(r.Script))
		}
	}
	const few = 3
	switch {
	case len(failed) == told && told > 0:
		return "no"
	case len(failed) > 0 && len(failed) <= few && 2*len(failed) < told:
		return "all but " + strings.Join(failed, ", ")
	case len(failed) > 0:
		return fmt.Sprintf("no (%d of %d stories hold)", told-len(failed), told)
	case 2*told < len(results):
		return "cannot be seen: " + why
	case told < len(results):
		return fmt.Sprintf("yes, as far as can be seen (%d of %d stories)", told, len(results))
	}
	return "yes"
}

// where says where goroutine 1 is, and which stages have it there. It returns "" if
// nobody saw it.
func (r *Report) where(results []Result) string {
	place := ""
	var fits []string
	for _, result := range results {
		place = cmp.Or(result.Goroutine1, place)
		for _, s := range Stages {
			if result.Passed() && s.Has(result.Behaviour()) {
				fits = append(fits, fmt.Sprint(s.Number))
			}
		}
	}
	switch {
	case place == "":
		return ""
	case len(fits) > 1:
		return place + ", as in stages " + strings.Join(fits, " and ")
	case len(fits) == 1:
		return place + ", as in stage " + fits[0]
	case r.Stage != nil:
		return fmt.Sprintf("%s, not as in stage %d", place, r.Stage.Number)
	}
	return place + ", as in no stage"
}

// undeciding are behaviours of which no story counts when it is decided which stage a
// server has reached. The command line is good manners, and a server's goroutine 1 may well
// be elsewhere in stages 3 to 5, if another goroutine accepts.
var undeciding = []string{"command-line", "accept-holds-a-thread", "accept-is-parked", "forgotten-await"}

// misses returns what came of the stories that keep the server from being like a stage,
// and how many stories count. Of what cannot be seen no story counts.
func (r *Report) misses(stage Stage) (misses []Result, counted int) {
	for _, result := range r.Results {
		unseen := result.Skipped != "" && !result.NotTold
		if unseen || !stage.Has(result.Behaviour()) || slices.Contains(undeciding, result.Behaviour()) {
			continue
		}
		counted++
		if !result.Passed() {
			misses = append(misses, result)
		}
	}
	return misses, counted
}

// nearest returns the stage of which more stories hold and fewer do not than of the
// others, or several of which as many do. The misses are those of the first.
func (r *Report) nearest() (near []Stage, misses []Result, counted int) {
	stages := Stages
	if r.Stage != nil {
		stages = []Stage{*r.Stage}
	}
	best := math.MinInt
	for _, stage := range stages {
		m, n := r.misses(stage)
		score := n - 2*len(m) // those that hold, less those that do not
		if score > best {
			near, misses, counted, best = nil, m, n, score
		}
		if score == best {
			near = append(near, stage)
		}
	}
	return near, misses, counted
}

// stageAfter returns the stage that comes after those near, which is the last one at most.
func stageAfter(near []Stage) Stage { return Stages[min(near[len(near)-1].Number, len(Stages)-1)] }

// Failures returns what failed of the stage that is nearest to the server, or, if the server
// is like that one, of the stage after it.
func (r *Report) Failures() []Result {
	near, misses, _ := r.nearest()
	stage := near[0]
	if len(misses) == 0 && r.Stage == nil {
		stage = stageAfter(near)
	}
	return slices.DeleteFunc(Failures(r.Results), func(r Result) bool { return !stage.Has(r.Behaviour()) })
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
	is := "is nearest to"
	if r.Stage != nil {
		is = "does not behave like"
	}
	first := fmt.Sprintf("%s %s stage %d: %d of %d stories hold. The first that does not:",
		who, is, near[0].Number, counted-len(misses), counted)
	if misses[0].Script == gate {
		first = who + " is like no stage yet:"
	}
	return first + "\n\n" + explain(misses, again, len(misses)), false
}

// reached says which stage a server is at that is like all those near.
func (r *Report) reached(who string, near []Stage) string {
	like, next := fmt.Sprintf("stage %d", near[0].Number), stageAfter(near)
	if len(near) > 1 { // stages 1 and 2, or 4 and 5, of a server that is not written in Go
		like = fmt.Sprintf("stages %d and %d, which nobody can tell apart from outside",
			near[0].Number, near[1].Number)
	}
	switch {
	case r.Stage != nil:
		return fmt.Sprintf("%s behaves like %s.\n", who, like)
	case next.Number == near[0].Number:
		return fmt.Sprintf("%s behaves like %s, which is the last one.\n", who, like)
	}
	return fmt.Sprintf("%s behaves like %s. What stage %d adds: %s. See %s\n",
		who, like, next.Number, next.Adds, next.Page())
}
