package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

// A lab is a number of servers, and what all of them share. What the page shows is
// the panels' views and the lab's; a browser gets each whenever it has changed, and
// draws it. So nothing is kept for a browser that is not there, or that is slow.
type lab struct {
	ctx     context.Context
	root    string   // the workbook's folder
	overlay string   // the file for go build -overlay
	panels  []*panel // fixed
	began   time.Time

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, when something has changed
	view    labView
	version int
	names   map[string]int // how many visitors of a kind have come so far

	examining sync.Mutex // stories are told about one server at a time
}

// labView is what the page shows beside the panels.
type labView struct {
	Slow       int         `json:"slow"`     // seconds that the slow request takes
	Patience   int         `json:"patience"` // seconds that a visitor may take to ask
	Prediction *prediction `json:"prediction,omitempty"`
}

//go:embed goroutines.go.txt
var goroutinesFile []byte

// newLab makes a lab of the stages, or of one, and of a server of the reader's own
// if there is one, and begins to start them.
func newLab(ctx context.Context, root, temp string, stage int, own string) (*lab, error) {
	l := &lab{ctx: ctx, root: root, began: time.Now(), changed: make(chan struct{}),
		view: labView{Slow: 2, Patience: 6}, names: map[string]int{}}
	l.overlay = filepath.Join(temp, "goroutines.go")
	if err := os.WriteFile(l.overlay, goroutinesFile, 0o600); err != nil {
		return nil, err
	}
	for i, s := range behaviour.Stages {
		folder := filepath.Join(root, s.Folder)
		if _, err := os.Stat(folder); err != nil {
			return nil, fmt.Errorf("there is no %s; run this in the workbook's folder", folder)
		}
		if stage == 0 || stage == s.Number {
			l.add(folder, &behaviour.Stages[i])
		}
	}
	if own != "" {
		l.add(own, nil)
	}
	go l.watch()
	return l, nil
}

// overlayFlag returns the flag that lays the file that tells of goroutines over
// a folder's package. The folder itself is not written to.
func (l *lab) overlayFlag(folder string) (string, error) {
	replace := map[string]map[string]string{"Replace": {filepath.Join(folder, "lab_goroutines.go"): l.overlay}}
	text, err := json.Marshal(replace)
	if err != nil {
		return "", err
	}
	file := filepath.Join(filepath.Dir(l.overlay), "overlay-"+filepath.Base(folder)+".json")
	return "-overlay=" + file, os.WriteFile(file, text, 0o600)
}

// watch has a panel build its server anew when a file of it has been saved.
func (l *lab) watch() {
	states := make([]string, len(l.panels))
	for l.ctx.Err() == nil {
		for i, p := range l.panels {
			state, err := server.Fingerprint(p.spec)
			if states[i] != state && states[i] != "" && err == nil {
				go p.rebuild(true)
			}
			states[i] = state
		}
		select {
		case <-l.ctx.Done():
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// stage returns the panel of a stage, or nil.
func (l *lab) stage(number int) *panel {
	i := slices.IndexFunc(l.panels, func(p *panel) bool { return p.stage != nil && p.stage.Number == number })
	if i < 0 {
		return nil
	}
	return l.panels[i]
}

// change changes a view, and tells all browsers.
func (l *lab) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

// The requests of the visitors, by kind. One who sends half a request goes on waiting
// for an answer.
var requests = map[string]string{
	"quick":  visitor.Request("GET", "/"),
	"slow":   visitor.Request("GET", "/sleep"),
	"silent": "",
	"half":   "GET / HTTP/1.1\r\nHost: local",
}

// A guest is a visitor who is to be sent.
type guest struct{ name, request string }

// guests names n visitors of a kind. The same visitor has the same name at all servers.
func (l *lab) guests(kind string, n int) []guest {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []guest
	for range n {
		l.names[kind]++
		all = append(all, guest{fmt.Sprintf("%s %d", kind, l.names[kind]), requests[kind]})
	}
	return all
}

// set has all servers started anew with other times.
func (l *lab) set(slow, patience int) {
	l.change(func() {
		l.view.Slow, l.view.Patience = min(max(slow, 1), 10), min(max(patience, 1), 10)
		l.version++
	})
	for _, p := range l.panels {
		p.post(p.restart)
	}
}

func (l *lab) times() (slow, patience time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.view.Slow) * time.Second, time.Duration(l.view.Patience) * time.Second
}
