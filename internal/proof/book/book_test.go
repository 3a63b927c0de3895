package book

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
// stands for any text. There may be no other problem.
func TestMistakes(t *testing.T) {
	for _, name := range archives(t, "testdata/*.txtar") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, comment := unpack(t, name)
			var wants []string
			for line := range strings.Lines(comment) {
				wants = append(wants, strings.TrimSpace(line))
			}
			_, err := os.Stat(filepath.Join(dir, "waits-for-ever"))
			if err != nil {
				check(t, problems(bound(t), t, dir), wants)
				return
			}
			// A command waits for ever. Some time is enough to see that it does: how much,
			// depends on the machine.
			var got []string
			for d := time.Second; d < time.Minute && !slices.EqualFunc(got, wants, matches); d *= 2 {
				ctx, cancel := context.WithTimeoutCause(t.Context(), d, errors.New("the time is over"))
				got = problems(ctx, t, dir)
				cancel()
			}
			check(t, got, wants)
		})
	}
}

// check checks that the problems are those that are wanted.
func check(t *testing.T, got, wants []string) {
	if !slices.EqualFunc(got, wants, matches) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(wants, "\n"))
	}
}

// matches says whether a problem is the one that is wanted.
func matches(got, want string) bool { return output{{text: want + "..."}}.matches(got, false) }

// problems returns all that is wrong with the book in a folder.
func problems(ctx context.Context, t *testing.T, dir string) (problems []string) {
	b := open(t, dir)
	found := b.Check()
	for _, p := range b.pages {
		if r := b.Run(ctx, p, t.TempDir(), false); r.Problem != nil {
			found = append(found, *r.Problem)
		}
	}
	for _, p := range found {
		problems = append(problems, strings.Join(strings.Fields(p.String()), " "))
	}
	return problems
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
