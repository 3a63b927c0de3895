package book

import (
	"errors"
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff/myers"
)

// An edit replaces a part of a page.
type edit struct {
	start, end int // offsets
	text       string
}

// apply returns the source of the page after the edits.
func (p *page) apply(edits []edit) string {
	slices.SortFunc(edits, func(x, y edit) int { return x.start - y.start })
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.Write(p.source[at:e.start])
		b.WriteString(e.text)
		at = e.end
	}
	b.Write(p.source[at:])
	return b.String()
}

// text returns lines as they stand in the block.
func (blk *block) text(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		if line != "" {
			line = blk.indent + line
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// save writes the edits into the page's file. It says whether they change it.
func (b *Book) save(p *page, edits []edit) (changed bool, err error) {
	text := p.apply(edits)
	if text == string(p.source) {
		return false, nil
	}
	return true, os.WriteFile(filepath.Join(b.root, filepath.FromSlash(p.name)), []byte(text), 0o666)
}

// Update writes the excerpts, the diffs and the numbers of lines into the pages and
// returns the names of those that have changed. What is wrong with a comment or a
// link stays as it is, and Check reports it.
func (b *Book) Update() (changed []string, err error) {
	for _, p := range b.pages {
		ok, err := b.save(p, b.written(p))
		if err != nil {
			return changed, err
		}
		if ok {
			changed = append(changed, p.name)
		}
	}
	return changed, nil
}

// checkWritten checks that Update would change nothing in the page.
func (b *Book) checkWritten(p *page) {
	lines := diffLines(string(p.source), p.apply(b.written(p)))
	number := 1
	for i := 0; i < len(lines); {
		is, shouldBe, at := "", "", number
		for ; i < len(lines) && changed(lines[i]); i++ {
			if lines[i][0] == '-' {
				is += lines[i][1:] + "\n"
				number++
			} else {
				shouldBe += lines[i][1:] + "\n"
			}
		}
		if is != shouldBe {
			b.problemf(p.name, at, "the page has %q and its source %q; to write it into the page: cd internal/proof && go test ./book -run Pages -update", is, shouldBe)
		}
		i++
		number++
	}
}

// written returns the edits that write what the page takes from other files, and
// reports what of that cannot be found.
func (b *Book) written(p *page) []edit {
	var edits []edit
	shown := make(map[int]bool)
	before := b.before(p)
	for _, blk := range p.blocks {
		var lines []string
		var err error
		switch verb, args := blk.verb(); verb {
		case "excerpt":
			lines, err = b.excerpt(args)
		case "diff":
			lines, err = b.diff(args, before, shown)
		default:
			continue
		}
		if err != nil {
			b.problemf(p.name, blk.line-1, "the comment %q: %v", blk.directive, err)
			continue
		}
		edits = append(edits, edit{blk.start, blk.end, blk.text(lines)})
	}
	if before != nil {
		b.checkWhole(p, before, shown)
	}
	for _, l := range p.links {
		if e, err := b.lineNumber(p, l); err != nil {
			b.problemf(p.name, l.line, "%v", err)
		} else if e.end > 0 {
			edits = append(edits, e)
		}
	}
	return edits
}

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
	add := func(sign, text string) {
		for line := range strings.Lines(text) {
			lines = append(lines, sign+strings.TrimSuffix(line, "\n"))
		}
	}
	at := 0
	for _, e := range myers.ComputeEdits(from, to) {
		add(" ", from[at:e.Start])
		add("-", from[e.Start:e.End])
		add("+", e.New)
		at = e.End
	}
	add(" ", from[at:])
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

var (
	lineAnchor = regexp.MustCompile(`^(.*)#L(\d+)$`)
	goSource   = regexp.MustCompile(`^https://github\.com/golang/go/blob/(go[0-9.]+)/src/(.+)$`)
)

// lineNumber returns the edit that makes a link to a line lead to the line whose
// code is its text; if there are several, to the nearest.
func (b *Book) lineNumber(p *page, l link) (edit, error) {
	target, anchor, _ := strings.Cut(l.dest, "#")
	external := goSource.FindStringSubmatch(target)
	name, _, _ := b.resolve(p, target)
	if anchor == "" || strings.HasSuffix(name, ".md") || b.dirs[name] || external == nil && strings.Contains(target, ":") {
		return edit{}, nil
	}
	m := lineAnchor.FindStringSubmatch(l.dest)
	if m == nil {
		return edit{}, fmt.Errorf("the link %q: the anchor of a line is #L52", l.dest)
	}
	if !l.code {
		return edit{}, fmt.Errorf("the link to %s quotes nothing of that line: make its code, in backticks, the text of the link", l.dest)
	}
	var lines []string
	var err error
	switch {
	case external == nil:
		lines, err = b.lines(name)
	case external[1] != runtime.Version():
		return edit{}, nil // this Go's own source is another
	default:
		var data []byte
		data, err = os.ReadFile(filepath.Join(build.Default.GOROOT, "src", filepath.FromSlash(external[2])))
		lines = strings.Split(string(data), "\n")
	}
	if err != nil {
		return edit{}, nil // checkLinks reports it
	}
	number := lineOf(lines, l.text, m[2])
	if number == 0 {
		return edit{}, fmt.Errorf("no line of %s has %q", name, l.text)
	}
	start := l.at + len(m[1]) + len("#L")
	return edit{start, start + len(m[2]), strconv.Itoa(number)}, nil
}

// lineOf returns the number of the line that has the code, or the nearest to the
// number given if there are several, or 0.
func lineOf(lines []string, code, near string) int {
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	wanted, best := squeeze(code), 0
	n, _ := strconv.Atoi(near)
	for i, line := range lines {
		if strings.Contains(squeeze(line), wanted) && (best == 0 || max(i+1-n, n-i-1) < max(best-n, n-best)) {
			best = i + 1
		}
	}
	return best
}

// rewrite makes the edits that make the page show what was printed: only the numbers
// of lines of Go, if all else agrees.
func (s *session) rewrite(t *terminal, text string) *Problem {
	m := regexp.MustCompile(`^` + t.shown.pattern(true) + `$`).FindStringSubmatch(text)
	if m == nil {
		return s.replace(t, text)
	}
	numbers := m[1:]
	for _, l := range t.shown {
		is := goLine.ReplaceAllStringFunc(l.text, func(string) string {
			number := numbers[0]
			numbers = numbers[1:]
			return ".go:" + number
		})
		s.edit(l.blk, l.line, 1, []string{is})
	}
	return nil
}

// replace makes the edit that replaces all that the page shows of the last command.
func (s *session) replace(t *terminal, text string) *Problem {
	first := t.line + 1
	if len(t.shown) > 0 {
		first = t.shown[0].line
	}
	if n := len(t.shown); n > 0 && t.shown[n-1].line != first+n-1 {
		_, message := t.shown.difference(text)
		return s.problemf(t.line, "-update cannot write the output of %q, of which the page shows parts: terminal %s %s", t.command, t.name, message)
	}
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		for _, v := range varying {
			line = v.re.ReplaceAllString(line, v.by)
		}
		lines = append(lines, line)
	}
	blk := t.blk
	if len(t.shown) > 0 {
		blk = t.shown[0].blk
	}
	s.edit(blk, first, len(t.shown), lines)
	return nil
}

// edit replaces n lines of the page, from a line on.
func (s *session) edit(blk *block, line, n int, by []string) {
	s.edits = append(s.edits, edit{s.page.offset(line), s.page.offset(line + n), blk.text(by)})
}

// varying is what is known to differ from run to run, and what the page shows for it.
var varying = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`0x[0-9a-f]+`), "0x..."},
	{regexp.MustCompile(`\bgoroutine ([2-9]|\d\d+)\b`), "goroutine ..."},
	{regexp.MustCompile(`\b\d+(?:\.\d+)?( ?m?s| milliseconds)\b`), "...$1"},
}
