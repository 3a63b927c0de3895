package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/concurrent-web-server/internal/timeline"
)

// A board has all there is to show. A browser reads what is new since it last did, so nothing is
// kept for one that is slow or not there. It is safe for concurrent use.
type board struct {
	mu      sync.Mutex
	seq     int            // of the last entry
	entries []entry        // in the order of their seq
	newest  map[string]int // the seq of the entry that is valid, by key
}

// An entry is an event for the browsers. It replaces the one before that has the same key.
type entry struct {
	seq   int
	key   string
	text  string
	until int64 // when it is too old to be kept, in milliseconds of the lab's clock; or 0
}

const (
	remembered = 5 * time.Minute
	mostOld    = 1000 // entries that are not valid, or too old
)

func newBoard() *board { return &board{newest: map[string]int{}} }

// put puts an entry on the board, unless it is there already. With since, a time of the lab's clock,
// the entry is forgotten five minutes later.
func (b *board) put(key, event string, shown any, since int64) {
	data, _ := json.Marshal(shown) // nothing that is shown can fail
	e := entry{key: key, text: fmt.Sprintf("event: %s\ndata: %s\n\n", event, data)}
	if since > 0 {
		e.until = since + remembered.Milliseconds()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i, ok := b.find(b.newest[key]); ok && b.entries[i].text == e.text {
		return
	}
	b.seq++
	e.seq, b.newest[key] = b.seq, b.seq
	b.entries = append(b.entries, e)
	if old := b.entries[min(mostOld, len(b.entries)-1)]; len(b.entries) > len(b.newest)+mostOld || old.until > 0 && old.until < since {
		b.forget(since)
	}
}

// find returns where the first entry is that has a sequence number, or a greater one.
func (b *board) find(seq int) (i int, found bool) {
	return slices.BinarySearchFunc(b.entries, seq, func(e entry, seq int) int { return cmp.Compare(e.seq, seq) })
}

// forget forgets the entries that are not valid any more, and those that are too old.
func (b *board) forget(now int64) {
	b.entries = slices.DeleteFunc(b.entries, func(e entry) bool {
		if e.until > 0 && e.until < now && b.newest[e.key] == e.seq {
			delete(b.newest, e.key)
		}
		return b.newest[e.key] != e.seq
	})
}

// since returns what has changed after a sequence number, in the order in which it is to be read, and
// the sequence number of the last change.
func (b *board) since(seq int) (news string, now int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var text strings.Builder
	first, _ := b.find(seq + 1)
	for _, e := range b.entries[first:] {
		if b.newest[e.key] == e.seq {
			text.WriteString(e.text)
		}
	}
	return text.String(), b.seq
}

// A lane is one visitor. Times are in milliseconds of the lab's clock, 0 for what has not
// happened.
type lane struct {
	ID       int           `json:"id"` // of the panel
	N        int           `json:"n"`
	Name     string        `json:"name"`
	Arrived  int64         `json:"arrived"`
	Accepted int64         `json:"accepted,omitempty"`
	Served   int64         `json:"served,omitempty"`
	Over     int64         `json:"over,omitempty"`
	Kind     timeline.Kind `json:"kind"` // what happened last
}

// requests returns the kind of the visitor, as in "slow".
func (l lane) requests() string {
	kind, _, _ := strings.Cut(l.Name, " ")
	return kind
}

// A sample is what was seen of a server at one time. It holds until the next.
type sample struct {
	ID     int    `json:"id"` // of the panel
	At     int64  `json:"at"`
	State  string `json:"state"`  // building, running, ended or failed
	Status string `json:"status"` // how it ended, or what else a reader should know
	goroutines
	Threads  int                   `json:"threads"`
	Here     int                   `json:"here"`
	More     int                   `json:"more"`     // of those, the visitors without a lane
	Accepted int                   `json:"accepted"` // connections that it holds; -1 if that cannot be seen
	Each     int                   `json:"each"`     // bytes of memory for each of those; 0 if there are few
	Counts   map[timeline.Kind]int `json:"counts"`   // how visits have ended
}
