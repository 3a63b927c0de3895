package book

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// A page is a Markdown file and what of it is checked.
type page struct {
	name     string // its path in the repository, as in docs/glossary.md
	source   []byte
	blocks   []*block
	headings []heading
	links    []link
	anchors  map[string]bool
	problems []Problem
	details  []int // the lines of those <details> that are still open
}

// A block is a fenced block, or the comment <!-- restore -->, which has no lines.
type block struct {
	line      int // of the opening fence
	lang      string
	directive string // what the comment directly before the block says
	caption   string // the paragraph directly before it, or before its comment
	lines     []string
	indent    string // what stands before each line, in a list
	start     int    // the offset of the first line in the page's source
	end       int    // the offset of the closing fence
}

type heading struct {
	line, level int
	text        string
}

type link struct {
	line  int
	dest  string
	text  string // for an image: what is said to those who do not see it
	code  bool   // the text is a single code span
	image bool
	at    int // the offset of dest in the page's source, if it stands there as [text](dest)
}

var markdown = goldmark.New(goldmark.WithExtensions(extension.Table)).Parser()

// parse reads a page.
func parse(name string, source []byte) *page {
	p := &page{name: name, source: source, anchors: make(map[string]bool)}
	ast.Walk(markdown.Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			p.add(n)
		}
		return ast.WalkContinue, nil
	})
	for _, line := range p.details {
		p.problemf(line, "this <details> is never closed")
	}
	return p
}

func (p *page) problemf(line int, format string, args ...any) {
	p.problems = append(p.problems, Problem{p.name, line, fmt.Sprintf(format, args...)})
}

// line returns the number of the line that has the offset.
func (p *page) line(offset int) int { return 1 + bytes.Count(p.source[:offset], []byte("\n")) }

// offset returns the offset of a line.
func (p *page) offset(line int) int {
	offset := 0
	for range line - 1 {
		offset = p.next(offset)
	}
	return offset
}

// add takes what is checked of a node of the page's tree.
func (p *page) add(n ast.Node) {
	switch n := n.(type) {
	case *ast.FencedCodeBlock:
		p.addBlock(n)
	case *ast.CodeBlock:
		p.problemf(p.line(n.Pos()), "an indented line is a block of code that nothing checks: use a fence")
	case *ast.HTMLBlock:
		p.addHTML(n.Pos(), p.html(n))
		p.addComment(n)
	case *ast.RawHTML:
		p.addHTML(n.Pos(), p.html(n))
	case *ast.Heading:
		p.addHeading(p.line(n.Pos()), n.Level, p.plain(n))
	case *ast.Link:
		l := link{line: p.line(n.Pos()), dest: string(n.Destination), text: p.plain(n)}
		child, isCode := n.FirstChild().(*ast.CodeSpan)
		l.code = isCode && child.NextSibling() == nil
		if isCode && n.Reference == nil {
			l.at = n.Pos() + bytes.Index(p.source[n.Pos():], []byte("]("+l.dest)) + len("](")
		}
		p.links = append(p.links, l)
	case *ast.Image:
		p.links = append(p.links, link{line: p.line(n.Pos()), dest: string(n.Destination), text: p.plain(n), image: true})
	case *ast.AutoLink:
		p.links = append(p.links, link{line: p.line(n.Pos()), dest: string(n.URL(p.source))})
	}
	switch n.Kind() {
	case ast.KindParagraph, ast.KindTextBlock, ast.KindHeading, tables.KindTableCell:
		p.checkProse(n)
	}
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

// addBlock takes a fenced block, with the comment and the paragraph before it.
func (p *page) addBlock(n *ast.FencedCodeBlock) {
	fence := bytes.LastIndexByte(p.source[:n.Pos()], '\n') + 1
	blk := &block{
		line:   p.line(n.Pos()),
		lang:   string(n.Language(p.source)),
		indent: strings.Repeat(" ", n.Pos()-fence),
		start:  p.next(n.Pos()),
	}
	blk.end = blk.start
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		blk.lines = append(blk.lines, strings.TrimRight(string(line.Value(p.source)), "\n"))
		blk.end = p.next(blk.end)
	}
	if closing := bytes.TrimLeft(p.source[blk.end:], " "); !bytes.HasPrefix(closing, []byte("```")) {
		p.problemf(blk.line, "the fence is never closed")
	}
	before := n.PreviousSibling()
	if before != nil && before.Kind() == ast.KindHTMLBlock {
		if directive, ok := comment(p.html(before)); ok {
			blk.directive, before = directive, before.PreviousSibling()
		}
	}
	if before != nil && (before.Kind() == ast.KindParagraph || before.Kind() == ast.KindTextBlock) {
		blk.caption = string(before.Lines().Value(p.source))
	}
	p.blocks = append(p.blocks, blk)
}

