package book

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hexops/gotextdiff"
	"github.com/hexops/gotextdiff/myers"
)

// An edit replaces the lines from:to of a page, counted from 0.
type edit struct {
	from, to int
	lines    []string
}

// edit returns the edit that replaces n of the page's lines, from a line of the block
// on, counted from 1.
func (blk *block) edit(line, n int, lines []string) edit {
	lines = slices.Clone(lines)
	for i := range lines {
		if lines[i] != "" {
			lines[i] = blk.indent + lines[i]
		}
	}
	return edit{line - 1, line - 1 + n, lines}
}

// apply returns the text of the page after the edits.
func (p *page) apply(edits []edit) string {
	lines := slices.Clone(p.lines)
	slices.SortFunc(edits, func(x, y edit) int { return y.from - x.from })
	for _, e := range edits { // from the last to the first: the numbers of those before stay
		lines = slices.Replace(lines, e.from, e.to, e.lines...)
	}
	return strings.Join(lines, "\n")
}

// save writes a page's new text, if it is another.
func (b *Book) save(p *page, text string) error {
	if text == string(p.source) {
		return nil
	}
	return os.WriteFile(b.path(p.name), []byte(text), 0o666)
}

// diff returns the difference of two texts as diff -u has it.
func diff(from, to string) gotextdiff.Unified {
	return gotextdiff.ToUnified("the page", "its sources", from, myers.ComputeEdits("", from, to))
}

// checkWritten checks that the page has what written returns.
func (b *Book) checkWritten(p *page) {
	if d := diff(string(p.source), b.written(p)); len(d.Hunks) > 0 {
		p.problemf(d.Hunks[0].FromLine, "the page is not what its sources say; "+
			"to write it: cd internal/tools && go test ./proof/book -run Pages -update\n%s", d)
	}
}

// written returns the text of the page with the excerpts, the diffs and the numbers of
// lines as its sources have them, and reports what of that cannot be found.
func (b *Book) written(p *page) string {
	var edits []edit
	for _, blk := range p.blocks {
		var lines []string
		var err error
		switch blk.kind {
		case "excerpt":
			lines, err = b.excerpt(blk.args)
		case "diff":
			lines, err = b.diff(blk.args)
		default:
			continue
		}
		if err != nil {
			p.problemf(blk.line-1, "%s %s: %v", blk.kind, blk.args, err)
			continue
		}
		edits = append(edits, blk.edit(blk.line+1, len(blk.lines), lines))
	}
	text := p.apply(edits)
	for _, l := range p.links {
		if !lineAnchor.MatchString(l.dest) {
			continue
		}
		quote := "[`" + l.text + "`]("
		if !strings.Contains(text, quote+l.dest+")") {
			p.problemf(l.line, "the link to %s quotes nothing of that line: its text is the line's code, in backticks",
				l.dest)
		} else if dest, err := b.numbered(p, l); err != nil {
			p.problemf(l.line, "%v", err)
		} else {
			text = strings.ReplaceAll(text, quote+l.dest+")", quote+dest+")")
		}
	}
	return text
}

// A span names lines by texts that they have: from the one line with first to the next
// with last. A text that goes on over several lines names the line that it begins in.
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
		return 0, 0, fmt.Errorf("%d lines have %q: say more of the one that is meant", n, s.first)
	}
	last := strings.Index(text[first:], s.last)
	if last < 0 {
		return 0, 0, fmt.Errorf("no line after the one with %q has %q", s.first, s.last)
	}
	return strings.Count(text[:first], "\n"), strings.Count(text[:first+last], "\n"), nil
}

// excerpt returns the lines of a file that a comment selects.
func (b *Book) excerpt(args string) ([]string, error) {
	files, spans := parseSelection(args)
	if len(files) != 1 {
		return nil, errors.New(`want: excerpt FILE "FIRST" to "LAST" and "FIRST" to "LAST"`)
	}
	text, err := b.read(files[0])
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if err != nil || len(spans) == 0 {
		return lines, err
	}
	var picked []string
	for i, s := range spans {
		from, to, err := s.find(string(text))
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

// blockEnd returns the index after the last line of what line i begins: of the lines
// that are indented by more, and of the bracket that closes them.
func blockEnd(lines []string, i int) int {
	end := i + 1
	for j, line := range lines[end:] {
		deeper := len(indent(line)) - len(indent(lines[i]))
		closes := deeper == 0 && strings.ContainsAny(line[:min(1+len(indent(line)), len(line))], ")}]")
		switch {
		case line == "":
		case deeper > 0:
			end = i + 1 + j + 1
		case closes && end > i+1:
			return i + 1 + j + 1
		default:
			return end
		}
	}
	return end
}

// diffFiles returns the lines of the difference of two files, each with its sign, and @@
// between the places. Of a Go file, what stands before the package clause is left out.
func (b *Book) diffFiles(from, to string) (lines []string, err error) {
	old, err1 := b.read(from)
	new, err2 := b.read(to)
	code := func(text []byte) string { return string(text[max(0, bytes.Index(text, []byte("\npackage "))):]) }
	for i, line := range strings.Split(fmt.Sprint(diff(code(old), code(new))), "\n") {
		if strings.HasPrefix(line, "@@") {
			line = "@@"
		}
		if i > 2 { // behind the names and the first @@
			lines = append(lines, strings.TrimRight(line, " "))
		}
	}
	return lines[:max(0, len(lines)-1)], errors.Join(err1, err2)
}

var (
	changed    = regexp.MustCompile(`^[-+]`)
	diffIndent = regexp.MustCompile(`(?m)^([-+ ])[ \t]+`)
)

// diff returns the lines of the difference of two files that a comment selects.
func (b *Book) diff(args string) (picked []string, err error) {
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

// checkWhole checks that the page's diffs of two files show all that has changed, other
// than empty lines.
func (b *Book) checkWhole(p *page, from, to string) {
	shown := make(map[string]int) // how often the page shows a line
	for _, blk := range p.blocks {
		if files, _ := parseSelection(blk.args); blk.kind == "diff" && slices.Equal(files, []string{from, to}) {
			for _, line := range blk.lines {
				shown[line]++
			}
		}
	}
	lines, err := b.diffFiles(from, to)
	if err != nil {
		p.problemf(1, "%v", err)
	}
	for _, line := range lines {
		shown[line]--
		if changed.MatchString(line) && len(line) > 1 && shown[line] < 0 {
			p.problemf(1, "the diffs on this page do not show all of what has changed from %s to %s: %q is missing",
				from, to, line)
			return
		}
	}
}
