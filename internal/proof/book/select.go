package book

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hexops/gotextdiff/myers"
)

// A span names lines by what they have in them: from the only line with first to
// the next with last. A text may end in \n, for the end of the line.
type span struct{ first, last string }

// A selection is what a comment says: files, spans of lines, within what they are to be
// found, and what is left out.
type selection struct {
	files   []string
	spans   []span
	within  string
	without []string
}

// parseSelection reads: FILE ["FIRST" [to "LAST"] [and "FIRST" ...]] [in "LINE"] [without "LINE"]...
func parseSelection(args string) (selection, error) {
	var s selection
	word := ""
	for args != "" {
		quoted, err := strconv.QuotedPrefix(args)
		if err != nil {
			word, args, _ = strings.Cut(args, " ")
			if !slices.Contains([]string{"to", "and", "in", "without"}, word) {
				s.files = append(s.files, word)
			}
			continue
		}
		text, err := strconv.Unquote(quoted)
		switch {
		case err != nil:
			return s, err
		case word == "to" && len(s.spans) > 0:
			s.spans[len(s.spans)-1].last = text
		case word == "in":
			s.within = text
		case word == "without":
			s.without = append(s.without, text)
		default:
			s.spans = append(s.spans, span{first: text})
		}
		args = strings.TrimSpace(args[len(quoted):])
	}
	return s, nil
}

// find returns the indexes of the first and the last line that the span names.
func (s span) find(lines []string) (from, to int, err error) {
	var at []int
	for i, line := range lines {
		if strings.Contains(line+"\n", s.first) {
			at = append(at, i)
		}
	}
	switch {
	case len(at) == 0:
		return 0, 0, fmt.Errorf("no line has %q", s.first)
	case len(at) > 1:
		return 0, 0, fmt.Errorf("%d lines have %q: say more of the one that is meant", len(at), s.first)
	}
	n := slices.IndexFunc(lines[at[0]:], func(line string) bool { return strings.Contains(line+"\n", s.last) })
	if n < 0 {
		return 0, 0, fmt.Errorf("no line after the one with %q has %q", s.first, s.last)
	}
	return at[0], at[0] + n, nil
}

// excerpt returns the lines of a file that a comment selects.
func (b *Book) excerpt(args string) ([]string, error) {
	sel, err := parseSelection(args)
	if err != nil || len(sel.files) != 1 {
		return nil, errors.Join(errors.New(`want: excerpt FILE "FIRST" to "LAST" in "LINE" without "LINE"`), err)
	}
	lines, err := b.lines(sel.files[0])
	if err != nil || len(sel.spans) == 0 {
		return lines, err
	}
	if sel.within != "" {
		from, _, err := span{first: sel.within}.find(lines)
		if err != nil {
			return nil, fmt.Errorf("%s: %v", sel.files[0], err)
		}
		lines = lines[from : blockEnd(lines, from)+1]
	}
	dots := "# ..."
	if filepath.Ext(sel.files[0]) == ".go" {
		dots = "// ..."
	}
	var picked []string
	for _, s := range sel.spans {
		from, to, err := s.find(lines)
		if err != nil {
			return nil, fmt.Errorf("%s: %v", sel.files[0], err)
		}
		if picked != nil {
			picked = append(picked, indent(lines[from])+dots)
		}
		picked = append(picked, lines[from:blockEnd(lines, to)+1]...)
	}
	for _, text := range sel.without {
		from, _, err := span{first: text}.find(picked)
		if err != nil {
			return nil, err
		}
		picked = slices.Replace(picked, from, blockEnd(picked, from)+1, indent(picked[from])+dots)
	}
	outer := indent(picked[0])
	for i, line := range picked {
		picked[i] = strings.TrimPrefix(line, outer)
	}
	return picked, nil
}

