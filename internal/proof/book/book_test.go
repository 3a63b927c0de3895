package book

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the sessions print into the pages, and the diffs and line numbers that have changed")

func TestMain(m *testing.M) {
	flag.Parse()
	// The pages' sessions mostly wait: run more of them side by side than there are processors.
	flag.Set("test.parallel", "8")
	os.Exit(m.Run())
}

// open reads the book. Before there is one, it skips the test.
func open(t *testing.T) *Book {
	b, err := Open(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if b.page("docs/README.md") == nil {
		t.Skip("there is no docs/README.md: the book has not been begun")
	}
	return b
}

// TestPages checks all of the pages that can be checked without running anything.
func TestPages(t *testing.T) {
	if *update {
		t.Skip("-update: see TestSessions")
	}
	b := open(t)
	for _, problem := range b.Check() {
		t.Errorf("%s", problem)
	}
}

// TestSessions does what the pages tell the reader to do, and sees what they say
// that the reader sees.
func TestSessions(t *testing.T) {
	b := open(t)
	b.Check() // marks the blocks that are not to be run
	s, err := b.Sessions(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.update = *update

	var mu sync.Mutex
	var results []*Result
	t.Run("pages", func(t *testing.T) {
		for _, p := range b.pages {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				r := s.Run(p)
				mu.Lock()
				results = append(results, r)
				mu.Unlock()
				if testing.Verbose() && r.Screens != "" {
					t.Logf("%s", r.Screens)
				}
				if r.Problem != nil {
					t.Errorf("%s", r.Problem)
				}
				if r.Skipped != "" {
					t.Skip(r.Skipped)
				}
			})
		}
	})
	if !*update {
		return
	}
	changed, err := b.Update(results)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range changed {
		t.Logf("-update has changed %s", name)
	}
}

// TestMistakes is the test of the tests. Each archive in testdata is a small
// repository with a book. The comment of the archive says what is wrong with it:
// each line is what a problem begins with, and "..." in it stands for any
// text; a line that begins with blanks is a part of what the problem above goes on to
// say. There may be no other problem.
func TestMistakes(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("testdata/*.txtar: %d archives, %v", len(archives), err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			dir, wants := unpack(t, name)
			b, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			problems := b.Check()
			s, err := b.Sessions(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			s.patience = 200
			for _, p := range b.pages {
				r := s.Run(p)
				if r.Skipped != "" {
					t.Skip(r.Skipped)
				}
				if r.Problem != nil {
					problems = append(problems, *r.Problem)
				}
			}
			for i, problem := range problems {
				if i >= len(wants) {
					t.Errorf("one more problem than expected: %s", problem)
					continue
				}
				if !newPattern(0, strings.ReplaceAll(wants[i]+"...", "\n", " ")).re.MatchString(shownLine(strings.Join(strings.Fields(problem.String()), " "))) {
					t.Errorf("problem:\n%s\nwant:\n%s", problem, wants[i])
				}
				t.Logf("%s", problem)
			}
			for _, want := range wants[min(len(problems), len(wants)):] {
				t.Errorf("no such problem: %s", want)
			}
		})
	}
}

// unpack unpacks an archive and returns the folder and the problems that it has.
func unpack(t *testing.T, name string) (dir string, wants []string) {
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(archive.Comment)) {
		line = strings.TrimRight(line, "\n")
		text := strings.Join(strings.Fields(line), " ")
		switch {
		case text == "" || strings.HasPrefix(text, "#"):
		case strings.HasPrefix(line, " "):
			wants[len(wants)-1] += "..." + text
		default:
			wants = append(wants, text)
		}
	}
	dir = t.TempDir()
	for _, f := range archive.Files {
		file := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir, wants
}
