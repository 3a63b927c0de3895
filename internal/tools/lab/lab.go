package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/watch"
)

// A lab is a number of servers, and what all of them share.
type lab struct {
	root   *os.Root // the workbook's folder, which is the working directory
	panels []*panel // fixed
	scenes []scene
	clock  clock
	board  *board
	pace   time.Duration // from one step of a scene to the next, at least, so that one can follow

	mu      sync.Mutex
	playing *performance // or nil

	examining sync.Mutex // held while the scripts are run for a server: one at a time
}

//go:embed scenes.json
var scenesFile []byte

// newLab makes a lab of servers, and begins to start them.
func newLab(stages []behaviour.Stage) (*lab, error) {
	root, err := os.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	l := &lab{root: root, board: newBoard(), pace: 1500 * time.Millisecond}
	if err := json.Unmarshal(scenesFile, &l.scenes); err != nil {
		return nil, err
	}
	for i, s := range stages {
		if _, err := os.Stat(s.Folder); err != nil && s.Number > 0 {
			return nil, fmt.Errorf("there is no %s here; run this in the workbook's folder", s.Folder)
		}
		l.panels = append(l.panels, &panel{ID: i, lab: l, calls: make(chan func(), 16), cancel: func() {},
			Stage: s, run: run{State: "building"}, Slow: 2, Patience: 6})
	}
	l.board.put("lab", "lab", map[string]any{"scenes": l.scenes}, 0)
	for _, p := range l.panels {
		go p.loop()
		p.calls <- p.rebuild
	}
	go l.watch()
	return l, nil
}

// watch makes a panel build its server anew when a file of it has been saved.
func (l *lab) watch() {
	states := make([]string, len(l.panels))
	for range time.Tick(250 * time.Millisecond) {
		for i, p := range l.panels {
			state := watch.Fingerprint(p.Stage.Folder)
			if states[i] != state && states[i] != "" && state != "" {
				l.end(errors.New("A file was saved meanwhile."))
				p.calls <- p.rebuild
			}
			states[i] = state
		}
	}
}

// A clock tells how long the lab has run. It stands still while the lab is stopped, or the machine
// is asleep. It is safe for concurrent use.
type clock struct {
	mu   sync.Mutex
	last time.Time
	now  time.Duration
}

// Now is called many times a second, by the panels.
func (c *clock) Now() time.Duration {
	const stopped = time.Second // between two calls
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if step := now.Sub(c.last); step < stopped {
		c.now += step
	}
	c.last = now
	return c.now
}

// ms is Now in milliseconds, and never 0.
func (c *clock) ms() int64 { return max(c.Now().Milliseconds(), 1) }