// indent returns the blanks that a line begins with.
func indent(line string) string {
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// blockEnd returns the index of the last line of what line i begins: of the lines
// that are indented by more, and of the bracket that closes what line i opens.
func blockEnd(lines []string, i int) int {
	opens := func(line string) bool { return line != "" && strings.ContainsAny(line[len(line)-1:], "({[") }
	end, open := i, opens(lines[i])
	for j := i + 1; j < len(lines); j++ {
		line := strings.TrimSpace(lines[j])
		deeper := len(indent(lines[j])) - len(indent(lines[i]))
		switch {
		case line == "":
		case deeper > 0:
			end = j
		case deeper == 0 && open && strings.ContainsAny(line[:1], ")}]"):
			end, open = j, opens(line) // "} else {" goes on
		default:
			return end
		}
	}
	return end
}

// before returns the two files whose difference the page of a stage has to show: the
// main.go of the stage before, and the stage's own.
func (b *Book) before(p *page) []string {
	stages := b.stages()
	for i, stage := range stages {
		if i > 0 && p.name == "docs/"+stage+".md" {
			return []string{stages[i-1] + "/main.go", stage + "/main.go"}
		}
	}
	return nil
}

// diffLines returns the lines of two texts as diff -u has them, each with its sign, with
// those that are the same in both.
func diffLines(from, to string) (lines []string) {
	add := func(sign string, texts []string) {
		for _, text := range texts {
			lines = append(lines, sign+text)
		}
	}
	old := strings.Split(strings.TrimSuffix(from, "\n"), "\n")
	at := 0
	for _, e := range myers.ComputeEdits("", from, to) {
		start, end := e.Span.Start().Line()-1, e.Span.End().Line()-1
		add(" ", old[at:start])
		add("-", old[start:end])
		if e.NewText != "" {
			add("+", strings.Split(strings.TrimSuffix(e.NewText, "\n"), "\n"))
		}
		at = end
	}
	add(" ", old[at:])
	return lines
}

// diffFiles returns the lines of two files of the repository as diff -u has them.
func (b *Book) diffFiles(files []string) ([]string, error) {
	from, err1 := b.read(files[0])
	to, err2 := b.read(files[1])
	return diffLines(string(from), string(to)), errors.Join(err1, err2)
}

// changed says whether a line of a diff is one that is removed or added.
func changed(line string) bool { return line[0] != ' ' }

// diff returns the lines of the difference of two files that a comment selects. If
// they are the files that the page has to show all of, it notes which lines these are.
func (b *Book) diff(args string, whole []string, shown map[int]bool) (picked []string, err error) {
	sel, err := parseSelection(args)
	if err != nil || len(sel.files) != 2 || len(sel.without) > 0 {
		return nil, errors.Join(errors.New(`want: diff OLD NEW "FIRST" to "LAST" and "FIRST" to "LAST"`), err)
	}
	lines, err := b.diffFiles(sel.files)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(lines)) // without the indentation
	for i, line := range lines {
		keys[i] = line[:1] + strings.TrimSpace(line[1:])
	}
	take := func(from, to int) {
		for i := from; i <= to; i++ {
			picked = append(picked, strings.TrimRight(lines[i], " "))
			if slices.Equal(sel.files, whole) {
				shown[i] = true
			}
		}
	}
	for _, s := range sel.spans {
		from, to, err := s.find(keys)
		if err != nil {
			return nil, fmt.Errorf("the difference of the files: %v", err)
		}
		for s.last == "" && to+1 < len(lines) && changed(lines[to+1]) {
			to++
		}
		take(from, to)
	}
	if len(sel.spans) == 0 {
		for _, h := range hunks(lines) {
			picked = append(picked, "@@")
			take(h[0], h[1])
		}
		picked = picked[min(1, len(picked)):]
	}
	return picked, nil
}

// hunks returns where in a diff there are changes, with three lines around them.
func hunks(lines []string) (hunks [][2]int) {
	const context = 3
	for i, line := range lines {
		if !changed(line) {
			continue
		}
		from, to := max(i-context, 0), min(i+context, len(lines)-1)
		if n := len(hunks); n > 0 && from <= hunks[n-1][1]+1 {
			hunks[n-1][1] = to
		} else {
			hunks = append(hunks, [2]int{from, to})
		}
	}
	return hunks
}

// checkWhole checks that the diffs of a stage's page show all that has changed,
// other than the package comment and empty lines.
func (b *Book) checkWhole(p *page, files []string, shown map[int]bool) {
	lines, err := b.diffFiles(files)
	if err != nil {
		b.problemf(p.name, 1, "%v", err)
		return
	}
	code := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, " package ") })
	for i, line := range lines {
		if i > code && changed(line) && strings.TrimSpace(line[1:]) != "" && !shown[i] {
			b.problemf(p.name, 1, "the diffs on this page do not show all of what has changed from %s to %s: %q is missing", files[0], files[1], line)
			return
		}
	}
}
