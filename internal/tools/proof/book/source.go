package book

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hexops/gotextdiff"
	"github.com/hexops/gotextdiff/myers"
)

// difference returns the difference of two texts as diff -u has it, or "".
func difference(from, to string) string {
	return fmt.Sprint(gotextdiff.ToUnified("the page", "its sources", from, myers.ComputeEdits("", from, to)))
}

// fill finds out what an excerpt or a diff should be.
func (b *book) fill(p *page, blk *block) {
	var lines []string
	var err error
	switch blk.kind {
	case "excerpt":
		lines, err = b.excerpt(blk.args)
	case "diff":
		lines, err = b.diff(blk.args)
	default:
		return
	}
	if err != nil {
		b.problemf(p, blk.line-1, "%s %s: %v", blk.kind, blk.args, err)
	} else if !slices.Equal(lines, blk.lines) {
		p.replace(blk, blk.line+1, len(blk.lines), lines)
	}
}

var goSource = regexp.MustCompile(`^https://github\.com/golang/go/blob/(go[0-9.]+)/(.+)$`)

// lineNumber returns the number of the only line of a file that has the text; blanks do not
// count. The file is in the repository, or in the source of Go, if dest leads there.
func (b *book) lineNumber(name, dest, text string) (int, error) {
	file := b.path(name)
	if m := goSource.FindStringSubmatch(dest); m != nil {
		cmd := exec.Command("go", "env", "GOROOT")
		cmd.Env = append(os.Environ(), "GOTOOLCHAIN="+m[1], "GOROOT=")
		root, err := cmd.Output()
		if err != nil {
			return 0, fmt.Errorf("the source of %s is not to be had: %v", m[1], err)
		}
		name, file = dest, filepath.Join(strings.TrimSpace(string(root)), filepath.FromSlash(m[2]))
	}
	data, err := os.ReadFile(file)
	var lines []int
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	for i, line := range strings.Split(string(data), "\n") {
		if strings.Contains(squeeze(line), squeeze(text)) {
			lines = append(lines, i+1)
		}
	}
	if len(lines) != 1 || err != nil {
		return 0, fmt.Errorf("%d lines of %s have %q; a link to a line quotes that line alone", len(lines), name, text)
	}
	return lines[0], nil
}

// A span selects lines by texts in them: from the only line with first to the next line
// with last. A text of several lines stands for the line in which it begins.
type span struct{ first, last string }

