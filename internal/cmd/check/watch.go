package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

// pause is how long watch waits from one look at the files to the next.
const pause = 200 * time.Millisecond

// A watched folder is examined again whenever one of its files has changed.
type watched struct {
	folder string
	stage  *behaviour.Stage
	state  string // of the files when it was last examined
}

// watchAll examines what the options name, again and again, until it is interrupted.
func (c *checker) watchAll() {
	all := c.watched()
	for c.ctx.Err() == nil {
		for _, w := range all {
			state, err := fingerprint(w.folder)
			if err != nil {
				c.screen.println(err.Error())
				return
			}
			if state != w.state {
				w.state = state
				c.again(w)
			}
		}
		select {
		case <-c.ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (c *checker) watched() []*watched {
	switch {
	case c.server != "":
		return []*watched{{folder: c.server, stage: c.stage}}
	case c.stage != nil:
		return []*watched{{folder: filepath.Join(c.root, c.stage.Folder), stage: c.stage}}
	}
	var all []*watched
	for i, stage := range behaviour.Stages {
		all = append(all, &watched{folder: filepath.Join(c.root, stage.Folder), stage: &behaviour.Stages[i]})
	}
	return all
}

// again examines a folder and draws the screen.
func (c *checker) again(w *watched) {
	c.screen.clear()
	name := filepath.Base(w.folder)
	c.screen.println(fmt.Sprintf("%s, %s", name, time.Now().Format("15:04:05")))
	c.screen.println("")
	_, err := c.examine(w.folder, w.stage)
	build := (*server.BuildError)(nil)
	switch {
	case c.ctx.Err() != nil:
		return
	case errors.As(err, &build):
		c.screen.println(build.Output)
	case err != nil:
		c.screen.println(err.Error())
	}
	c.screen.progress("\nwatching; Ctrl-C ends it")
}

// fingerprint returns a text that changes when a file in the folder does.
func fingerprint(folder string) (string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", fmt.Errorf("There is no folder %s to watch.", folder)
	}
	hash := sha256.New()
	for _, entry := range entries {
		if !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		file, err := os.Open(filepath.Join(folder, entry.Name()))
		if err != nil {
			continue // an editor has just replaced it
		}
		fmt.Fprintln(hash, entry.Name())
		io.Copy(hash, file)
		file.Close()
	}
	return string(hash.Sum(nil)), nil
}
