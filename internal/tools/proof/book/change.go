package book

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// patch makes the change that a block asks for.
func (s *session) patch(blk *block) error {
	data, err := os.ReadFile(s.path(blk.args))
	if err != nil {
		return s.problemf(blk.line-1, "patch: there is no %s", blk.args)
	}
	text, err := applyPatch(string(data), blk.lines)
	if err != nil {
		return s.problemf(blk.line, "the change does not fit %s: %v", blk.args, err)
	}
	return s.change(blk, text)
}

// applyPatch makes a change in a text: each run of lines, up to a line that begins
// with @@, has one place.
func applyPatch(text string, patch []string) (string, error) {
	text = "\n" + text // so that each line stands between two line ends
	before, after := "\n", "\n"
	for i, line := range append(slices.Clone(patch), "@@") {
		if line == "" {
			line = " "
		}
		sign, line := line[0], line[1:]+"\n"
		switch sign {
		case ' ':
			before += line
			after += line
		case '-':
			before += line
		case '+':
			after += line
		case '@':
			switch start := strings.Index(text, before); {
			case start < 0:
				return "", fmt.Errorf("the lines %q do not stand in the file", before[1:])
			case start != strings.LastIndex(text, before):
				return "", fmt.Errorf("the lines %q stand in the file more than once: show more around them", before[1:])
			}
			text = strings.Replace(text, before, after, 1)
			before, after = "\n", "\n"
		default:
			return "", fmt.Errorf("line %d of the block has none of a diff's signs (blank, - and +)", i+1)
		}
	}
	return text[1:], nil
}

// file makes the file of Go that a block shows.
func (s *session) file(blk *block) error {
	switch name := blk.args; {
	case !filepath.IsLocal(name):
		return s.problemf(blk.line-1, "file: the name of a file in the repository is missing")
	case s.book.exists[name]:
		return s.problemf(blk.line-1, "file: there is a %s in the repository; use patch or excerpt", name)
	case path.Ext(name) != ".go":
		return s.problemf(blk.line-1, "nothing checks %s, which is no Go: show an excerpt of docs/examples", name)
	}
	return s.change(blk, strings.Join(blk.lines, "\n")+"\n")
}

// change writes the file that a block names into the page's copy.
func (s *session) change(blk *block, text string) error {
	if err := write(s.path(blk.args), []byte(text)); err != nil {
		return s.problemf(blk.line, "%v", err)
	}
	s.changed[blk.args] = true
	if path.Ext(blk.args) == ".go" {
		s.unvetted["./"+path.Dir(blk.args)] = blk.line
	}
	return nil
}

// vet vets the packages that have changed since the last time.
func (s *session) vet() error {
	if len(s.unvetted) == 0 {
		return nil
	}
	folders := slices.Sorted(maps.Keys(s.unvetted))
	line := s.unvetted[folders[0]]
	clear(s.unvetted)
	if out, err := s.command("go", append([]string{"vet"}, folders...)...); err != nil {
		return s.problemf(line, "go vet %s: %v\n%s", strings.Join(folders, " "), err, out)
	}
	return nil
}

// restore takes back what patch and file blocks have changed.
func (s *session) restore() error {
	for name := range s.changed {
		os.Remove(s.path(name))
	}
	clear(s.changed)
	return s.copyFiles()
}
