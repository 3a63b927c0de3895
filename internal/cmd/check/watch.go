package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/server"
)

// pause is how long watch waits from one look at the files to the next.
const pause = 200 * time.Millisecond

// watch examines the targets, and again whenever one of their files has changed, until
// it is interrupted.
func (c *checker) watch(all []*target) error {
	for ; c.ctx.Err() == nil; time.Sleep(pause) {
		for _, t := range all {
			files, err := server.Fingerprint(t.spec)
			if err != nil {
				return err
			}
			if files != t.files && c.ctx.Err() == nil {
				t.files = files
				c.examineAgain(t, all)
			}
		}
	}
	return nil
}

// examineAgain examines one of the targets, and shows what came of all of them.
func (c *checker) examineAgain(t *target, all []*target) {
	t.at, t.text = time.Now().Format("15:04:05"), ""
	c.showTargets(all)
	if err := c.examine(t); err != nil {
		t.text, t.ok = err.Error(), false
	}
	switch {
	case c.ctx.Err() != nil:
	case c.screen.Live:
		c.showTargets(all)
		c.screen.Show("\nwatching; Ctrl-C ends it")
	default:
		c.screen.Print(t.name() + ", " + t.at + "\n\n" + t.text + "\n\n")
	}
}

// showTargets draws a terminal anew: with all that is known of one target, or, of several,
// a line for each, and all of the first that is not as it should be.
func (c *checker) showTargets(all []*target) {
	if !c.screen.Live {
		return
	}
	c.screen.Clear()
	if len(all) == 1 {
		c.screen.Print(all[0].name() + ", " + all[0].at + "\n\n" + all[0].text + "\n")
		return
	}
	full := ""
	for _, t := range all {
		says := ""
		switch {
		case t.at == "":
		case t.text == "":
			says = "is asked ..."
		case t.ok:
			says = "as it should be"
		default:
			says = "not as it should be"
			if full == "" {
				full = "\n" + t.text
			}
		}
		c.screen.Print(fmt.Sprintf("%-28s %8s  %s\n", t.name(), t.at, says))
	}
	c.screen.Print(full + "\n")
}

func (t *target) name() string {
	if strings.Contains(t.spec, " ") {
		return t.spec
	}
	return filepath.Base(t.spec)
}
