package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

// A lab is a number of servers, and what all of them share. For each panel, and for itself,
// it has one message that says all there is to show. A browser gets each message that
// differs from what it has, so nothing is kept for a browser that is slow or not there.
type lab struct {
	ctx     context.Context
	root    *os.Root // the workbook's folder
	overlay string   // the file for go build -overlay
	panels  []*panel // fixed
	began   time.Time

	mu       sync.Mutex
	view     labView
	names    map[string]int // how many visitors of a kind have come so far
	messages []string       // the lab's own, and then the panels'

	examining  sync.Mutex // held while the stories are told about a server: one at a time
	predicting sync.Mutex // held while a question is answered
}

// labView is what the page shows beside the panels.
type labView struct {
	Slow       int         `json:"slow"`     // seconds that the slow request takes
	Patience   int         `json:"patience"` // seconds that a visitor may take to ask
	Prediction *prediction `json:"prediction"`
}

//go:embed goroutines.go.txt
var goroutinesFile []byte

// newLab makes a lab of the stages, or of one, and of a server of the reader's own
// if there is one, and begins to start them.
func newLab(ctx context.Context, folder, temp string, stage int, own string) (*lab, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	l := &lab{ctx: ctx, root: root, began: time.Now(), names: map[string]int{}, messages: make([]string, 1)}
	for i, s := range behaviour.Stages {
		if _, err := root.Stat(s.Folder); err != nil {
			return nil, fmt.Errorf("there is no %s here; run this in the workbook's folder", s.Folder)
		}
		if stage == 0 || stage == s.Number {
			l.add(s.Folder, &behaviour.Stages[i])
		}
	}
	if own != "" {
		l.add(own, nil)
	}
	l.update(func(v *labView) { v.Slow, v.Patience = 2, 6 })

	// The file that tells of goroutines is laid over each server's package. The server's
	// folder is not written to.
	l.overlay = filepath.Join(temp, "overlay.json")
	file, replace := filepath.Join(temp, "goroutines.go"), map[string]string{}
	for _, p := range l.panels {
		folder, _ := filepath.Abs(p.spec)
		replace[filepath.Join(folder, "lab_goroutines.go")] = file
	}
	overlay, _ := json.Marshal(map[string]any{"Replace": replace})
	err = errors.Join(os.WriteFile(file, goroutinesFile, 0o600), os.WriteFile(l.overlay, overlay, 0o600))
	if err != nil {
		return nil, err
	}
	for _, p := range l.panels {
		p.publish() // in order, because the page adds a panel when it hears of it
	}
	for _, p := range l.panels {
		go p.run()
		p.post(func() { p.rebuild(false) })
	}
	go l.watch()
	return l, nil
}

// watch has a panel build its server anew when a file of it has been saved.
func (l *lab) watch() {
	states := make([]string, len(l.panels))
	for l.ctx.Err() == nil {
		for i, p := range l.panels {
			state, err := server.Fingerprint(p.spec)
			if states[i] != state && states[i] != "" && err == nil {
				p.post(func() { p.rebuild(true) })
			}
			states[i] = state
		}
		time.Sleep(250 * time.Millisecond)
	}
}

// update changes the lab's own view, and publishes it.
func (l *lab) update(f func(v *labView)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.view)
	l.publish(0, "lab", l.view)
}

// publish makes a message of a view. The caller holds mu.
func (l *lab) publish(place int, event string, view any) {
	text, err := json.Marshal(view)
	if err != nil {
		panic(err) // nothing in a view can fail
	}
	l.messages[place] = fmt.Sprintf("event: %s\ndata: %s\n\n", event, text)
}

// invite names n visitors of a kind. The same visitor has the same name at all servers.
func (l *lab) invite(kind string, n int) (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		l.names[kind]++
		names = append(names, fmt.Sprintf("%s %d", kind, l.names[kind]))
	}
	return names
}

// times returns how long slow takes, and the patience.
func (l *lab) times() (slow, patience time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.view.Slow) * time.Second, time.Duration(l.view.Patience) * time.Second
}
