package book

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// A page is a Markdown file and what of it is checked.
type page struct {
	name     string // its path in the repository, as in docs/glossary.md
	source   []byte
	lines    []string // of source
	blocks   []*block
	headings []heading
	links    []link
	details  int // the line of the <details> that is open, or 0
	problems []Problem
}

// A block is a fenced block, or the comment <!-- restore -->, which has no lines.
type block struct {
	line      int      // of the opening fence
	kind      string   // console, or the first word of the comment in the line before the fence
	args      string   // the rest of the comment
	terminals []string // as in "terminal 1": those that the paragraph before it has in bold
	lines     []string
	indent    string // what stands before each line, in a list
}

type heading struct {
	line, level  int
	text, anchor string
}

type link struct {
	line  int
	dest  string
	text  string // for an image: what is said to those who do not see it
	image bool
}

// A Problem is a place where the book says what is not so.
type Problem struct {
	Page string
	Line int
	Text string
}

func (p Problem) Error() string { return fmt.Sprintf("%s:%d: %s", p.Page, p.Line, p.Text) }

func (p *page) problemf(line int, format string, args ...any) {
	p.problems = append(p.problems, Problem{p.name, line, fmt.Sprintf(format, args...)})
}

var markdown = goldmark.New(
	goldmark.WithExtensions(extension.Table),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
).Parser()

// parse reads a page.
func parse(name string, source []byte) *page {
	p := &page{name: name, source: source, lines: strings.Split(string(source), "\n")}
	ast.Walk(markdown.Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			p.add(n, 1+bytes.Count(source[:max(0, n.Pos())], []byte("\n")))
		}
		return ast.WalkContinue, nil
	})
	if p.details > 0 {
		p.problemf(p.details, "this <details> is never closed")
	}
	return p
}

var (
	bareLine  = regexp.MustCompile(`(?i)\blines? \d+|[\w-]+\.(?:go|html|txtar|txt|md|py):\d+`)
	reference = regexp.MustCompile(`\[[^\]]*\]\[[^\]]*\]`)
)

// add takes what is checked of a node of the page's tree, which begins in the line.
func (p *page) add(n ast.Node, line int) {
	switch n := n.(type) {
	case *ast.FencedCodeBlock:
		p.addBlock(n, line)
	case *ast.CodeBlock:
		p.problemf(line, "an indented line is a block of code that nothing checks: use a fence")
	case *ast.HTMLBlock:
		p.addHTML(line, string(n.Lines().Value(p.source)))
	case *ast.RawHTML:
		p.addHTML(line, string(n.Segments.Value(p.source)))
	case *ast.Heading:
		id, _ := n.AttributeString("id")
		p.headings = append(p.headings, heading{line, n.Level, p.plain(n), fmt.Sprintf("%s", id)})
	case *ast.Link:
		p.links = append(p.links, link{line, string(n.Destination), p.plain(n), false})
	case *ast.Image:
		p.links = append(p.links, link{line, string(n.Destination), p.plain(n), true})
	case *ast.AutoLink:
		p.links = append(p.links, link{line: line, dest: string(n.URL(p.source))})
	case *ast.Text:
		if m := bareLine.Find(n.Value(p.source)); m != nil && !inLink(n) {
			p.problemf(line, "nothing checks the line number of %q: make it a link to that line", m)
		}
	case *ast.Paragraph:
		text := p.plain(n)
		if m := reference.FindStringIndex(text); m != nil {
			line += strings.Count(text[:m[0]], "\n")
			p.problemf(line, "the link %s leads nowhere: the page does not define it", text[m[0]:m[1]])
		}
	}
}

func inLink(n ast.Node) bool {
	for ; n != nil; n = n.Parent() {
		if n.Kind() == ast.KindLink {
			return true
		}
	}
	return false
}

// plain returns the text of a node without its Markdown.
func (p *page) plain(n ast.Node) string {
	var b strings.Builder
	ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Value(p.source))
			if t.SoftLineBreak() {
				b.WriteByte('\n')
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

var (
	comment = regexp.MustCompile(`^\s*<!-- (\w+)(?: (.*))? -->$`)
	kinds   = []string{"excerpt", "diff", "patch", "file"}
	bold    = regexp.MustCompile(`\*\*(terminal \d+)\*\*`)
)

// addBlock takes a fenced block, with the comment and the paragraph before it.
func (p *page) addBlock(n *ast.FencedCodeBlock, line int) {
	blk := &block{line: line, kind: string(n.Language(p.source)), indent: indent(p.lines[line-1])}
	for i := range n.Lines().Len() {
		segment := n.Lines().At(i)
		blk.lines = append(blk.lines, strings.TrimSuffix(string(segment.Value(p.source)), "\n"))
	}
	closing := line + len(blk.lines)
	if closing == len(p.lines) || strings.TrimSpace(p.lines[closing]) != "```" {
		p.problemf(line, "the fence is never closed")
	}
	if m := comment.FindStringSubmatch(p.lines[max(0, line-2)]); m != nil {
		if !slices.Contains(kinds, m[1]) {
			p.problemf(line-1, "the comment %q means nothing before a block; see internal/tools/proof/book/README.md", m[0])
		}
		blk.kind, blk.args = m[1], m[2]
	} else if blk.kind != "console" {
		begin, _, _ := strings.Cut(strings.Join(blk.lines, "\n"), "\n")
		p.problemf(line, "nothing checks this block of %q, which begins %q: a comment before it says what it is (%s)",
			blk.kind, begin, strings.Join(kinds, ", "))
		return
	}
	before := n.PreviousSibling()
	if before != nil && before.Kind() == ast.KindHTMLBlock {
		before = before.PreviousSibling()
	}
	if before != nil {
		for _, m := range bold.FindAllSubmatch(bytes.ToLower(before.Lines().Value(p.source)), -1) {
			blk.terminals = append(blk.terminals, string(m[1]))
		}
		blk.terminals = slices.Compact(blk.terminals)
	}
	p.blocks = append(p.blocks, blk)
}

var details = regexp.MustCompile(`^<details>\s*<summary>.*</summary>\s*$`)

// addHTML takes a piece of HTML: a comment, or the beginning or the end of a <details>.
func (p *page) addHTML(line int, html string) {
	m := comment.FindStringSubmatch(p.lines[line-1])
	switch html = strings.TrimSpace(html); {
	case m != nil && m[1] == "restore":
		p.blocks = append(p.blocks, &block{line: line, kind: "restore"})
	case m != nil && slices.Contains(kinds, m[1]) && !strings.HasPrefix(strings.TrimSpace(p.lines[line]), "```"):
		p.problemf(line, "the comment %q stands before no fenced block", m[0])
	case strings.HasPrefix(html, "<!--"):
	case details.MatchString(html) && p.details == 0:
		p.details = line
	case html == "</details>" && p.details > 0:
		p.details = 0
	default:
		p.problemf(line, "nothing checks the HTML %q: there may be comments, </details>, "+
			"and <details><summary>...</summary> with an empty line behind it", html)
	}
}
