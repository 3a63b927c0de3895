package mutants

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"example.com/concurrent-web-server/internal/behaviour"
	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/tools/imports"
)

// A mutant is a stage with a mistake in it, or, if leads is "nothing", a variant
// of a stage that is right.
type mutant struct {
	name    string
	stage   behaviour.Stage
	leads   string         // the story that has to be told in full, as in "pages/home", or one of several: A|B
	because *regexp.Regexp // what its reason has to match
	hint    string         // has to be part of its hint
	// how is "all" if every story is told, "alone" if only the one that leads is, and
	// "race" if the mutant is built with the race detector.
	how   string
	edits []edit
}

func (m *mutant) title() string { return fmt.Sprintf("stage%d %s", m.stage.Number, m.name) }

// An edit replaces lines of a file of the stage.
type edit struct {
	file     string
	old, new []string
}

// readTable reads the files of the table, each of which has the mutants of one story, or, in
// nothing.txtar, those that are right. It is an archive, and a mutant is a file in it.
func readTable() ([]*mutant, error) {
	const folder = "testdata/mistakes/"
	var files []string
	for _, pattern := range []string{"*.txtar", "*/*.txtar"} {
		found, err := filepath.Glob(folder + pattern)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	var table []*mutant
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			return nil, err
		}
		leads := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), folder), ".txtar")
		for _, f := range archive.Files {
			m, err := parse(f.Name, leads, string(f.Data))
			if slices.ContainsFunc(table, func(other *mutant) bool { return other.title() == m.title() }) {
				err = cmp.Or(err, fmt.Errorf("a second one of the name"))
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", file, f.Name, err)
			}
			table = append(table, m)
		}
	}
	return table, nil
}

var fileName = regexp.MustCompile(`^[\w-]+\.(go|html)$`)

// parse reads a mutant, whose title is as in "stage 3: go deleted": lines of a name and a value,
// and then edits of main.go, or of the file of the stage that stands before them, with
// lines that begin with a minus, a plus or a blank, as those of diff. An empty line ends an edit.
func parse(title, leads, text string) (*mutant, error) {
	m := &mutant{leads: leads}
	if n, err := fmt.Sscanf(title, "stage %d:", &m.stage.Number); n != 1 || m.stage.Number > len(behaviour.Stages) {
		return m, fmt.Errorf("names no stage: %v", err)
	}
	m.stage = behaviour.Stages[m.stage.Number-1]
	_, m.name, _ = strings.Cut(title, ": ")
	file, goesOn := "main.go", false
	for line := range strings.SplitSeq(text, "\n") {
		key, value, _ := strings.Cut(line, " ")
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
		default:
			if err := m.set(key, value); err != nil {
				return m, err
			}
		}
	}
	switch {
	case len(m.edits) == 0:
		return m, fmt.Errorf("has no edit")
	case m.leads != "nothing" && m.because == nil:
		return m, fmt.Errorf("gives no reason")
	}
	return m, nil
}

func (m *mutant) set(key, value string) (err error) {
	switch key {
	case "leads": // of several that may, this one included
		m.leads = value
	case "because":
		m.because, err = regexp.Compile(value)
	case "hint":
		m.hint = value
	case "all", "alone", "race":
		m.how = key
	default:
		err = fmt.Errorf("cannot be understood: %q", key+" "+value)
	}
	return err
}

// patched returns the files of the stage's program, after the edits, and with the imports
// that they need.
func (m *mutant) patched() (map[string]string, error) {
	paths, err := filepath.Glob(filepath.Join(root, m.stage.Folder, "*.*"))
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files[filepath.Base(path)] = string(text)
	}
	for _, e := range m.edits {
		if files[e.file], err = e.apply(files[e.file]); err != nil {
			return nil, err
		}
	}
	for name, text := range files {
		if strings.HasSuffix(name, ".go") {
			program, err := imports.Process(name, []byte(text), nil)
			if err != nil {
				return nil, err
			}
			files[name] = string(program)
		}
	}
	return files, nil
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
