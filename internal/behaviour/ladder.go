package behaviour

import "slices"

// This file is the ladder as data: the order of the stories, what each stage can
// do, and which scripts decide it. The tests of the stages say the same in their
// own words, the proof measures it, and the README shows what was measured.

// A topic is stories that are about the same thing.
type topic struct {
	// does completes the sentence "the server no longer ...".
	does    string
	scripts []string
}

// topics are all stories, from the most basic to the most particular. Where several
// fail, the first of them in this order is the one to be told: it is the nearest to
// the cause.
var topics = []topic{
	{"serves its pages", []string{
		"pages/home", "pages/not-found", "pages/few-writes", "pages/slow", "pages/packets", "pages/cut-short", "pages/one-request",
		"pages/not-http", "pages/request-line", "pages/odd-headers", "pages/cookies", "pages/too-long", "pages/visitor-resets", "pages/visitors-leave", "pages/accept-fails",
	}},
	{"serves one visitor at a time", []string{
		"one-at-a-time/slow-request", "one-at-a-time/silent-visitor", "one-at-a-time/take-turns",
	}},
	{"serves many visitors at once", []string{
		"many-at-once/slow-request", "many-at-once/silent-visitor", "many-at-once/half-a-request",
		"many-at-once/fifty-slow-requests", "many-at-once/each-their-own",
	}},
	{"holds a thread while it waits", []string{
		"waiting-holds-a-thread/accept", "waiting-holds-a-thread/read", "waiting-holds-a-thread/silent-visitors",
	}},
	{"waits without holding a thread", []string{
		"waiting-is-free/accept", "waiting-is-free/silent-visitors",
	}},
	{"goes on when it can open no more files", []string{"many-at-once/no-descriptors-left"}},
	{"drops a visitor whose request does not come, and no other", []string{
		"waiting-is-free/slow-request-is-not-dropped", "waiting-is-free/silent-visitor-is-dropped",
		"waiting-is-free/chatterbox-is-dropped",
	}},
	{"ends at once when it is interrupted", []string{"waiting-holds-a-thread/interrupted"}},
	{"stops as it should when it is interrupted", []string{
		"waiting-is-free/interrupted-while-idle", "waiting-is-free/interrupted-while-serving",
		"waiting-is-free/terminated-while-serving", "waiting-is-free/interrupted-with-a-silent-visitor",
		"waiting-is-free/interrupted-as-a-request-comes", "waiting-is-free/interrupted-twice",
	}},
	{"serves each visitor in goroutine 1", []string{"goroutine-1-serves/slow-request"}},
	{"has goroutine 1 await the handler", []string{"goroutine-1-awaits/slow-request"}},
	{"is back in accept while it serves a visitor", []string{
		"accept-holds-a-thread/slow-request", "accept-is-parked/slow-request",
	}},
	{"has a handler that can be tested without a network", []string{"without-a-network/handler"}},
	{"has a command line that is easy to get right", []string{"command-line/mistakes"}},
	{"shows what a forgotten await does", []string{"forgotten-await/forgotten"}},
}

// Scripts returns the stories of the behaviours, or all stories if none is
// given, in the order of topics.
func Scripts(behaviours ...string) []string {
	var scripts []string
	for _, t := range topics {
		for _, script := range t.scripts {
			if len(behaviours) == 0 || slices.Contains(behaviours, Folder(script)) {
				scripts = append(scripts, script)
			}
		}
	}
	return scripts
}

// Behaviours returns the folders of testdata, in the order of topics.
func Behaviours() []string {
	var folders []string
	for _, script := range Scripts() {
		if !slices.Contains(folders, Folder(script)) {
			folders = append(folders, Folder(script))
		}
	}
	return folders
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
	{1, "stage1-blocking", "a server answers at all",
		[]string{"pages", "command-line", "one-at-a-time", "waiting-holds-a-thread", "goroutine-1-serves"}},
	{2, "stage2-sequential-async", "the handler runs in a goroutine of its own",
		[]string{"pages", "command-line", "one-at-a-time", "waiting-holds-a-thread", "goroutine-1-awaits", "forgotten-await"}},
	{3, "stage3-spawned", "no visitor waits for another",
		[]string{"pages", "command-line", "many-at-once", "waiting-holds-a-thread", "accept-holds-a-thread"}},
	{4, "stage4-nonblocking-accept", "waiting for a visitor holds no thread",
		[]string{"pages", "command-line", "many-at-once", "waiting-is-free", "accept-is-parked"}},
	{5, "stage5-testable", "the handler can be tested without a network",
		[]string{"pages", "command-line", "many-at-once", "waiting-is-free", "accept-is-parked", "without-a-network"}},
}

// A Row is a line of the ladder in a reader's words.
type Row struct {
	Says string
	// Of a server that the row is true of, all scripts of Yes pass; of one that it
	// is not true of, all of No. A row without a No is not true where Yes fails for
	// Reason, a regular expression.
	Yes, No []string
	Reason  string
}

// Ladder is the table that the README shows.
var Ladder = []Row{
	{
		Says:   "serves `/`, and 404 for the rest",
		Yes:    []string{"pages/home", "pages/not-found"},
		Reason: "gets no answer",
	}, {
		Says: "the handler runs in its own goroutine",
		Yes:  []string{"goroutine-1-awaits/slow-request|accept-holds-a-thread/slow-request|accept-is-parked/slow-request"},
		No:   []string{"goroutine-1-serves/slow-request"},
	}, {
		Says: "a slow request delays the next visitor",
		Yes:  []string{"one-at-a-time/slow-request", "one-at-a-time/take-turns"},
		No:   []string{"many-at-once/slow-request", "many-at-once/fifty-slow-requests"},
	}, {
		Says: "a silent visitor delays the next visitor",
		Yes:  []string{"one-at-a-time/silent-visitor"},
		No:   []string{"many-at-once/silent-visitor"},
	}, {
		Says: "waiting holds a thread",
		Yes:  []string{"waiting-holds-a-thread/accept", "waiting-holds-a-thread/read"},
		No:   []string{"waiting-is-free/accept"},
	}, {
		Says: "a silent visitor is dropped after a while",
		Yes:  []string{"waiting-is-free/silent-visitor-is-dropped"},
		No:   []string{"waiting-holds-a-thread/read"}, // which cannot be given an end
	}, {
		Says: "Ctrl-C lets the request in progress finish, then exits 0",
		Yes:  []string{"waiting-is-free/interrupted-while-serving", "waiting-is-free/interrupted-while-idle"},
		No:   []string{"waiting-holds-a-thread/interrupted"},
	}, {
		Says:   "the handler can be tested without a network",
		Yes:    []string{"without-a-network/handler"},
		Reason: `(cannot use .*|not enough arguments in call to handleConnection)`,
	},
}