var token = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`|\\S+")

// parseSelection reads: FILE... ["FIRST" [to "LAST"] [and "FIRST" ...]]
func parseSelection(args string) (files []string, spans []span) {
	tokens := token.FindAllString(args, -1)
	for i, word := range tokens {
		text, err := strconv.Unquote(word)
		switch {
		case word == "to" || word == "and":
		case err != nil:
			files = append(files, word)
		case len(spans) > 0 && tokens[i-1] == "to":
			spans[len(spans)-1].last = text
		default:
			spans = append(spans, span{first: text})
		}
	}
	return files, spans
}

// find returns the indexes of the first and the last line of the text that the span names.
func (s span) find(text string) (from, to int, err error) {
	first := strings.Index(text, s.first)
	switch n := strings.Count(text, s.first); {
	case n == 0:
		return 0, 0, fmt.Errorf("no line has %q", s.first)
	case n > 1:
		return 0, 0, fmt.Errorf("%d lines have %q: quote more of the one that is meant", n, s.first)
	}
	last := strings.Index(text[first:], s.last)
	if last < 0 {
		return 0, 0, fmt.Errorf("no line after the one with %q has %q", s.first, s.last)
	}
	return strings.Count(text[:first], "\n"), strings.Count(text[:first+last], "\n"), nil
}

// excerpt returns the lines of a file that a comment selects.
func (b *book) excerpt(args string) ([]string, error) {
	files, spans := parseSelection(args)
	if len(files) != 1 {
		return nil, errors.New(`want: excerpt FILE "FIRST" to "LAST" and "FIRST" to "LAST"`)
	}
	text, err := b.read(files[0])
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if err != nil || len(spans) == 0 {
		return lines, err
	}
	var picked []string
	for i, s := range spans {
		from, to, err := s.find(text)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			picked = append(picked, max(indent(picked[len(picked)-1]), indent(lines[from]))+"// ...")
		}
		picked = append(picked, lines[from:blockEnd(lines, to)]...)
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

// blockEnd returns the index after the block that line i begins: the lines that are indented
// by more, and the closing bracket.
func blockEnd(lines []string, i int) int {
	outer, end := indent(lines[i]), i+1
	for end < len(lines) && (lines[end] == "" || len(indent(lines[end])) > len(outer)) {
		end++
	}
	if end < len(lines) && end > i+1 && indent(lines[end]) == outer && strings.ContainsAny(lines[end][len(outer):][:1], ")}]") {
		return end + 1
	}
	for lines[end-1] == "" {
		end--
	}
	return end
}

// diffFiles returns the lines of the difference of two files, each with its sign, and @@
// between the places. Of a Go file, what precedes the package clause is left out.
func (b *book) diffFiles(from, to string) (lines []string, err error) {
	old, err1 := b.read(from)
	new, err2 := b.read(to)
	code := func(text string) string { return text[max(0, strings.Index(text, "\npackage ")):] }
	_, text, _ := strings.Cut(difference(code(old), code(new)), "\n@@")
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, "@@") {
			line = "@@"
		}
		if i > 0 { // behind the rest of the first @@
			lines = append(lines, strings.TrimRight(line, " "))
		}
	}
	return lines, errors.Join(err1, err2)
}

var (
	changed    = regexp.MustCompile(`^[-+]`)
	diffIndent = regexp.MustCompile(`(?m)^([-+ ])[ \t]+`)
)

// diff returns the lines of the difference of two files that a comment selects.
func (b *book) diff(args string) (picked []string, err error) {
	files, spans := parseSelection(args)
	if len(files) != 2 {
		return nil, errors.New(`want: diff OLD NEW "FIRST" to "LAST" and "FIRST" to "LAST"`)
	}
	lines, err := b.diffFiles(files[0], files[1])
	if err != nil || len(spans) == 0 {
		return lines, err
	}
	text := diffIndent.ReplaceAllString(strings.Join(lines, "\n")+"\n", "$1")
	for _, s := range spans {
		from, to, err := s.find(text)
		if err != nil {
			return nil, fmt.Errorf("the difference of the files: %v", err)
		}
		for s.last == "" && to+1 < len(lines) && changed.MatchString(lines[to+1]) {
			to++
		}
		picked = append(picked, lines[from:to+1]...)
	}
	return picked, nil
}

// checkWhole checks that the diffs of two files on a page show every line that has changed,
// other than empty lines.
func (b *book) checkWhole(name, from, to string) {
	i := slices.IndexFunc(b.pages, func(p *page) bool { return p.name == name })
	if i < 0 {
		b.problems = append(b.problems, name+": this page is missing")
		return
	}
	shown := make(map[string]int) // how often the page shows a line
	for _, blk := range b.pages[i].blocks {
		if files, _ := parseSelection(blk.args); blk.kind == "diff" && slices.Equal(files, []string{from, to}) {
			for _, line := range blk.lines {
				shown[line]++
			}
		}
	}
	lines, err := b.diffFiles(from, to)
	if err != nil {
		b.problemf(b.pages[i], 1, "%v", err)
	}
	for _, line := range lines {
		shown[line]--
		if changed.MatchString(line) && len(line) > 1 && shown[line] < 0 {
			b.problemf(b.pages[i], 1, "the diffs from %s to %s do not show every change: %q is missing", from, to, line)
			return
		}
	}
}
