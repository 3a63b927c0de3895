package matrix

// A row is a line of the ladder in a reader's words.
type row struct {
	says string
	// Of a server that the row is true of, all stories of yes hold; of one that it is
	// not true of, all of no. A row without a no is not true where the stories of yes fail
	// for a reason that matches because.
	yes, no []string
	because string
}

// ladder is the table that the README shows.
var ladder = []row{
	{
		says:    "serves `/`, and 404 for the rest",
		yes:     []string{"pages/home", "pages/not-found"},
		because: "gets no answer",
	}, {
		says: "the handler runs in its own goroutine",
		yes:  []string{"goroutine-1-awaits/slow-request|accept-holds-a-thread/slow-request|accept-is-parked/slow-request"},
		no:   []string{"goroutine-1-serves/slow-request"},
	}, {
		says: "a slow request delays the next visitor",
		yes:  []string{"one-at-a-time/slow-request", "one-at-a-time/take-turns"},
		no:   []string{"many-at-once/slow-request", "many-at-once/fifty-slow-requests"},
	}, {
		says: "a silent visitor delays the next visitor",
		yes:  []string{"one-at-a-time/silent-visitor"},
		no:   []string{"many-at-once/silent-visitor"},
	}, {
		says: "waiting holds a thread",
		yes:  []string{"waiting-holds-a-thread/accept", "waiting-holds-a-thread/read"},
		no:   []string{"waiting-is-free/accept"},
	}, {
		says: "a silent visitor is dropped after a while",
		yes:  []string{"waiting-is-free/silent-visitor-is-dropped"},
		no:   []string{"waiting-holds-a-thread/read"}, // which cannot be given an end
	}, {
		says: "Ctrl-C lets the request in progress finish, then exits 0",
		yes:  []string{"waiting-is-free/interrupted-while-serving", "waiting-is-free/interrupted-while-idle"},
		no:   []string{"waiting-holds-a-thread/interrupted"},
	}, {
		says:    "the handler can be tested without a network",
		yes:     []string{"without-a-network/handler"},
		because: `(cannot use .*|not enough arguments in call to handleConnection)`,
	},
}