// next returns the offset of the line after the one that has the offset.
func (p *page) next(offset int) int {
	if i := bytes.IndexByte(p.source[offset:], '\n'); i >= 0 {
		return offset + i + 1
	}
	return len(p.source)
}

// html returns the text of a node of HTML.
func (p *page) html(n ast.Node) string {
	switch n := n.(type) {
	case *ast.HTMLBlock:
		html := string(n.Lines().Value(p.source))
		if n.HasClosure() {
			html += string(n.ClosureLine.Value(p.source))
		}
		return html
	case *ast.RawHTML:
		return string(n.Segments.Value(p.source))
	}
	return ""
}

// comment returns what an HTML comment says, on one line.
func comment(html string) (string, bool) {
	html = strings.TrimSpace(html)
	if !strings.HasPrefix(html, "<!--") || !strings.HasSuffix(html, "-->") {
		return "", false
	}
	return strings.Join(strings.Fields(html[4:len(html)-3]), " "), true
}

// addComment takes a comment that is not directly before a fence.
func (p *page) addComment(n ast.Node) {
	directive, ok := comment(p.html(n))
	if next := n.NextSibling(); !ok || next != nil && next.Kind() == ast.KindFencedCodeBlock {
		return
	}
	line := p.line(n.Pos())
	switch verb, _, _ := strings.Cut(directive, " "); verb {
	case "restore":
		p.blocks = append(p.blocks, &block{line: line, directive: directive})
	case "excerpt", "diff", "patch", "file":
		p.problemf(line, "the comment %q stands before no fenced block", directive)
	}
}

// addHeading takes a heading and gives it the anchor that GitHub gives it.
func (p *page) addHeading(line, level int, text string) {
	p.headings = append(p.headings, heading{line, level, text})
	anchor := slug(text)
	for i := 1; p.anchors[anchor]; i++ {
		anchor = slug(text) + "-" + strconv.Itoa(i)
	}
	p.anchors[anchor] = true
}

// slug returns the anchor that GitHub gives to the first heading of this text.
func slug(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsNumber(r), unicode.IsMark(r):
			return r
		}
		return -1
	}, strings.ToLower(text))
}

var (
	htmlTag  = regexp.MustCompile(`<(/?\w+)[^>]*>`)
	htmlAttr = regexp.MustCompile(`\b(src|href|alt|id|name)="([^"]*)"`)
	summary  = regexp.MustCompile(`</summary>\s*\S`)
)

// addHTML takes the tags of a piece of HTML.
func (p *page) addHTML(pos int, html string) {
	for _, m := range htmlTag.FindAllStringSubmatchIndex(html, -1) {
		line := p.line(pos) + strings.Count(html[:m[0]], "\n")
		attr := make(map[string]string)
		for _, a := range htmlAttr.FindAllStringSubmatch(html[m[0]:m[1]], -1) {
			attr[a[1]] = a[2]
		}
		switch tag := html[m[2]:m[3]]; tag {
		case "details":
			p.details = append(p.details, line)
		case "/details":
			p.details = p.details[:max(0, len(p.details)-1)]
		case "pre":
			p.problemf(line, "<pre> is a block that nothing checks: use a fence")
		case "img":
			p.links = append(p.links, link{line: line, dest: attr["src"], text: attr["alt"], image: true})
		case "a":
			p.anchors[attr["id"]+attr["name"]] = true
			if attr["href"] != "" {
				p.links = append(p.links, link{line: line, dest: attr["href"]})
			}
		}
	}
	if m := summary.FindStringIndex(html); m != nil {
		p.problemf(p.line(pos)+strings.Count(html[:m[0]], "\n"), "a blank line has to follow </summary>, or what follows is not Markdown")
	}
}

var (
	bareLine  = regexp.MustCompile(`(?i)\blines? \d+|[\w-]+\.(?:go|html|txtar|txt|md|py):\d+`)
	reference = regexp.MustCompile(`\[[^\]]*\]\[[^\]]*\]`)
)

// checkProse finds the line numbers that are not part of a link, which nothing
// would check, and the links to references that the page does not define.
func (p *page) checkProse(paragraph ast.Node) {
	ast.Walk(paragraph, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		t, ok := n.(*ast.Text)
		if n.Kind() == ast.KindLink {
			return ast.WalkSkipChildren, nil
		}
		if !entering || !ok {
			return ast.WalkContinue, nil
		}
		if m := bareLine.Find(t.Value(p.source)); m != nil {
			p.problemf(p.line(t.Pos()), "nothing checks the line number of %q: make it a link to that line", m)
		}
		return ast.WalkContinue, nil
	})
	if paragraph.Kind() == ast.KindParagraph {
		text := p.plain(paragraph)
		if m := reference.FindStringIndex(text); m != nil {
			line := p.line(paragraph.Pos()) + strings.Count(text[:m[0]], "\n")
			p.problemf(line, "the link %s leads nowhere: the page does not define it", text[m[0]:m[1]])
		}
	}
}
