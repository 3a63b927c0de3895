package book

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

)

var update = flag.Bool("update", false, "write excerpts, diffs, numbers of lines and the output of the sessions into the pages")

func TestMain(m *testing.M) {
	flag.Parse()
	// The pages' sessions mostly wait: run more of them side by side than there are processors.
	flag.Set("test.parallel", "12")
	os.Exit(m.Run())
}

// open reads the book.
func open(t *testing.T, root string) *Book {
	t.Helper()
	b, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bound returns a context that ends shortly before the test would be killed. No
// session waits for anything longer than that.
func bound(t *testing.T) context.Context {
	deadline, ok := t.Deadline()
	if !ok {
		return t.Context()
	}
	ctx, cancel := context.WithDeadlineCause(t.Context(), deadline.Add(-5*time.Second), errors.New("the test's time is over"))
	t.Cleanup(cancel)
	return ctx
}

var root = filepath.Join("..", "..", "..")

// TestPages checks all of the pages that can be checked without running anything.
func TestPages(t *testing.T) {
	if *update {
		changed, err := open(t, root).Update()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("changed: %q", changed)
	}
	for _, problem := range open(t, root).Check() {
		t.Errorf("%s", problem)
	}
}

// TestSessions does what the pages tell the reader to do, and sees what they say
// that the reader sees.
func TestSessions(t *testing.T) {
	needSessions(t)
	b := open(t, root)
	for _, p := range b.pages {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			r := b.Run(bound(t), p, t.TempDir(), *update)
			if r.Problem != nil {
				t.Errorf("%s\n%s", r.Problem, r.Screens)
			} else if testing.Verbose() {
				t.Logf("%s", r.Screens)
			}
			if changed, err := b.save(p, r.edits); err != nil {
				t.Error(err)
			} else if changed {
				t.Logf("changed: %s", p.name)
			}
		})
	}
}

// needSessions skips a test where no sessions can be run.
func needSessions(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("who waits is looked up in Linux's /proc")
	}
}
