package mutants

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"example.com/concurrent-web-server/internal/behaviour"
	"github.com/rogpeppe/go-internal/txtar"
)

// A mutant is a stage with a mistake in it, or, if leads is "nothing", a variant
// of a stage that is right.
type mutant struct {
	name    string
	stage   behaviour.Stage
	leads   string         // the story that has to be told in full, as in "pages/home", or one of several: A|B
	because *regexp.Regexp // what its reason has to match
	hint    string         // has to be part of its hint
	all     bool           // every story is told, and the length of the verdict checked
	alone   bool           // no story before the one that leads is told
	race    bool           // built with the race detector
	edits   []edit
}

// An edit replaces lines of a file of the stage.
type edit struct{ file, old, new string }

// readTable reads the files of the table. Each of them is an archive, and a mutant is
// a file in it: lines of a name and a value, and then patches,
// which name a file of the stage and go on with lines that begin with a minus, a
// plus or a blank, as those of diff. What the minus and the blank lines say has to stand
// in the file once; the first and the last of these lines may be parts of lines. A
// file that the stage does not have is made of the plus lines. Imports are seen to.
func readTable(pattern string) ([]*mutant, error) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	var table []*mutant
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			return nil, err
		}
		for _, f := range archive.Files {
			m, err := parse(f.Name, string(f.Data))
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", file, f.Name, err)
			}
			if slices.ContainsFunc(table, func(other *mutant) bool { return other.name == m.name && other.stage.Number == m.stage.Number }) {
				return nil, fmt.Errorf("%s: %s: a second one of the name", file, f.Name)
			}
			table = append(table, m)
		}
	}
	return table, nil
}

func parse(name, text string) (*mutant, error) {
	m := &mutant{name: name}
	file := ""
	var old, new []string
	flush := func() {
		if len(old)+len(new) > 0 {
			m.edits = append(m.edits, edit{file, strings.Join(old, "\n"), strings.Join(new, "\n")})
		}
		old, new = nil, nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || file != "" && !strings.ContainsAny(line[:1], "+- \t") {
			flush()
		}
		key, value, _ := strings.Cut(line, " ")
		switch {
		case line == "":
		case line[0] == '-':
			old = append(old, line[1:])
		case line[0] == '+':
			new = append(new, line[1:])
		case line[0] == ' ', line[0] == '\t':
			old, new = append(old, line[1:]), append(new, line[1:])
		case fileName.MatchString(line):
			file = line
		case key == "stage":
			m.stage = behaviour.Stages[value[0]-'1']
		case key == "leads":
			m.leads = value
		case key == "because":
			re, err := regexp.Compile(value)
			if err != nil {
				return nil, err
			}
			m.because = re
		case key == "hint":
			m.hint = value
		case key == "all":
			m.all = true
		case key == "alone":
			m.alone = true
		case key == "race":
			m.race = true
		default:
			return nil, fmt.Errorf("cannot be understood: %q", line)
		}
	}
	flush()
	if m.stage.Number == 0 || m.leads == "" || len(m.edits) == 0 {
		return nil, fmt.Errorf("names no stage, no story that leads, or no edit")
	}
	if m.leads != "nothing" && m.because == nil {
		return nil, fmt.Errorf("gives no reason")
	}
	return m, nil
}

var fileName = regexp.MustCompile(`^[\w-]+\.(go|html)$`)

// write writes the program of the stage, patched, into a folder, as a package of
// the given name whose main function is called main.
func (m *mutant) write(folder, name, main string) error {
	files, err := patched(filepath.Join(root, m.stage.Folder), m.edits)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	for file, text := range files {
		if strings.HasSuffix(file, ".go") {
			text = packageClause.ReplaceAllLiteralString(text, "package "+name)
			text = strings.Replace(text, "\nfunc main() {", "\nfunc "+main+"() {", 1)
			text = fixImports(text)
		}
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// patched returns the files of the program in a folder, after the edits.
func patched(folder string, edits []edit) (map[string]string, error) {
	files := map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		files[e.Name()] = string(data)
	}
	for _, e := range edits {
		if e.old == "" {
			files[e.file] += e.new + "\n"
			continue
		}
		// Indentation does not matter.
		var lines []string
		for line := range strings.SplitSeq(e.old, "\n") {
			lines = append(lines, regexp.QuoteMeta(strings.TrimSpace(line)))
		}
		found := regexp.MustCompile(strings.Join(lines, `[ \t]*\n[ \t]*`)).FindAllStringIndex(files[e.file], -1)
		if len(found) != 1 {
			return nil, fmt.Errorf("stands in %s/%s %d times, not once: %s", filepath.Base(folder), e.file, len(found), e.old)
		}
		text := files[e.file]
		files[e.file] = text[:found[0][0]] + e.new + text[found[0][1]:]
	}
	return files, nil
}

var (
	packageClause = regexp.MustCompile(`(?m)^package main$`)
	importGroup   = regexp.MustCompile(`(?s)\nimport \(.*?\n\)\n`)
	comment       = regexp.MustCompile(`(?m)(^|[ \t])//[^\n]*`)
)

// packages are those that an edit may need.
var packages = []string{"bufio", "bytes", "context", "errors", "flag", "fmt", "io", "log", "log/slog", "math/rand", "net", "net/textproto", "os", "os/exec",
	"os/signal", "path/filepath", "runtime", "runtime/debug", "slices", "strconv", "strings", "sync", "sync/atomic", "syscall", "time", "unicode", "html/template"}

// fixImports returns a Go file that imports what it uses of packages, and no more.
func fixImports(text string) string {
	code := comment.ReplaceAllString(text, "")
	imports := ""
	if strings.Contains(code, "//go:embed") || strings.Contains(text, "\n//go:embed") {
		imports = "\t_ \"embed\"\n"
	}
	for _, p := range packages {
		if regexp.MustCompile(`(^|[^.\w"])` + p[strings.LastIndexByte(p, '/')+1:] + `\.[A-Z]`).MatchString(code) {
			imports += fmt.Sprintf("\t%q\n", p)
		}
	}
	group := []byte("\nimport (\n" + imports + ")\n")
	if !importGroup.MatchString(text) {
		return packageLine.ReplaceAllString(text, "$0"+string(group))
	}
	return string(importGroup.ReplaceAllLiteral([]byte(text), bytes.Clone(group)))
}

var packageLine = regexp.MustCompile(`(?m)^package \w+\n`)
