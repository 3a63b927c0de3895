package behaviour

import (
	"fmt"
	"slices"
	"strings"
)

// A Standing is the place of a server on the ladder. The scripts about manners have no part in it.
type Standing struct {
	// Stage is the number of the highest stage that the server has all of, or 0.
	Stage int
	// Place completes the sentence "The server ...", as in "is at stage 3".
	Place string
	// Next is the stage to aim at, or nil after the last one.
	Next *Stage
	// Asks says what Next asks that the server does not do, each as in "it stops in good order".
	Asks []string
	// First is the result of the script that should be made to hold first, or nil if none fails.
	First *Result
}

// adds holds for each stage the behaviour that distinguishes it from the stage before.
var adds = []string{"pages", "goroutine-1-awaits", "many-at-once", "waiting-is-free", "without-a-network"}

// Place finds a server's place on the ladder by the results of all scripts. An undecided script
// does not count, nor does one in which a server that serves many visitors has ended.
func Place(results []Result) Standing {
	inDoubt := func(r Result) bool { return doubt(r) != "" }
	counts := slices.DeleteFunc(slices.Clone(results), inDoubt)
	for i, r := range counts {
		// The script itself holds. Other scripts are about how the server ends.
		if r.GoesOn && aboutWaiting(r) {
			counts[i].Failed = false
		}
	}
	s := place(counts)
	if i := slices.IndexFunc(results, inDoubt); i >= 0 && s.Stage > 0 {
		s.Place += doubt(results[i])
		s.First = &results[i]
	}
	return s
}

// aboutWaiting says whether the script is about visitors who wait for each other.
func aboutWaiting(r Result) bool {
	return r.Behaviour() == "many-at-once" || r.Behaviour() == "one-at-a-time"
}

// doubt returns what a script that does not count adds to the sentence about the place, or "".
func doubt(r Result) string {
	switch {
	case !aboutWaiting(r):
	case r.Undecided:
		return ", as far as that could be decided"
	case r.Died && r.Behaviour() == "many-at-once":
		return ". But some visitors make it end"
	}
	return ""
}

func place(results []Result) Standing {
	died := slices.IndexFunc(results, func(r Result) bool {
		return r.Died && (r.Behaviour() == "pages" || r.Behaviour() == "one-at-a-time")
	})
	switch {
	case died >= 0:
		return Standing{Place: "is not on the ladder yet: it ends while it serves", First: &results[died]}
	case stageHolds(1, results) != Yes:
		return standing(0, "is not on the ladder yet", 1, results)
	case stageHolds(3, results) == Yes && silentVisitorsFillIt(results) != nil:
		s := standing(1, "is between stages 1 and 3: fewer than 300 silent visitors keep others waiting", 3, results)
		s.First = silentVisitorsFillIt(results)
		return s
	case stageHolds(3, results) == Yes:
		return placeConcurrent(results)
	case allHold(strings.Join(Scripts("one-at-a-time"), " "), results) != Yes:
		return standing(1, "is between stages 1 and 3: "+between(results), 3, results)
	}
	switch stageHolds(2, results) {
	case Unseen:
		return standing(2, "is at stage 1, or 2: nobody can tell these apart from outside", 3, results)
	case Yes:
		return standing(2, "is at stage 2", 3, results)
	}
	return standing(1, "is at stage 1", 2, results)
}

// silentVisitorsFillIt returns the result of the script with 300 silent visitors if no other
// visitor is served meanwhile, and nil otherwise. So the limit of a pool of threads is found without a
// slow page.
func silentVisitorsFillIt(results []Result) *Result {
	const threads, free = "thread-per-visitor/silent-visitors", "waiting-is-free/silent-visitors"
	if allHold(threads, results) != No || allHold(free, results) != No {
		return nil
	}
	i := slices.IndexFunc(results, func(r Result) bool { return r.Script == free })
	if !results[i].Stuck {
		return nil
	}
	return &results[i]
}

// placeConcurrent places a server that serves many visitors at once.
func placeConcurrent(results []Result) Standing {
	asked := false
	for _, g := range groups {
		asked = asked || g.folder == adds[3] && g.hold(results) == No
	}
	switch {
	case asked && allHold(Rows[waitHolds].no, results) == Yes:
		return standing(3, "is past stage 3: a wait holds no thread", 4, results)
	case asked:
		return standing(3, "is at stage 3", 4, results)
	}
	seen := allHold("waiting-is-free/silent-visitor-is-dropped", results) == Yes &&
		allHold("waiting-is-free/interrupted-while-serving", results) == Yes
	if !seen {
		return standing(3, "is past stage 3: a wait holds no thread. What else stage 4 asks cannot all be seen of it", 4, results)
	}
	switch stageHolds(5, results) {
	case Yes:
		return standing(5, "is at stage 5, which is the last one", 0, results)
	case Unseen:
		return standing(4, "is at stage 4; what stage 5 adds shows in the source of a Go program only", 0, results)
	}
	return standing(4, "is at stage 4", 5, results)
}

// between describes a server that serves its visitors neither one after another nor all at once.
func between(results []Result) string {
	slow, silent := Rows[slowDelays].Holds(results), Rows[silentDelays].Holds(results)
	limit := 0
	for _, r := range results {
		limit = max(limit, r.AtATime)
	}
	switch {
	case slow == Yes && silent == No:
		return "silent visitors delay nobody, and one slow request delays everybody: it blocks the event loop"
	case slow == No && silent == Yes:
		return "a slow request delays nobody, and a silent visitor delays everybody"
	case slow == No && limit > 1:
		return fmt.Sprintf("it serves %d at a time", limit)
	}
	return "some visitors wait for others"
}

// stageHolds says whether the server has what the stage adds.
func stageHolds(number int, results []Result) string {
	return allHold(strings.Join(Scripts(adds[number-1]), " "), results)
}

// standing makes a Standing, with the scripts and groups that fail of those that the next stage
// adds. If next is 0 there is no next stage.
func standing(number int, place string, next int, results []Result) Standing {
	s := Standing{Stage: number, Place: place}
	if next == 0 {
		return s
	}
	s.Next = &Stages[next-1]
	for _, g := range groups {
		if g.folder == adds[next-1] && g.hold(results) == No {
			s.Asks = append(s.Asks, "it "+g.does)
		}
	}
	if i := slices.IndexFunc(results, func(r Result) bool { return r.Failed && r.Behaviour() == adds[next-1] }); i >= 0 {
		s.First = &results[i]
	}
	return s
}
