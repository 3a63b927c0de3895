package mutants

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/tools/imports"
)

// A mutant is a stage with a mistake in it, or, if leads is nil, one that is right.
type mutant struct {
	name    string
	stage   behaviour.Stage
	leads   []string       // the script that must fail before all others, as in "pages/home", or one of several
	scripts []string       // that are run
	because *regexp.Regexp // must match the reason of the failure
	hint    string         // must be part of its hint
	edits   []edit
}

func (m *mutant) title() string { return fmt.Sprintf("stage%d %s", m.stage.Number, m.name) }

// An edit replaces lines of a file of the stage.
type edit struct {
	file     string
	old, new []string
}

// readTable reads the mutants. Each file in testdata/mistakes is named for the script that must fail.
// testdata/right.txtar has the mutants that are right.
func readTable(t *testing.T) []*mutant {
	t.Helper()
	files, _ := filepath.Glob("testdata/mistakes/*/*.txtar")
	table := make(map[string]*mutant) // by title
	for _, file := range append(files, "testdata/right.txtar") {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, script, wrong := strings.Cut(strings.TrimSuffix(filepath.ToSlash(file), ".txtar"), "/mistakes/")
		for i, f := range archive.Files {
			m, err := parse(f.Name, string(f.Data))
			if wrong && err == nil {
				err = m.choose(script, i == 0)
			}
			if err != nil || table[m.title()] != nil {
				t.Fatalf("%s: %s: %v; or is this the second of the name?", file, f.Name, err)
			}
			table[m.title()] = m
		}
	}
	var sorted []*mutant
	for _, title := range slices.Sorted(maps.Keys(table)) {
		sorted = append(sorted, table[title])
	}
	return sorted
}

// choose sets the scripts that are run against a mutant with a mistake: those up to the script that must
// fail, if the mutant is the first of its file, or else that script alone.
func (m *mutant) choose(script string, first bool) error {
	if m.leads == nil {
		m.leads = []string{script}
	}
	upTo := 0
	for _, script := range m.leads {
		upTo = max(upTo, slices.Index(m.scripts, script)+1)
	}
	switch {
	case m.because == nil:
		return fmt.Errorf("it gives no reason")
	case upTo == 0 && !slow(script):
		return fmt.Errorf("%s has no script %s", m.stage.Folder, m.leads)
	case first && !slow(script) && !testing.Short():
		m.scripts = m.scripts[:upTo]
	default:
		m.scripts = m.leads
	}
	return nil
}

// slow says whether a script is one of testdata/slow, which take longer than a reader
// wants to wait, so that no stage's own test has them.
func slow(script string) bool { return strings.HasPrefix(script, "slow/") }

var fileName = regexp.MustCompile(`^[\w-]+\.(go|html)$`)

// parse reads a mutant, whose title is as in "stage 3: go deleted": lines of a name and a value,
// and then edits of main.go, or of the file of the stage that stands before them, with
// lines that begin with a minus, a plus or a blank, as those of diff. An empty line ends an edit.
func parse(title, text string) (*mutant, error) {
	m := &mutant{}
	if n, err := fmt.Sscanf(title, "stage %d:", &m.stage.Number); n != 1 || m.stage.Number > len(behaviour.Stages) {
		return m, fmt.Errorf("names no stage: %v", err)
	}
	m.stage = behaviour.Stages[m.stage.Number-1]
	m.scripts = behaviour.Scripts(m.stage.Behaviours...)
	_, m.name, _ = strings.Cut(title, ": ")
	file, goesOn := "main.go", false
	for line := range strings.SplitSeq(text, "\n") {
		key, value, _ := strings.Cut(line, " ")
		var err error
		switch {
		case line == "":
			goesOn = false
		case strings.ContainsAny(line[:1], "-+ \t"):
			if !goesOn {
				m.edits = append(m.edits, edit{file: file})
				goesOn = true
			}
			e := &m.edits[len(m.edits)-1]
			if line[0] != '+' {
				e.old = append(e.old, line[1:])
			}
			if line[0] != '-' {
				e.new = append(e.new, line[1:])
			}
		case fileName.MatchString(line):
			file, goesOn = line, false
		case key == "leads": // in place of the script that the file is named for
			m.leads = strings.Fields(value)
		case key == "scripts": // in place of all scripts of the stage
			m.scripts = strings.Fields(value)
		case key == "because":
			m.because, err = regexp.Compile(value)
		case key == "hint":
			m.hint = value
		default:
			err = fmt.Errorf("cannot be understood: %q", line)
		}
		if err != nil {
			return m, err
		}
	}
	return m, nil
}

// patched returns the files of the stage's program, after the edits, and with the imports
// that they need.
func (m *mutant) patched(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(root, m.stage.Folder, "*.*"))
	for _, path := range paths {
		if !strings.HasSuffix(path, "_test.go") && err == nil {
			var text []byte
			text, err = os.ReadFile(path)
			files[filepath.Base(path)] = string(text)
		}
	}
	for _, e := range m.edits {
		if err == nil {
			files[e.file], err = e.apply(files[e.file])
		}
	}
	for name, text := range files {
		if strings.HasSuffix(name, ".go") && err == nil {
			var program []byte
			program, err = imports.Process(name, []byte(text), nil)
			files[name] = string(program)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", m.title(), err)
	}
	return files
}

// apply returns the text of the file after the edit. What the edit replaces has to stand
// in it once; the first and the last line may be parts of lines, and indentation does not
// matter. An edit that replaces nothing adds its lines at the end.
func (e edit) apply(text string) (string, error) {
	replacement := strings.Join(e.new, "\n")
	if len(e.old) == 0 {
		return text + replacement + "\n", nil
	}
	var lines []string
	for _, line := range e.old {
		lines = append(lines, regexp.QuoteMeta(strings.TrimSpace(line)))
	}
	found := regexp.MustCompile(strings.Join(lines, `[ \t]*\n[ \t]*`)).FindAllStringIndex(text, -1)
	if len(found) != 1 {
		return "", fmt.Errorf("stands in %s %d times, not once: %s", e.file, len(found), strings.Join(e.old, "\n"))
	}
	return text[:found[0][0]] + replacement + text[found[0][1]:], nil
}
