package book

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
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

// TestMistakes is the test of the tests. Each archive in testdata is a small
// repository with a book. Its comment says what is wrong with the book: each line is
// a problem, up to where the problem goes on with what does not matter; "..." in it
// stands for any text, and a line that begins with blanks goes on with the one above.
// There may be no other problem.
func TestMistakes(t *testing.T) {
	for _, name := range archives(t, "testdata/*.txtar") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, comment := unpack(t, name)
			var wants []string
			for line := range strings.Lines(comment) {
				if strings.HasPrefix(line, " ") {
					wants[len(wants)-1] += " " + strings.TrimSpace(line)
				} else {
					wants = append(wants, strings.TrimSpace(line))
				}
			}
			b := open(t, dir)
			problems := b.Check()
			for _, p := range b.pages {
				if r := b.Run(shortBound(t, dir), p, t.TempDir(), false); r.Problem != nil {
					problems = append(problems, *r.Problem)
				}
			}
			for i := range max(len(problems), len(wants)) {
				got, want := "no problem", "no problem"
				if i < len(problems) {
					got = strings.Join(strings.Fields(problems[i].String()), " ")
				}
				if i < len(wants) {
					want = wants[i]
				}
				if pattern := (output{{text: want + "..."}}); !pattern.matches(got, false) {
					t.Errorf("got:  %s\nwant: %s", got, want)
				}
			}
		})
	}
}

// shortBound returns the context for an archive: with a file bound.txt in it, in which
// a command waits for ever, one that ends soon.
func shortBound(t *testing.T, dir string) context.Context {
	if _, err := os.Stat(filepath.Join(dir, "bound.txt")); err != nil {
		return bound(t)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 4*time.Second, errors.New("the time is over"))
	t.Cleanup(cancel)
	return ctx
}

// archives returns the names of the archives in testdata.
func archives(t *testing.T, pattern string) []string {
	needSessions(t)
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %d archives, %v", pattern, len(names), err)
	}
	return names
}

// unpack unpacks an archive and returns the folder and the archive's comment.
func unpack(t *testing.T, name string) (dir, comment string) {
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := txtar.Write(archive, dir); err != nil {
		t.Fatal(err)
	}
	return dir, string(archive.Comment)
}

// TestUpdate checks what -update makes of a page: what stands in the folder want.
func TestUpdate(t *testing.T) {
	for _, name := range archives(t, "testdata/update/*.txtar") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, _ := unpack(t, name)
			if _, err := open(t, dir).Update(); err != nil {
				t.Fatal(err)
			}
			b := open(t, dir)
			for _, p := range b.pages {
				r := b.Run(bound(t), p, t.TempDir(), true)
				if r.Problem != nil {
					t.Fatalf("%s\n%s", r.Problem, r.Screens)
				}
				if _, err := b.save(p, r.edits); err != nil {
					t.Fatal(err)
				}
				got, err1 := b.read(p.name)
				want, err2 := b.read("want/" + p.name)
				if err := errors.Join(err1, err2); err != nil {
					t.Fatal(err)
				}
				if string(got) != string(want) {
					t.Errorf("-update makes of %s\n%s\nwant\n%s", p.name, got, want)
				}
			}
		})
	}
}
