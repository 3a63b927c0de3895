package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

// pause is how long watch waits from one look at the files to the next.
const pause = 200 * time.Millisecond

// A watched server is examined again whenever one of its files has changed.
type watched struct {
	spec  string
	stage *behaviour.Stage
	files string // the fingerprint of its files when it was last examined
	at    string // when that was
	text  string // what came of it
	ok    bool
}

// watchAll examines what the options name, again and again, until it is interrupted.
func (c *checker) watchAll() error {
	all := c.watched()
	for c.ctx.Err() == nil {
		for _, w := range all {
			files, err := server.Fingerprint(w.spec)
			if err != nil {
				return err
			}
			if files != w.files && c.ctx.Err() == nil {
				w.files = files
				c.reexamine(w, all)
			}
		}
		select {
		case <-c.ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

func (c *checker) watched() []*watched {
	switch {
	case c.server != "":
		return []*watched{{spec: c.server, stage: c.stage}}
	case c.stage != nil:
		return []*watched{{spec: filepath.Join(c.root, c.stage.Folder), stage: c.stage}}
	}
	var all []*watched
	for i, stage := range behaviour.Stages {
		all = append(all, &watched{spec: filepath.Join(c.root, stage.Folder), stage: &behaviour.Stages[i]})
	}
	return all
}

// reexamine examines one of the servers, and shows what came of all of them.
func (c *checker) reexamine(w *watched, all []*watched) {
	w.at, w.text = time.Now().Format("15:04:05"), ""
	c.show(all)
	text, ok, err := c.examine(w.spec, w.stage)
	if c.ctx.Err() != nil {
		return
	}
	w.text, w.ok = text, ok && err == nil
	if err != nil {
		w.text = err.Error()
	}
	if c.screen.live {
		c.show(all)
		c.screen.progress("\nwatching; Ctrl-C ends it")
		return
	}
	c.screen.println(w.name() + ", " + w.at + "\n\n" + w.text + "\n")
}

// show draws the screen: all that is known of one server, or, of several, a line for
// each, and all of the first that is not as it should be.
func (c *checker) show(all []*watched) {
	if !c.screen.live {
		return
	}
	c.screen.clear()
	if len(all) == 1 {
		c.screen.println(all[0].name() + ", " + all[0].at + "\n\n" + all[0].text)
		return
	}
	full := ""
	for _, w := range all {
		says := "is asked ..."
		switch {
		case w.at == "":
			says = ""
		case w.ok && w.text != "":
			says = "as it should be"
		case w.text != "":
			says = "not as it should be"
			if full == "" {
				full = "\n" + w.text
			}
		}
		c.screen.println(fmt.Sprintf("%-28s %8s  %s", w.name(), w.at, says))
	}
	c.screen.println(full)
}

func (w *watched) name() string {
	if strings.Contains(w.spec, " ") {
		return w.spec
	}
	return filepath.Base(w.spec)
}
