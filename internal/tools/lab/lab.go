package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/watch"
)

// A lab is a number of servers, and what all of them share. For each panel, and for the last
// prediction, it has one message that says all there is to show. A browser gets each message
// that differs from what it has, so nothing is kept for a browser that is slow or not there.
type lab struct {
	root    *os.Root // the workbook's folder, which is the working directory
	overlay string   // the file for go build -overlay
	panels  []*panel // fixed
	began   time.Time
	// questions are those of page/questions.json, which has the words for the reader as well.
	questions []question

	mu       sync.Mutex
	names    map[string]int // how many visitors of a kind have come so far
	messages []string       // the prediction's, and then the panels'

	examining  sync.Mutex // held while the stories are told about a server: one at a time
	predicting sync.Mutex // held while a question is answered
}

// newLab makes a lab of the stages, or of the one with a number, and of a server of the reader's own
// if there is one, and begins to start them.
func newLab(temp string, number int, own string) (*lab, error) {
	root, err := os.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	stages := slices.Clone(behaviour.Stages)
	if number > 0 {
		stages = stages[number-1 : number]
	}
	if own != "" {
		stages = append(stages, behaviour.Stage{Folder: own, Adds: "your own server"})
	}
	l := &lab{root: root, began: time.Now(), names: map[string]int{}, messages: make([]string, 1+len(stages))}

	// The file that tells of goroutines is laid over each server's package. The server's
	// folder is not written to.
	l.overlay = filepath.Join(temp, "overlay.json")
	file, replace := filepath.Join(temp, "goroutines.go"), map[string]string{}
	for i, s := range stages {
		if _, err := root.Stat(s.Folder); err != nil && s.Number > 0 {
			return nil, fmt.Errorf("there is no %s here; run this in the workbook's folder", s.Folder)
		}
		folder, _ := filepath.Abs(s.Folder)
		replace[filepath.Join(folder, "lab_goroutines.go")] = file
		l.panels = append(l.panels, &panel{ID: i, Stage: s, run: run{State: "building"}, lab: l,
			calls: make(chan func(), 16), cancel: func() {}, Slow: 2, Patience: 6})
	}
	overlay, _ := json.Marshal(map[string]any{"Replace": replace})
	goroutines, _ := files.ReadFile("goroutines.go.txt")
	questions, _ := files.ReadFile("page/questions.json")
	err = errors.Join(json.Unmarshal(questions, &l.questions),
		os.WriteFile(file, goroutines, 0o600), os.WriteFile(l.overlay, overlay, 0o600))
	if err != nil {
		return nil, err
	}
	for _, p := range l.panels {
		l.update(1+p.ID, "panel", p, func() {})
		go p.loop()
		p.calls <- func() { p.rebuild(false) }
	}
	go l.watch()
	return l, nil
}

// watch has a panel build its server anew when a file of it has been saved.
func (l *lab) watch() {
	states := make([]string, len(l.panels))
	for range time.Tick(250 * time.Millisecond) {
		for i, p := range l.panels {
			state, err := watch.Fingerprint(p.Stage.Folder)
			if states[i] != state && states[i] != "" && err == nil {
				p.calls <- func() { p.rebuild(true) }
			}
			states[i] = state
		}
	}
}

// update calls change, and then makes a message of what is to be shown. Meanwhile no other message is
// made or sent.
func (l *lab) update(place int, event string, shown any, change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	text, _ := json.Marshal(shown) // nothing that is shown can fail
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
