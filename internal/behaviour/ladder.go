package behaviour

import (
	"path"
	"slices"
	"strings"
)

// This file is the ladder as data: the order of the stories, and what each stage can do.
// The tests of the stages say the same in their own words, and the proof measures it.

// A topic is some stories of one behaviour.
type topic struct {
	does   string // completes the sentence "the server no longer ..."
	folder string // of testdata, which is the behaviour
	names  string // of the stories
}

// topics are all stories, from the most basic to the most particular. Where several
// fail, the first of them in this order is the one to be told: it is the nearest to
// the cause.
var topics = []topic{
	{"serves its pages", "pages", "home slow"},
	{"answers as HTTP asks", "manners", `not-found few-writes packets cut-short one-request not-http
		request-line odd-headers cookies too-long visitor-resets visitors-leave accept-fails`},
	{"serves one visitor at a time", "one-at-a-time", "slow-request silent-visitor take-turns"},
	{"serves many visitors at once", "many-at-once",
		"slow-request silent-visitor half-a-request fifty-slow-requests each-their-own"},
	{"holds a thread while it waits", "waiting-holds-a-thread", "accept read silent-visitors"},
	{"waits without holding a thread", "waiting-is-free", "accept silent-visitors"},
	{"goes on when it can open no more files", "many-at-once", "no-descriptors-left"},
	{"drops a visitor whose request does not come, and no other", "waiting-is-free",
		"slow-request-is-not-dropped silent-visitor-is-dropped chatterbox-is-dropped"},
	{"ends at once when it is interrupted", "waiting-holds-a-thread", "interrupted"},
	{"stops as it should when it is interrupted", "waiting-is-free",
		`interrupted-while-idle interrupted-while-serving terminated-while-serving
		interrupted-with-a-silent-visitor interrupted-as-a-request-comes interrupted-twice`},
	{"serves each visitor in goroutine 1", "goroutine-1-serves", "slow-request"},
	{"has goroutine 1 await the handler", "goroutine-1-awaits", "slow-request"},
	{"is back in accept while it serves a visitor", "accept-holds-a-thread", "slow-request"},
	{"is back in accept while it serves a visitor", "accept-is-parked", "slow-request"},
	{"has a handler that can be tested without a network", "without-a-network", "handler"},
	{"has a command line that is easy to get right", "command-line", "mistakes"},
	{"shows what a forgotten await does", "forgotten-await", "forgotten"},
}

// Scripts returns the stories of the behaviours, or all stories if none is
// given, in the order of topics, as in "many-at-once/slow-request".
func Scripts(behaviours ...string) []string {
	var scripts []string
	for _, t := range topics {
		if len(behaviours) == 0 || slices.Contains(behaviours, t.folder) {
			for name := range strings.FieldsSeq(t.names) {
				scripts = append(scripts, path.Join(t.folder, name))
			}
		}
	}
	return scripts
}

// A Stage is a rung of the ladder.
type Stage struct {
	Number int
	Folder string // its folder, and the name of its page
	// Adds says what this stage can do that the one before could not.
	Adds string
	// Behaviours are the folders of testdata whose stories hold of this stage.
	Behaviours []string
}

// Page is where to read about the stage.
func (s Stage) Page() string { return "docs/" + s.Folder + ".md" }

// Has says whether the stage has the behaviour.
func (s Stage) Has(behaviour string) bool { return slices.Contains(s.Behaviours, behaviour) }

// Stages are the five, from the first on.
var Stages = []Stage{
	{1, "stage1-blocking", "a server answers at all", []string{"pages", "manners", "command-line",
		"one-at-a-time", "waiting-holds-a-thread", "goroutine-1-serves"}},
	{2, "stage2-sequential-async", "the handler runs in a goroutine of its own", []string{"pages", "manners",
		"command-line", "one-at-a-time", "waiting-holds-a-thread", "goroutine-1-awaits", "forgotten-await"}},
	{3, "stage3-spawned", "no visitor waits for another", []string{"pages", "manners", "command-line",
		"many-at-once", "waiting-holds-a-thread", "accept-holds-a-thread"}},
	{4, "stage4-nonblocking-accept", "waiting for a visitor holds no thread", []string{"pages", "manners", "command-line",
		"many-at-once", "waiting-is-free", "accept-is-parked"}},
	{5, "stage5-testable", "the handler can be tested without a network", []string{"pages", "manners", "command-line",
		"many-at-once", "waiting-is-free", "accept-is-parked", "without-a-network"}},
}
