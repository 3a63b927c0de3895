package matrix

// A row is a line of the ladder in a reader's words.
type row struct {
	says string
	// Of a server that the row is true of, all stories of yes hold; of one that it is not
	// true of, all of no. One of them can be several with a | between them, one of which holds.
	yes, no string
	// A row without a no is not true where the stories of yes fail for a reason that matches.
	because string
}

// ladder is the table that the README shows.
var ladder = []row{
	{"serves `/`, and 404 for the rest", "pages/home manners/not-found", "", "gets no answer"},
	{"the handler runs in its own goroutine",
		"goroutine-1-awaits/slow-request|accept-holds-a-thread/slow-request|accept-is-parked/slow-request",
		"goroutine-1-serves/slow-request", ""},
	{"a slow request delays the next visitor",
		"one-at-a-time/slow-request one-at-a-time/take-turns",
		"many-at-once/slow-request many-at-once/fifty-slow-requests", ""},
	{"a silent visitor delays the next visitor",
		"one-at-a-time/silent-visitor", "many-at-once/silent-visitor", ""},
	{"waiting for a visitor holds a thread",
		"waiting-holds-a-thread/accept waiting-holds-a-thread/read", "waiting-is-free/accept", ""},
	{"a silent visitor is dropped after a while",
		"waiting-is-free/silent-visitor-is-dropped",
		"waiting-holds-a-thread/read", ""}, // which cannot be given an end
	{"Ctrl-C lets the request in progress finish, then exits 0",
		"waiting-is-free/interrupted-while-serving waiting-is-free/interrupted-while-idle",
		"waiting-holds-a-thread/interrupted", ""},
	{"the handler can be tested without a network", "without-a-network/handler", "",
		`(cannot use .*|not enough arguments in call to handleConnection)`},
}
