package book

import (
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
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
		data, err := os.ReadFile(filepath.Join(build.Default.GOROOT, "src", filepath.FromSlash(external[2])))
		if err != nil {
			return edit{}, err
		}
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
