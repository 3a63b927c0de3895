package book

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// linesOf splits a text into lines.
func linesOf(text []byte) []string {
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// source returns the lines of a file that a block speaks of. It reports it if
// there is no such file.
func (b *Book) source(p *page, blk *block, name string) ([]string, bool) {
	f, ok := b.files[name]
	if !ok {
		b.problemf(p.name, blk.line-1, "the comment %q: there is no %s", blk.directive, name)
		return nil, false
	}
	return linesOf(f.data), true
}

// elides says whether a line of an excerpt stands for lines that are left out.
func elides(line string) bool {
	switch strings.TrimSpace(line) {
	case "...", "// ...", "# ...", "<!-- ... -->":
		return true
	}
	return false
}

// checkExcerpt checks that the block's lines stand in the file, one after the
// other but for those left out, and all of them indented by as much more as the
// first.
func (b *Book) checkExcerpt(p *page, blk *block, name string) {
	source, ok := b.source(p, blk, name)
	if !ok {
		return
	}
	var chunks [][]string
	var starts []int // in the block
	fresh := true
	for i, line := range blk.lines {
		if elides(line) {
			fresh = true
			continue
		}
		if fresh {
			chunks, starts, fresh = append(chunks, nil), append(starts, i), false
		}
		chunks[len(chunks)-1] = append(chunks[len(chunks)-1], line)
	}
	if len(chunks) == 0 {
		b.problemf(p.name, blk.line, "the excerpt of %s shows no line of it", name)
		return
	}

	// Try the first chunk everywhere; each place fixes the indentation.
	badChunk, badLine, badAt := 0, 0, -1 // the furthest that any try got
	for at := range source {
		indent, ok := strings.CutSuffix(source[at], chunks[0][0])
		if !ok || strings.TrimSpace(indent) != "" {
			continue
		}
		next := at
		matched := true
		for c, chunk := range chunks {
			best, bestAt := -1, -1
			found := false
			for from := next; from < len(source) && (c > 0 || from == at); from++ {
				n := agree(source[from:], chunk, indent)
				if n == len(chunk) {
					next, found = from+n, true
					break
				}
				if n > best {
					best, bestAt = n, from
				}
			}
			if !found {
				if c > badChunk || c == badChunk && best > badLine || badAt < 0 {
					badChunk, badLine, badAt = c, max(best, 0), bestAt
				}
				matched = false
				break
			}
		}
		if matched {
			return
		}
	}
	line := blk.line + 1 + starts[badChunk] + badLine
	shown := chunks[badChunk][badLine]
	switch at := badAt + badLine; {
	case badAt < 0 || badLine == 0:
		b.problemf(p.name, line, "the excerpt's line %q is not in %s, or not at this place", shown, name)
	case at >= len(source):
		b.problemf(p.name, line, "the excerpt's line %q comes after the end of %s", shown, name)
	default:
		b.problemf(p.name, line, "the excerpt has %q where %s:%d has %q", shown, name, at+1, source[at])
	}
}

// agree returns how many lines of the chunk, indented, the source begins with.
func agree(source, chunk []string, indent string) int {
	for i, line := range chunk {
		if line != "" {
			line = indent + line
		}
		if i >= len(source) || source[i] != line {
			return i
		}
	}
	return len(chunk)
}

// A piece is a part of a diff: consecutive lines, each with its sign.
type piece struct {
	blk   *block
	line  int // of the page
	lines []string
	p, q  int // where it must stand, if a numbered @@ says so; else -1
}

// side returns the lines of the old file ('-') or of the new ('+').
func (pc piece) side(sign byte) []string {
	var lines []string
	for _, line := range pc.lines {
		switch {
		case line == "":
			lines = append(lines, "") // an editor took the blank of an empty line of context
		case line[0] == ' ' || line[0] == sign:
			lines = append(lines, line[1:])
		}
	}
	return lines
}

// core takes the context off both ends. It returns how much was before.
func (pc piece) core() (piece, int) {
	changed := func(line string) bool { return line != "" && line[0] != ' ' }
	i := slices.IndexFunc(pc.lines, changed)
	j := len(pc.lines)
	for j > i && !changed(pc.lines[j-1]) {
		j--
	}
	pc.lines = pc.lines[i:j]
	return pc, i
}

var hunkLine = regexp.MustCompile(`^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@`)

// pieces takes a block of diff apart. The error names what a diff does not have.
func (blk *block) pieces() ([]piece, error) {
	var pieces []piece
	open := false
	p, q := -1, -1
	for i, line := range blk.lines {
		switch {
		case strings.HasPrefix(line, "@@"):
			open, p, q = false, -1, -1
			if m := hunkLine.FindStringSubmatch(line); m != nil {
				p, q = lineNumber(m[1], m[2]), lineNumber(m[3], m[4])
			} else if strings.ContainsAny(line, "0123456789") {
				return nil, fmt.Errorf("line %d of the block begins with @@ and is no header of a hunk: %q", i+1, line)
			}
		case line == "" || line[0] == ' ' || line[0] == '-' || line[0] == '+':
			if !open {
				pieces, open = append(pieces, piece{blk: blk, line: blk.line + 1 + i, p: p, q: q}), true
			}
			last := &pieces[len(pieces)-1]
			last.lines = append(last.lines, line)
		default:
			return nil, fmt.Errorf("line %d of the block has none of a diff's signs (blank, - and +): %q", i+1, line)
		}
	}
	for _, pc := range pieces {
		if !slices.ContainsFunc(pc.lines, func(line string) bool { return line != "" && line[0] != ' ' }) {
			return nil, fmt.Errorf("the lines from %q on change nothing", pc.lines[0])
		}
	}
	if len(pieces) == 0 {
		return nil, fmt.Errorf("the block is empty")
	}
	return pieces, nil
}

// lineNumber returns the index of the first line of a hunk's range.
func lineNumber(start, count string) int {
	n, _ := strconv.Atoi(start)
	if count == "0" {
		return n // diff then gives the line before
	}
	return n - 1
}

// hasAt says whether the lines stand in the text at index i.
func hasAt(text, lines []string, i int) bool {
	return i >= 0 && i+len(lines) <= len(text) && slices.Equal(text[i:i+len(lines)], lines)
}

// has says where the lines stand in the text, once or more.
func has(text, lines []string) []int {
	var at []int
	for i := range text {
		if hasAt(text, lines, i) {
			at = append(at, i)
		}
	}
	if len(lines) == 0 {
		at = append(at, len(text))
	}
	return at
}

// A change names the two files of a diff.
type change struct{ from, to string }

func (blk *block) change() (change, bool) {
	f := strings.Fields(blk.directive)
	if blk.unchecked || blk.lang != "diff" || len(f) == 0 || f[0] != "diff" {
		return change{}, false
	}
	if len(f) != 3 {
		return change{}, true
	}
	return change{f[1], f[2]}, true
}

// checkDiffs checks the diffs of a page, and on the page of a stage that they
// show all that has changed in main.go since the stage before.
func (b *Book) checkDiffs(p *page) {
	var changes []change
	pieces := make(map[change][]piece)
	broken := make(map[change]bool)
	for _, blk := range p.blocks {
		c, ok := blk.change()
		if !ok {
			continue
		}
		if c == (change{}) {
			b.problemf(p.name, blk.line-1, "want: <!-- diff FROM TO -->, not %q", blk.directive)
			continue
		}
		if !slices.Contains(changes, c) {
			changes = append(changes, c)
		}
		from, ok1 := b.source(p, blk, c.from)
		to, ok2 := b.source(p, blk, c.to)
		if !ok1 || !ok2 {
			broken[c] = true
			continue
		}
		pcs, err := blk.pieces()
		if err != nil {
			b.problemf(p.name, blk.line, "%v", err)
			broken[c] = true
			continue
		}
		for _, pc := range pcs {
			if !b.stands(p, pc, '-', c.from, from) || !b.stands(p, pc, '+', c.to, to) {
				broken[c] = true
			}
		}
		pieces[c] = append(pieces[c], pcs...)
	}

	var whole change // what the page has to show all of
	stages := b.stages()
	for i, stage := range stages {
		if i > 0 && p.name == "docs/"+stage+".md" {
			whole = change{stages[i-1] + "/main.go", stage + "/main.go"}
		}
	}
	for _, c := range changes {
		if !broken[c] {
			b.checkDiff(p, c, pieces[c], c == whole)
		}
	}
	if whole != (change{}) && !slices.Contains(changes, whole) {
		b.problemf(p.name, 1, "the page shows nothing of the diff of its stage: no block has the comment <!-- diff %s %s -->", whole.from, whole.to)
	}
}

// stands checks that one side of a piece stands in its file, and reports the
// line that does not.
func (b *Book) stands(p *page, pc piece, sign byte, name string, text []string) bool {
	lines := pc.side(sign)
	at := pc.p
	if sign == '+' {
		at = pc.q
	}
	if at >= 0 {
		if !hasAt(text, lines, at) {
			b.problemf(p.name, pc.line-1, "the numbers of the hunk are not those of the real diff: its lines do not stand at %s:%d", name, at+1)
			return false
		}
		return true
	}
	if len(has(text, lines)) > 0 {
		return true
	}
	best, bestAt := 0, -1
	for i := range text {
		if n := agree(text[i:], lines, ""); n > best {
			best, bestAt = n, i
		}
	}
	if bestAt < 0 {
		b.problemf(p.name, pc.line, "the diff's line %q is not in %s", lines[0], name)
		return false
	}
	// Which line of the page is that?
	line, n := pc.line, -1
	for i, l := range pc.lines {
		if l == "" || l[0] == ' ' || l[0] == sign {
			n++
		}
		if n == best {
			line = pc.line + i
			break
		}
	}
	if bestAt+best < len(text) {
		b.problemf(p.name, line, "the diff has %q where %s:%d has %q", lines[best], name, bestAt+best+1, text[bestAt+best])
	} else {
		b.problemf(p.name, line, "the diff has %q, and %s has ended", lines[best], name)
	}
	return false
}

// checkDiff checks that the pieces belong to one way of making the new file of
// the old one, and, if they have to be the whole of it, that they make it; the
// package comment may be left out.
func (b *Book) checkDiff(p *page, c change, pieces []piece, whole bool) {
	from, to := linesOf(b.files[c.from].data), linesOf(b.files[c.to].data)
	cores := make([]piece, len(pieces))
	for i, pc := range pieces {
		core, before := pc.core()
		core.line += before
		if core.p >= 0 {
			core.p, core.q = core.p+before, core.q+before
		}
		cores[i] = core
	}
	used := make([]bool, len(cores))
	bestX, bestY, bestUsed := -1, -1, 0

	// From x in the old file and y in the new one, the pieces not yet used make the rest.
	var rest func(x, y, n int) bool
	rest = func(x, y, n int) bool {
		k := 0 // lines that are the same
		for x+k < len(from) && y+k < len(to) && from[x+k] == to[y+k] {
			k++
		}
		if n > bestUsed || n == bestUsed && x+k > bestX {
			bestX, bestY, bestUsed = x+k, y+k, n
		}
		if x+k == len(from) && y+k == len(to) && n == len(cores) {
			return true
		}
		for ; k >= 0; k-- {
			for i, pc := range cores {
				if used[i] || pc.p >= 0 && (pc.p != x+k || pc.q != y+k) {
					continue
				}
				before, after := pc.side('-'), pc.side('+')
				if !hasAt(from, before, x+k) || !hasAt(to, after, y+k) {
					continue
				}
				used[i] = true
				if rest(x+k+len(before), y+k+len(after), n+1) {
					return true
				}
				used[i] = false
			}
		}
		return false
	}
	x, y := packageLine(from), packageLine(to)
	if rest(0, 0, 0) {
		return
	}
	bestX, bestY, bestUsed = -1, -1, 0
	if rest(x, y, 0) {
		return
	}
	if !whole {
		// Parts of a diff, shown to make a point: each has to be part of a shortest one.
		common := newCommon(from, to)
		for i, pc := range cores {
			if !common.onShortest(pc) {
				b.problemf(p.name, pieces[i].line, "the lines of this piece stand in %s and in %s, and diff does not make one into the other", c.from, c.to)
			}
		}
		return
	}
	at := func(name string, text []string, i int) string {
		if i >= len(text) {
			return "the end of " + name
		}
		return fmt.Sprintf("%s:%d, %q", name, i+1, text[i])
	}
	b.problemf(p.name, pieces[0].blk.line, "the diffs on this page are not the whole of what has changed: no block explains how %s becomes %s (make diff shows it all)",
		at(c.from, from, bestX), at(c.to, to, bestY))
}

// common knows the length of the longest common subsequence of what is before and
// after any two places in two files.
type common struct {
	from, to      []string
	before, after [][]int
}

func newCommon(from, to []string) common {
	c := common{from: from, to: to}
	for range len(from) + 1 {
		c.before = append(c.before, make([]int, len(to)+1))
		c.after = append(c.after, make([]int, len(to)+1))
	}
	for i := 1; i <= len(from); i++ {
		for j := 1; j <= len(to); j++ {
			c.before[i][j] = max(c.before[i-1][j], c.before[i][j-1])
			if from[i-1] == to[j-1] {
				c.before[i][j] = c.before[i-1][j-1] + 1
			}
		}
	}
	for i := len(from) - 1; i >= 0; i-- {
		for j := len(to) - 1; j >= 0; j-- {
			c.after[i][j] = max(c.after[i+1][j], c.after[i][j+1])
			if from[i] == to[j] {
				c.after[i][j] = c.after[i+1][j+1] + 1
			}
		}
	}
	return c
}

// onShortest says whether a shortest diff of the two files has the piece.
func (c common) onShortest(pc piece) bool {
	before, after := pc.side('-'), pc.side('+')
	kept := 0
	for _, line := range pc.lines {
		if line == "" || line[0] == ' ' {
			kept++
		}
	}
	for _, x := range has(c.from, before) {
		for _, y := range has(c.to, after) {
			if pc.p >= 0 && (pc.p != x || pc.q != y) {
				continue
			}
			if c.before[x][y]+kept+c.after[x+len(before)][y+len(after)] == c.before[len(c.from)][len(c.to)] {
				return true
			}
		}
	}
	return false
}

// packageLine returns the index of the package clause, which ends the package comment.
func packageLine(text []string) int {
	i := slices.IndexFunc(text, func(line string) bool { return strings.HasPrefix(line, "package ") })
	return max(i, 0)
}

// apply makes the change that the block shows in a text. The error says which
// part does not fit, or fits in more than one place.
func (blk *block) apply(text []string) ([]string, error) {
	pieces, err := blk.pieces()
	if err != nil {
		return nil, err
	}
	for _, pc := range pieces {
		before, after := pc.side('-'), pc.side('+')
		if len(before) == 0 {
			return nil, fmt.Errorf("the change %q says nothing of where it belongs: show a line before or after it", pc.lines[0])
		}
		switch at := has(text, before); len(at) {
		case 0:
			return nil, fmt.Errorf("the lines from %q on do not stand in the file", before[0])
		case 1:
			text = slices.Concat(text[:at[0]], after, text[at[0]+len(before):])
		default:
			return nil, fmt.Errorf("the lines from %q on stand in the file %d times: show more of what is around them", before[0], len(at))
		}
	}
	return text, nil
}
