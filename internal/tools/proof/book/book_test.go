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

// save writes the page as it should be.
func save(t *testing.T, b *book, p *page) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.root, p.name), []byte(p.text()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestPages checks all that can be checked without running anything.
func TestPages(t *testing.T) {
	b := open(root)
	b.check()
	if *update {
		for _, p := range b.pages {
			save(t, b, p)
		}
		b = open(root)
		b.check()
	}
	for _, problem := range b.problems {
		t.Error(problem)
	}
}

var anew = regexp.MustCompile(`^\$ go (test -race|vet) `)

// TestSessions does what the pages ask the reader to do, and compares what happens with
// what the pages say. With -short it does what the README and the pages of the stages ask, but
// nothing that has the standard library compiled, or vetted, in another way.
func TestSessions(t *testing.T) {
	b := open(root)
	slices.Reverse(b.pages) // your-own-server.md and the stages take longest, and begin first
	for _, p := range b.pages {
		if testing.Short() && p.name != "README.md" && !strings.HasPrefix(p.name, "docs/stage") {
			continue
		}
		for _, blk := range p.blocks {
			if testing.Short() && blk.kind == "console" && anew.MatchString(strings.Join(blk.lines, "\n")) {
				blk.lines = []string{"$ true"}
			}
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			screens, err := b.run(p, t.TempDir(), 30*time.Second, *update)
			if err != nil {
				t.Error(err)
			}
			t.Logf("the terminals:\n%s", screens)
			if *update {
				save(t, b, p)
			}
		})
	}
}

// TestMistakes tests the tests. Each archive in testdata is a small repository whose book is
// wrong, or right. Each line of its comment begins as a problem that must be found does;
// "..." in it stands for any text. There may be no other problem. If there is a file
// want/PAGE, the page is updated, and becomes that.
func TestMistakes(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d archives, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := txtar.Write(archive, dir); err != nil {
				t.Fatal(err)
			}
			b := open(dir)
			b.check()
			for _, p := range b.pages {
				want, err := os.ReadFile(filepath.Join(dir, "want", p.name))
				updated := err == nil
				if _, err := b.run(p, t.TempDir(), 2*time.Second, updated); err != nil {
					b.problems = append(b.problems, err.Error())
				}
				if updated && p.text() != string(want) {
					t.Errorf("-update makes of %s\n%s\nwant\n%s", p.name, p.text(), want)
				}
			}
			if want := string(archive.Comment); !slices.EqualFunc(b.problems, slices.Collect(strings.Lines(want)), isProblem) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(b.problems, "\n"), want)
			}
		})
	}
}

// isProblem says whether a problem is the one that a line of an archive's comment means.
func isProblem(got, want string) bool {
	want = strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), `\.\.\.`, `.*`)
	return regexp.MustCompile("^" + want).MatchString(strings.Join(strings.Fields(got), " "))
}
