package book

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// patch makes the change that a block asks for.
func (s *session) patch(blk *block, name string) *Problem {
	data, err := os.ReadFile(s.path(name))
	if err != nil {
		return s.problemf(blk.line-1, "the comment %q: there is no %s", blk.directive, name)
	}
	text, err := applyPatch(string(data), blk.lines)
	if err != nil {
		return s.problemf(blk.line, "the change does not fit %s: %v", name, err)
	}
	return s.write(blk, name, text)
}

// applyPatch makes a change in a text: each run of lines, up to a line that begins
// with @@, has one place.
func applyPatch(text string, patch []string) (string, error) {
	var before, after strings.Builder
	for i, line := range append(slices.Clone(patch), "@@") {
		sign, line, at := line[:min(1, len(line))], line[min(1, len(line)):]+"\n", before.String()
		switch sign {
		case "", " ":
			before.WriteString(line)
			after.WriteString(line)
		case "-":
			before.WriteString(line)
		case "+":
			after.WriteString(line)
		case "@":
			if at == "" {
				return "", fmt.Errorf("the lines before line %d of the block say nothing of where they belong: show a line before or after", i+1)
			}
			first, _, _ := strings.Cut(at, "\n")
			start, again := strings.Index("\n"+text, "\n"+at), strings.LastIndex("\n"+text, "\n"+at)
			switch {
			case start < 0:
				return "", fmt.Errorf("the lines from %q on do not stand in the file", first)
			case again != start:
				return "", fmt.Errorf("the lines from %q on stand in the file more than once: show more of what is around them", first)
			}
			text = text[:start] + after.String() + text[start+len(at):]
			before.Reset()
			after.Reset()
		default:
			return "", fmt.Errorf("line %d of the block has none of a diff's signs (blank, - and +)", i+1)
		}
	}
	return text, nil
}

// file makes the file that a block shows. Go is vetted; anything else has to be used.
func (s *session) file(blk *block, name string) *Problem {
	if !filepath.IsLocal(name) {
		return s.problemf(blk.line-1, "the comment %q: the name of a file in the repository is missing", blk.directive)
	}
	if _, ok := slices.BinarySearch(s.book.files, name); ok {
		return s.problemf(blk.line-1, "the comment %q: there is such a file in the repository; use patch or excerpt", blk.directive)
	}
	uses := func(later *block) bool {
		return later.line > blk.line && slices.ContainsFunc(later.segments(), func(seg *segment) bool {
			return later.lang == "console" && strings.Contains(seg.command, path.Base(name))
		})
	}
	if path.Ext(name) != ".go" && !slices.ContainsFunc(s.page.blocks, uses) {
		return s.problemf(blk.line, "nothing checks this file: no session further down uses %s", name)
	}
	return s.write(blk, name, strings.Join(blk.lines, "\n")+"\n")
}

// write writes a file of the page's copy, and notes that it has changed.
func (s *session) write(blk *block, name, text string) *Problem {
	err := os.MkdirAll(filepath.Dir(s.path(name)), 0o777)
	if err == nil {
		err = os.WriteFile(s.path(name), []byte(text), 0o777)
	}
	if err != nil {
		return s.problemf(blk.line, "%v", err)
	}
	s.changed[name] = true
	if path.Ext(name) == ".go" {
		if len(s.unvetted) == 0 {
			s.unvetAt = blk.line
		}
		s.unvetted["./"+path.Dir(name)] = true
	}
	return nil
}

// vet vets the packages that have changed since the last time.
func (s *session) vet() *Problem {
	if len(s.unvetted) == 0 {
		return nil
	}
	folders := slices.Sorted(maps.Keys(s.unvetted))
	clear(s.unvetted)
	if out, err := s.command("go", append([]string{"vet"}, folders...)...); err != nil {
		return s.problemf(s.unvetAt, "go vet %s: %v\n%s", strings.Join(folders, " "), err, out)
	}
	return nil
}

// restore takes back what patch and file blocks have changed.
func (s *session) restore(blk *block) *Problem {
	for name := range s.changed {
		var err error
		if _, ok := slices.BinarySearch(s.book.files, name); ok {
			err = s.copyFile(name)
		} else {
			err = os.Remove(s.path(name))
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return s.problemf(blk.line, "%v", err)
		}
	}
	clear(s.changed)
	return nil
}
