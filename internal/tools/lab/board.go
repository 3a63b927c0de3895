package main

import (
	"container/list"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"example.com/concurrent-web-server/internal/timeline"
)

// A board has all there is to show. A browser reads the entries that are newer than those it has read, so
// nothing is kept for a slow browser. It is safe for concurrent use.
type board struct {
	mu      sync.Mutex
	seq     int                      // of the last entry
	entries list.List                // of entry, in the order of their seq
	newest  map[string]*list.Element // of entries, by key
}

// An entry is an event for the browsers. It replaces the entry before it that has the same key.
type entry struct {
	seq  int
	key  string
	text string
	at   int64 // a time of the lab's clock; 0 if the entry is kept for good
}

const remembered = 5 * time.Minute

func newBoard() *board { return &board{newest: map[string]*list.Element{}} }

// put puts an entry on the board, unless it is there already. With a time of the lab's clock that is not 0,
// the entry is forgotten five minutes later.
func (b *board) put(key, event string, shown any, at int64) {
	data, _ := json.Marshal(shown) // nothing that is shown can fail
	text := fmt.Sprintf("event: %s\ndata: %s\n\n", event, data)
	b.mu.Lock()
	defer b.mu.Unlock()
	if old, ok := b.newest[key]; ok {
		if old.Value.(entry).text == text {
			return
		}
		b.entries.Remove(old)
	}
	b.seq++
	b.newest[key] = b.entries.PushBack(entry{b.seq, key, text, at})
	for e, next := b.entries.Front(), (*list.Element)(nil); at > 0 && e != nil; e = next {
		old := e.Value.(entry)
		if next = e.Next(); old.at >= at-remembered.Milliseconds() {
			break // all after it are newer, or kept
		}
		if old.at > 0 {
			b.entries.Remove(e)
			delete(b.newest, old.key)
		}
	}
}

// since returns what has changed after a sequence number, in the order in which it is to be read, and
// the sequence number of the last change.
func (b *board) since(seq int) (news string, now int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := (*list.Element)(nil)
	for e := b.entries.Back(); e != nil && e.Value.(entry).seq > seq; e = e.Prev() {
		first = e
	}
	var text strings.Builder
	for e := first; e != nil; e = e.Next() {
		text.WriteString(e.Value.(entry).text)
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
