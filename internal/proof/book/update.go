package book

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// An edit replaces n lines of a page, from a line on.
type edit struct {
	line, n int
	by      []string
}

// take makes the edit that a segment needs, and takes what was printed
// for right from here on.
func (s *session) take(t *terminal, seg segment) {
	lines, _, _ := s.printed(t)
	if !match(t.pats, lines).full {
		fresh := lines[min(t.taken, len(lines)):]
		by := merge(seg.output, fresh)
		if blk := s.page.blockAt(seg.line); blk != nil {
			for i, line := range by {
				if line != "" {
					by[i] = strings.Repeat(" ", blk.indent) + line
				}
			}
		}
		s.result.edits = append(s.result.edits, edit{seg.first, len(seg.output), by})
		t.pats = nil
		for _, line := range lines {
			t.pats = append(t.pats, pattern{line: seg.line, text: line, re: newPattern(0, line).re})
		}
	}
	t.taken = len(lines)
}

func (p *page) blockAt(line int) *block {
	for _, blk := range p.blocks {
		if blk.line <= line && line <= blk.line+len(blk.lines) {
			return blk
		}
	}
	return nil
}

// Update writes into the pages what the sessions have printed, the diffs that are
// empty or no longer right, and the numbers of the lines that links lead to. It
// returns the names of the pages that it has changed.
func (b *Book) Update(results []*Result) ([]string, error) {
	var changed []string
	for _, p := range b.pages {
		lines := slices.Clone(p.lines)
		b.moveLinks(p, lines)
		edits := b.fillDiffs(p)
		for _, r := range results {
			if r.Page == p.name {
				edits = append(edits, r.edits...)
			}
		}
		slices.SortFunc(edits, func(x, y edit) int { return y.line - x.line })
		for _, e := range edits {
			lines = slices.Replace(lines, e.line-1, e.line-1+e.n, e.by...)
		}
		if slices.Equal(lines, p.lines) {
			continue
		}
		file := filepath.Join(b.root, filepath.FromSlash(p.name))
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o666); err != nil {
			return changed, err
		}
		changed = append(changed, p.name)
	}
	return changed, nil
}

// moveLinks makes the links to lines lead to the line that has what they quote.
func (b *Book) moveLinks(p *page, lines []string) {
	for _, l := range p.links {
		name, anchor, ok := b.resolve(p, l.dest)
		m := lineAnchor.FindStringSubmatch(anchor)
		if strings.Contains(l.dest, ":") || !ok || m == nil || strings.HasSuffix(name, ".md") {
			continue
		}
		quote := quotation(l)
		source := linesOf(b.files[name].data)
		from, _ := strconv.Atoi(m[1])
		if quote == "" || from >= 1 && from <= len(source) && quotes(source[from-1], quote) {
			continue
		}
		now := lineOf(source, quote, from)
		if now == 0 {
			continue
		}
		target, _, _ := strings.Cut(l.dest, "#")
		anchorNow, textNow := "#L"+strconv.Itoa(now), ":"+strconv.Itoa(now)
		textWas := ":" + m[1]
		if m[2] != "" {
			to, _ := strconv.Atoi(m[2])
			anchorNow += "-L" + strconv.Itoa(to+now-from)
			textNow += "-" + strconv.Itoa(to+now-from)
			textWas += "-" + m[2]
		}
		was := l.para.text[l.start:l.end]
		is := strings.Replace(was, "("+l.dest, "("+target+anchorNow, 1)
		if namedLine.MatchString(strings.Trim(l.text, "`")) {
			is = strings.Replace(is, textWas, textNow, 1)
		}
		// A link may be spread over lines; each of its lines is found in the page's.
		wasLines, isLines := strings.Split(was, "\n"), strings.Split(is, "\n")
		for i := range wasLines {
			at := l.line - 1 + i
			lines[at] = strings.Replace(lines[at], wasLines[i], isLines[i], 1)
		}
	}
}

// fillDiffs fills the diff blocks that are empty with what the others of the page do
// not show, and replaces one that is wrong if it is the page's only one of that diff.
func (b *Book) fillDiffs(p *page) []edit {
	var edits []edit
	blocks := make(map[change][]*block)
	for _, blk := range p.blocks {
		if c, ok := blk.change(); ok && c.to != "" {
			blocks[c] = append(blocks[c], blk)
		}
	}
	for c, blks := range blocks {
		i := slices.IndexFunc(blks, func(blk *block) bool { return len(blk.lines) == 0 })
		if i < 0 {
			if len(blks) > 1 || !b.wrong(p, blks[0]) {
				continue
			}
			i = 0
		}
		shown := make(map[string]bool)
		for j, blk := range blks {
			for _, line := range blk.lines {
				if j != i && line != "" && line[0] != ' ' {
					shown[line] = true
				}
			}
		}
		var by []string
		for _, hunk := range b.hunks(c) {
			if slices.ContainsFunc(hunk, func(line string) bool { return strings.ContainsAny(line[:1], "+-") && !shown[line] }) {
				by = append(by, hunk...)
			}
		}
		edits = append(edits, edit{blks[i].line + 1, len(blks[i].lines), by})
	}
	return edits
}

// wrong says whether Check has found something wrong with a block of the page.
func (b *Book) wrong(p *page, blk *block) bool {
	return slices.ContainsFunc(b.problems, func(pr Problem) bool {
		return pr.Page == p.name && pr.Line >= blk.line && pr.Line <= blk.line+len(blk.lines)
	})
}

// hunks returns the hunks of a diff as diff -u, and make diff, print them, without
// those that only change the package comment.
func (b *Book) hunks(c change) [][]string {
	diff := exec.Command("diff", "-u", c.from, c.to)
	diff.Dir = b.root
	out, _ := diff.Output() // it fails because the files differ
	var hunks [][]string
	for _, line := range linesOf(out) {
		switch {
		case strings.HasPrefix(line, "@@"):
			hunks = append(hunks, []string{line})
		case len(hunks) > 0 && line != "":
			hunks[len(hunks)-1] = append(hunks[len(hunks)-1], line)
		}
	}
	return slices.DeleteFunc(hunks, func(hunk []string) bool {
		i := slices.IndexFunc(hunk, func(line string) bool { return strings.HasPrefix(line, " package ") })
		return i >= 0 && !slices.ContainsFunc(hunk[i:], func(line string) bool { return line[0] != ' ' })
	})
}
