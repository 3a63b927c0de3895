package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/concurrent-web-server/internal/timeline"
)

// A board has all there is to show. A browser reads what is new since it last did, so nothing is
// kept for one that is slow or not there. It is safe for concurrent use.
type board struct {
	mu       sync.Mutex
	seq      int       // of the last change
	messages []message // fixed places
	pasts    []past    // one for each panel
}

// A message says one thing, whole: the newest replaces the one before.
type message struct {
	text string
	seq  int
}

// A past is what happened to the visitors of a panel, and what was seen of its server, in the last
// five minutes.
type past struct {
	lanes   []*lane                    // in the order in which they came
	samples []sample                   // in the order in which they were seen
	fields  map[string]json.RawMessage // of the last one
	trimmed int64                      // when what is too old was forgotten last
}

const (
	remembered  = 5 * time.Minute
	mostLanes   = 1000 // of a past
	mostSamples = 2000
)

// A lane is one visitor. Times are in milliseconds of the lab's clock, 0 for what has not
// happened.
type lane struct {
	N        int           `json:"n"`
	Name     string        `json:"name"`
	Arrived  int64         `json:"arrived"`
	Accepted int64         `json:"accepted,omitempty"`
	Served   int64         `json:"served,omitempty"`
	Over     int64         `json:"over,omitempty"`
	Kind     timeline.Kind `json:"kind"` // what happened last

	kind string // as in "silent"
	seq  int
}

// A sample is what was seen of a server at one time. It holds until the next.
type sample struct {
	At    int64  `json:"at"`
	State string `json:"state"` // building, running, ended or failed
	Says  string `json:"says"`  // what is odd about it, or how it ended
	goroutines
	Threads  int                   `json:"threads"`
	Here     int                   `json:"here"`
	More     int                   `json:"more"`     // of those, the visitors without a lane
	Accepted int                   `json:"accepted"` // connections that it holds; -1 if that cannot be seen
	Each     int                   `json:"each"`     // bytes of memory for each of those; 0 if there are few
	Counts   map[timeline.Kind]int `json:"counts"`   // how visits have ended

	news string // the fields that differ from the sample before, as JSON
	seq  int
}

// Places on the board. A panel with an ID has two more, from inPanels+2*ID on.
const (
	theScenes = iota
	theScene
	inPanels
)

func newBoard(panels int) *board {
	return &board{messages: make([]message, inPanels+2*panels), pasts: make([]past, panels)}
}

// show puts a message on the board, unless it is there already.
func (b *board) show(place int, event string, shown any) {
	text, _ := json.Marshal(shown) // nothing that is shown can fail
	b.mu.Lock()
	defer b.mu.Unlock()
	if all := fmt.Sprintf("event: %s\ndata: %s\n\n", event, text); all != b.messages[place].text {
		b.seq++
		b.messages[place] = message{all, b.seq}
	}
}

// addLane adds a lane to a panel's past.
func (b *board) addLane(panel int, l *lane) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &b.pasts[panel]
	b.seq++
	l.seq = b.seq
	p.lanes = append(p.lanes, l)
}

// changeLane has change change a lane of a panel's past.
func (b *board) changeLane(l *lane, change func(l *lane)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(l)
	b.seq++
	l.seq = b.seq
}

// addSample adds a sample to a panel's past, unless it says the same as the one before.
func (b *board) addSample(panel int, s sample) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &b.pasts[panel]
	text, _ := json.Marshal(s)
	var fields map[string]json.RawMessage
	json.Unmarshal(text, &fields)
	var news []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !bytes.Equal(fields[name], p.fields[name]) {
			news = append(news, fmt.Sprintf("%q:%s", name, fields[name]))
		}
	}
	if len(news) <= 1 && p.fields != nil { // the time
		return
	}
	b.seq++
	p.fields = fields
	s.news, s.seq = "{"+strings.Join(news, ",")+"}", b.seq
	p.samples = append(p.samples, s)
	const often = 5000 // ms
	if s.At < p.trimmed+often {
		return
	}
	p.trimmed = s.At
	old := len(p.samples) - mostSamples
	for i := 1; i < len(p.samples) && p.samples[i].At < s.At-remembered.Milliseconds(); i++ {
		old = max(old, i)
	}
	p.samples = slices.Delete(p.samples, 0, max(old, 0))
	tooMany := len(p.lanes) - mostLanes
	p.lanes = slices.DeleteFunc(p.lanes, func(l *lane) bool {
		tooMany--
		return l.Over > 0 && (tooMany >= 0 || l.Over < s.At-remembered.Milliseconds())
	})
}

// since returns what has changed after a sequence number, in the order in which it is to be read, and
// the sequence number of the last change.
func (b *board) since(seq int) (news string, now int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if seq == b.seq {
		return "", seq
	}
	var text strings.Builder
	for i, m := range b.messages {
		if m.seq > seq && i != theScene {
			text.WriteString(m.text)
		}
	}
	for i := range b.pasts {
		lanes, samples := b.pasts[i].since(seq)
		if len(lanes)+len(samples) > 0 {
			fmt.Fprintf(&text, "event: past\ndata: {\"id\":%d,\"lanes\":[%s],\"samples\":[%s]}\n\n",
				i, strings.Join(lanes, ","), strings.Join(samples, ","))
		}
	}
	if m := b.messages[theScene]; m.seq > seq {
		text.WriteString(m.text)
	}
	return text.String(), b.seq
}

func (p *past) since(seq int) (lanes, samples []string) {
	for _, l := range p.lanes {
		if l.seq > seq {
			text, _ := json.Marshal(l)
			lanes = append(lanes, string(text))
		}
	}
	i, _ := slices.BinarySearchFunc(p.samples, seq+1, func(s sample, seq int) int { return s.seq - seq })
	for j, s := range p.samples[i:] {
		if seq == 0 && j == 0 {
			whole, _ := json.Marshal(s) // the browser has none before it
			s.news = string(whole)
		}
		samples = append(samples, s.news)
	}
	return lanes, samples
}

// between returns copies of a panel's lanes of visitors who came between two times, and of its samples of those
// times, from the one that held at the first of them on.
func (b *board) between(panel int, from, to int64) (lanes []lane, samples []sample) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.pasts[panel].lanes {
		if l.Arrived >= from && l.Arrived <= to {
			lanes = append(lanes, *l)
		}
	}
	for _, s := range b.pasts[panel].samples {
		if s.At <= from {
			samples = samples[:0]
		}
		if s.At <= to {
			samples = append(samples, s)
		}
	}
	return lanes, samples
}
