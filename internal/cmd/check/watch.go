package main

import (
	"fmt"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/watch"
)

// pause is how long watch waits from one look at the files to the next.
const pause = 200 * time.Millisecond

// watch examines the targets, and again whenever one of their files has changed, until
// it is interrupted.
func (c *checker) watch(all []*target) error {
	for ; c.ctx.Err() == nil; time.Sleep(pause) {
		for _, t := range all {
			files, err := watch.Fingerprint(t.spec)
			if err != nil && t.files == "" {
				return err
			}
			// A file that an editor is just replacing is missing for a moment.
			if err == nil && files != t.files && c.ctx.Err() == nil {
				t.files = files
				c.examineAgain(t, all)
			}
		}
	}
	return nil
}

// examineAgain examines one of the targets, and shows what came of all of them.
func (c *checker) examineAgain(t *target, all []*target) {
	t.at, t.status, t.text = time.Now().Format("15:04:05"), "is asked ...", ""
	c.showTargets(all)
	if err := c.examine(t); err != nil {
		t.text, t.ok = err.Error(), false
	}
	switch {
	case c.ctx.Err() != nil:
		return
	case !t.ok:
		t.status = "not as it should be"
	case t.stage != nil:
		t.status = "as it should be"
	default:
		t.status = ""
	}
	if c.screen.Live {
		c.showTargets(all)
		c.screen.Show("\nwatching; Ctrl-C ends it")
	} else {
		c.screen.Print(t.line() + "\n" + t.text + "\n\n")
	}
}

// showTargets draws a terminal anew: with a line for each target, and all that is known
// of the first that is not as it should be, or of the only one.
func (c *checker) showTargets(all []*target) {
	if !c.screen.Live {
		return
	}
	lines, full := "", ""
	for _, t := range all {
		lines += t.line()
		if full == "" && (!t.ok || len(all) == 1) {
			full = t.text
		}
	}
	c.screen.Clear()
	c.screen.Print(lines + "\n" + full + "\n")
}

func (t *target) line() string {
	return strings.TrimRight(fmt.Sprintf("%-28s %8s  %s", t.name, t.at, t.status), " ") + "\n"
}
