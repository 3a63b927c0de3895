// Package book checks the workbook's pages, README.md and docs/*.md. Excerpts, diffs and
// line numbers must agree with the sources, links must lead somewhere, and console
// sessions, run in real terminals, must print what the page shows. README.md in this
// folder says how to write a page.
package book

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A book is the pages of a repository.
type book struct {
	root     string
	files    fs.FS // of root
	pages    []*page
	problems []string // as in "docs/README.md:12: the link ..."
}

// A page is a Markdown file, taken apart line by line.
type page struct {
	name   string   // as in docs/README.md
	lines  []string // as they are
	prose  []string // the same, but empty where a line is part of a block
	want   []string // as they should be; a text may end others
	blocks []*block
}

// A block is a fenced block, or the comment <!-- restore -->, which has no lines.
type block struct {
	line      int    // of the opening fence, from 1
	kind      string // console, or the first word of the comment above the fence
	args      string // the rest of the comment
	terminals []string
	lines     []string
}

// open reads the pages of the repository in the folder root.
func open(root string) *book {
	b := &book{root: root, files: os.DirFS(root)}
	names, _ := fs.Glob(b.files, "docs/*.md")
	for _, name := range append(names, "README.md") {
		b.pages = append(b.pages, b.parse(name, b.read(name)))
	}
	return b
}

// read returns the content of a file of the repository. If there is none, that is a problem.
func (b *book) read(name string) string {
	text, err := fs.ReadFile(b.files, name)
	if err != nil {
		b.problems = append(b.problems, err.Error())
	}
	return string(text)
}

// problem returns a problem of a line of a page.
func problem(p *page, line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.name, line, fmt.Sprintf(format, args...))
}

func (b *book) problemf(p *page, line int, format string, args ...any) {
	b.problems = append(b.problems, problem(p, line, format, args...).Error())
}

var (
	fence   = regexp.MustCompile("^```(\\w*)$")
	comment = regexp.MustCompile(`^<!-- (excerpt|diff|patch|file|restore)(?: (.*))? -->$`)
	inBold  = regexp.MustCompile(`\*\*(terminal \d+)\*\*`)
)

// parse takes a page apart.
func (b *book) parse(name, text string) *page {
	p := &page{name: name, lines: strings.Split(text, "\n")}
	p.want, p.prose = slices.Clone(p.lines), make([]string, len(p.lines))
	var inside *block
	for i, line := range p.lines {
		m, c := fence.FindStringSubmatch(line), comment.FindStringSubmatch(line)
		switch {
		case inside != nil && m != nil:
			inside = nil
		case inside != nil:
			inside.lines = append(inside.lines, line)
		case m != nil:
			inside = b.block(p, i, m[1])
			p.blocks = append(p.blocks, inside)
		case c != nil && c[1] == "restore":
			p.blocks = append(p.blocks, &block{line: i + 1, kind: c[1]})
		default:
			p.prose[i] = line
		}
	}
	if inside != nil {
		b.problemf(p, inside.line, "the fence is never closed")
	}
	return p
}

// block returns the block whose fence is line i of the page, counted from 0.
func (b *book) block(p *page, i int, language string) *block {
	blk := &block{line: i + 1, kind: language}
	if c := comment.FindStringSubmatch(p.lines[max(i-1, 0)]); c != nil {
		blk.kind, blk.args = c[1], c[2]
	} else if language != "console" {
		b.problemf(p, blk.line, "nothing checks this block of %q: the comment above it is missing", language)
	}
	for i--; i >= 0 && p.prose[i] == ""; i-- { // to the paragraph above
	}
	for ; i >= 0 && p.prose[i] != ""; i-- {
		for _, m := range inBold.FindAllStringSubmatch(strings.ToLower(p.prose[i]), -1) {
			blk.terminals = append(blk.terminals, m[1])
		}
	}
	return blk
}

// dropped is a line of a page that is no longer wanted.
const dropped = "\x00"

// text returns what the page should say.
func (p *page) text() string {
	return strings.ReplaceAll(strings.Join(p.want, "\n"), dropped+"\n", "")
}

// check checks all that can be seen without running anything, and finds out what the
// numbers of lines should be.
func (b *book) check() {
	for _, p := range b.pages {
		b.checkLinks(p)
		for _, blk := range p.blocks {
			b.checkSource(p, blk)
		}
		b.checkWhole(p)
	}
}

var (
	link      = regexp.MustCompile("(\\[`([^`]+)`)?\\]\\(([^()\\s#]*)(?:#([^()\\s]*))?\\)")
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// checkLinks checks that the page's relative links lead to files and headings, and numbers
// the links to lines.
func (b *book) checkLinks(p *page) {
	for i, line := range p.prose {
		for _, m := range link.FindAllStringSubmatch(line, -1) {
			name := path.Join(path.Dir(p.name), m[3])
			if m[3] == "" {
				name = p.name
			}
			_, err := fs.Stat(b.files, name)
			switch {
			case strings.HasPrefix(m[4], "L"):
				number, err := b.lineNumber(name, m[3], m[2])
				if right := fmt.Sprintf("L%d", number); err != nil {
					b.problemf(p, i+1, "%v", err)
				} else if right != m[4] {
					b.problemf(p, i+1, "the link to %s#%s should lead to %s; make pages numbers all of them", m[3], m[4], right)
					p.want[i] = strings.Replace(p.want[i], m[0], strings.Replace(m[0], "#"+m[4], "#"+right, 1), 1)
				}
			case strings.Contains(m[3], "://"):
			case err != nil:
				b.problemf(p, i+1, "the link leads nowhere: there is no %s", name)
			case m[4] != "" && !b.hasHeading(name, m[4]):
				b.problemf(p, i+1, "the link leads nowhere: %s has no heading #%s", name, m[4])
			}
		}
	}
}

// hasHeading says whether a page has a heading with an anchor, which GitHub makes of its text.
func (b *book) hasHeading(name, anchor string) bool {
	return slices.ContainsFunc(heading.FindAllStringSubmatch(b.read(name), -1), func(m []string) bool {
		return strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-") == anchor
	})
}
