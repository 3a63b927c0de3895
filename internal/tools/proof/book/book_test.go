package book

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the sources and the sessions say into the pages")

func TestMain(m *testing.M) {
	flag.Parse()
	// Sessions wait as much as they compute: two for each processor. With more, the tests
	// that they run take each other's time.
	flag.Set("test.parallel", strconv.Itoa(2*runtime.NumCPU()))
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

var errTime = errors.New("the time is over")

// bound returns a context that ends shortly before the test would be killed. No
// session waits for anything longer than that.
func bound(t *testing.T) context.Context {
	deadline, ok := t.Deadline()
	if !ok {
		return t.Context()
	}
	ctx, cancel := context.WithDeadlineCause(t.Context(), deadline.Add(-5*time.Second), errTime)
	t.Cleanup(cancel)
	return ctx
}

var root = filepath.Join("..", "..", "..", "..")

// TestPages checks all of the pages that can be checked without running anything.
func TestPages(t *testing.T) {
	b := open(t, root)
	for _, p := range b.pages {
		if *update {
			if err := b.save(p, b.written(p)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, problem := range open(t, root).Check() {
		t.Error(problem)
	}
}

// TestSessions does what the pages tell the reader to do, and sees what they say
// that the reader sees.
func TestSessions(t *testing.T) {
	needSessions(t)
	b := open(t, root)
	// The pages with the most blocks take longest, and begin first.
	slices.SortStableFunc(b.pages, func(x, y *page) int { return len(y.blocks) - len(x.blocks) })
	for _, p := range b.pages {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			text, screens, err := b.Run(bound(t), p, t.TempDir(), *update)
			if err != nil {
				t.Errorf("%s\n%s", err, screens)
			} else if testing.Verbose() {
				t.Logf("%s", screens)
			}
			if err := b.save(p, text); err != nil {
				t.Error(err)
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
	eachArchive(t, "testdata/*.txtar", func(t *testing.T, dir, comment string) {
		wants := strings.Split(strings.TrimSpace(comment), "\n")
		if comment == "" {
			wants = nil
		}
		// What waits for ever is a mistake, too. How long it takes to see that it does,
		// depends on the machine.
		var got []string
		for d := 2 * time.Second; d < time.Minute; d *= 2 {
			ctx, cancel := context.WithTimeoutCause(t.Context(), d, errTime)
			got = problems(ctx, t, dir)
			cancel()
			if slices.EqualFunc(got, wants, matches) {
				return
			}
			if !strings.Contains(strings.Join(got, ""), errTime.Error()) {
				break
			}
		}
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(wants, "\n"))
	})
}

// matches says whether a problem is the one that is wanted.
func matches(got, want string) bool {
	return regexp.MustCompile("^" + wildcards(want)).MatchString(got)
}

// problems returns all that is wrong with the book in a folder.
func problems(ctx context.Context, t *testing.T, dir string) (problems []string) {
	b := open(t, dir)
	var found []error
	for _, problem := range b.Check() {
		found = append(found, problem)
	}
	for _, p := range b.pages {
		if _, _, err := b.Run(ctx, p, t.TempDir(), false); err != nil {
			found = append(found, err)
		}
	}
	for _, err := range found {
		problems = append(problems, strings.Join(strings.Fields(err.Error()), " "))
	}
	return problems
}

// eachArchive unpacks archives into folders, and runs a test of each.
func eachArchive(t *testing.T, pattern string, test func(t *testing.T, dir, comment string)) {
	needSessions(t)
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %d archives, %v", pattern, len(names), err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := txtar.Write(archive, dir); err != nil {
				t.Fatal(err)
			}
			test(t, dir, string(archive.Comment))
		})
	}
}

// TestUpdate checks what -update makes of a page: what stands in the folder want.
func TestUpdate(t *testing.T) {
	eachArchive(t, "testdata/update/*.txtar", func(t *testing.T, dir, _ string) {
		b := open(t, dir)
		for _, p := range b.pages {
			if err := b.save(p, b.written(p)); err != nil {
				t.Fatal(err)
			}
		}
		b = open(t, dir)
		for _, p := range b.pages {
			got, screens, err := b.Run(bound(t), p, t.TempDir(), true)
			if err != nil {
				t.Fatalf("%s\n%s", err, screens)
			}
			want, err := b.read("want/" + p.name)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("-update makes of %s\n%s\nwant\n%s", p.name, got, want)
			}
		}
	})
}
