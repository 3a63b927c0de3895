//go:build linux

package book

import (
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

const root = "../../../.."

func TestMain(m *testing.M) {
	flag.Parse()
	// Sessions wait as much as they compute: two for each processor.
	flag.Set("test.parallel", strconv.Itoa(2*runtime.NumCPU()))
	os.Exit(m.Run())
}

func mustOpen(t *testing.T, root string) *book {
	t.Helper()
	b, err := open(root)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// save writes the page as it should be.
func save(t *testing.T, b *book, p *page) {
	t.Helper()
	if err := os.WriteFile(b.path(p.name), []byte(p.text()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestPages checks all that can be checked without running anything.
func TestPages(t *testing.T) {
	b := mustOpen(t, root)
	b.check()
	if *update {
		for _, p := range b.pages {
			save(t, b, p)
		}
		b = mustOpen(t, root)
		b.check()
	}
	for _, problem := range b.problems {
		t.Error(problem)
	}
}

// TestSessions does what the pages ask the reader to do, and compares what happens with
// what the pages say.
func TestSessions(t *testing.T) {
	b := mustOpen(t, root)
	// The pages with the most blocks take longest, and begin first.
	slices.SortStableFunc(b.pages, func(x, y *page) int { return len(y.blocks) - len(x.blocks) })
	for _, p := range b.pages {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			screens, err := b.run(p, t.TempDir(), 30*time.Second, *update)
			if err != nil {
				t.Error(err)
			}
			if err != nil || testing.Verbose() {
				t.Logf("the terminals:\n%s", screens)
			}
			if *update {
				save(t, b, p)
			}
		})
	}
}

// TestMistakes tests the tests. Each archive in testdata is a small repository whose book is
// wrong, or right. Each line of its comment begins as a problem that must be found does;
// "..." in it stands for any text. There may be no other problem.
func TestMistakes(t *testing.T) {
	eachArchive(t, "testdata/*.txtar", func(t *testing.T, b *book, comment string) {
		b.check()
		for _, p := range b.pages {
			if _, err := b.run(p, t.TempDir(), 2*time.Second, false); err != nil {
				b.problems = append(b.problems, err.Error())
			}
		}
		want := slices.Collect(strings.Lines(comment))
		matches := func(got, want string) bool {
			want = strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), `\.\.\.`, `.*`)
			return regexp.MustCompile("^" + want).MatchString(strings.Join(strings.Fields(got), " "))
		}
		if !slices.EqualFunc(b.problems, want, matches) {
			t.Errorf("got:\n%s\nwant:\n%s", strings.Join(b.problems, "\n"), comment)
		}
	})
}

// TestUpdate checks what -update makes of a page: the file in the folder want.
func TestUpdate(t *testing.T) {
	eachArchive(t, "testdata/update/*.txtar", func(t *testing.T, b *book, _ string) {
		b.check()
		for _, p := range b.pages {
			if screens, err := b.run(p, t.TempDir(), 2*time.Second, true); err != nil {
				t.Fatalf("%s\n%s", err, screens)
			}
			if want, err := b.read("want/" + p.name); p.text() != want {
				t.Errorf("-update makes of %s\n%s\nwant, %v\n%s", p.name, p.text(), err, want)
			}
		}
	})
}

// eachArchive unpacks archives into folders, and tests the book in each.
func eachArchive(t *testing.T, pattern string, test func(t *testing.T, b *book, comment string)) {
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
			test(t, mustOpen(t, dir), string(archive.Comment))
		})
	}
}
