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
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A book is the pages of a repository.
type book struct {
	root     string
	pages    []*page
	problems []string // as in "docs/README.md:12: the link ..."
}

// A page is a Markdown file, taken apart line by line.
type page struct {
	name   string   // as in docs/README.md
	lines  []string // as they are
	prose  []string // the same, but empty where a line is part of a block
	want   []string // as they should be; see replace
	blocks []*block
}

// A block is a fenced block, or the comment <!-- restore -->, which has no lines.
type block struct {
	line      int    // of the opening fence, from 1
	kind      string // console, or the first word of the comment above the fence
	args      string // the rest of the comment
	terminals []string
	lines     []string
	indent    string // of the fence, which may be in a list
}

// open reads the pages of the repository in the folder root.
func open(root string) (*book, error) {
	b := &book{root: root}
	names, _ := fs.Glob(os.DirFS(root), "docs/*.md")
	for _, name := range append(names, "README.md") {
		text, err := b.read(name)
		if err != nil {
			return nil, err
		}
		b.pages = append(b.pages, b.parse(name, text))
	}
	return b, nil
}

func (b *book) path(name string) string { return filepath.Join(b.root, filepath.FromSlash(name)) }

// read returns the content of a file of the repository.
func (b *book) read(name string) (string, error) {
	data, err := os.ReadFile(b.path(name))
	if err != nil {
		return "", fmt.Errorf("there is no %s", name)
	}
	return string(data), nil
}

func problem(p *page, line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.name, line, fmt.Sprintf(format, args...))
}

func (b *book) problemf(p *page, line int, format string, args ...any) {
	b.problems = append(b.problems, problem(p, line, format, args...).Error())
}

var (
	fence   = regexp.MustCompile("^( *)```(\\w*)$")
	comment = regexp.MustCompile(`^ *<!-- (excerpt|diff|patch|file|restore)(?: (.*))? -->$`)
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
			inside.lines = append(inside.lines, strings.TrimPrefix(line, inside.indent))
		case m != nil:
			inside = b.block(p, i, m[1], m[2])
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
func (b *book) block(p *page, i int, indent, language string) *block {
	blk := &block{line: i + 1, kind: language, indent: indent}
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

// replace replaces n lines of a block, from a line of the page on, in what text returns.
func (p *page) replace(blk *block, line, n int, lines []string) {
	for i := range n {
		p.want[line-1+i] = "\x00"
	}
	for _, l := range lines {
		if l = strings.TrimSuffix(l, "\n"); l != "" {
			l = blk.indent + l
		}
		p.want[line-2] += "\n" + l
	}
}

// text returns what the page should say.
func (p *page) text() string { return strings.ReplaceAll(strings.Join(p.want, "\n"), "\x00\n", "") }

// check checks all that can be seen without running anything, and finds out what the
// excerpts, the diffs and the numbers of lines should be.
func (b *book) check() {
	for _, p := range b.pages {
		b.checkLinks(p)
		for _, blk := range p.blocks {
			b.fill(p, blk)
		}
		if d := difference(strings.Join(p.lines, "\n"), p.text()); d != "" {
			b.problemf(p, 1, "the page differs from its sources; cd internal/tools && go test ./proof/book -update\n%s", d)
		}
	}
	stages, _ := filepath.Glob(b.path("stage[0-9]*-*"))
	for i := range stages {
		stages[i] = filepath.Base(stages[i])
		if i > 0 {
			b.checkWhole("docs/"+stages[i]+".md", stages[i-1]+"/main.go", stages[i]+"/main.go")
		}
	}
}

var (
	link      = regexp.MustCompile("(\\[`([^`]+)`)?\\]\\(([^()\\s#]*)(?:#([^()\\s]*))?\\)")
	elsewhere = regexp.MustCompile(`^(https://[^/]|http://(127\.0\.0\.1|localhost)\b)`)
	toLine    = regexp.MustCompile(`^L\d+$`)
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
			_, err := os.Stat(b.path(name))
			switch {
			case toLine.MatchString(m[4]):
				number, err := b.lineNumber(name, m[3], m[2])
				if err != nil {
					b.problemf(p, i+1, "%v", err)
					break
				}
				p.want[i] = strings.Replace(p.want[i], m[0], fmt.Sprintf("%s](%s#L%d)", m[1], m[3], number), 1)
			case elsewhere.MatchString(m[3]):
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
	text, _ := b.read(name)
	return slices.ContainsFunc(heading.FindAllStringSubmatch(text, -1), func(m []string) bool {
		slug := notInSlug.ReplaceAllString(strings.ToLower(m[1]), "")
		return strings.ReplaceAll(slug, " ", "-") == anchor
	})
}
