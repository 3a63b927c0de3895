package book

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode"
)

// A page is a Markdown file, taken apart as far as the checks need it. All line
// numbers count from 1.
type page struct {
	name     string // slash-separated, from the root of the repository
	lines    []string
	blocks   []*block
	headings []heading
	paras    []*para
	links    []link
	anchors  map[string]bool
	restores []int // the lines with <!-- restore -->
	problems []Problem
}

// A block is a fenced block.
type block struct {
	line      int // of the opening fence; the text begins on the next
	indent    int // of the fence, taken off the lines
	lang      string
	lines     []string
	directive string // the comment in the line before, such as "excerpt main.go"
	caption   *para  // the paragraph directly before, or nil
	unchecked bool
}

func (blk *block) first() string {
	if len(blk.lines) == 0 {
		return ""
	}
	return blk.lines[0]
}

type heading struct {
	line, level int
	text        string
}

// A para is a paragraph, a list item's first paragraph, a heading or a row of a table.
type para struct {
	line   int
	text   string
	masked string // text with code and comments blotted out, byte for byte
	spans  []span
}

// A span is a code span; start and end are those of its backticks in the text.
type span struct {
	start, end int
	code       string
}

// A link is a link or an image.
type link struct {
	line       int
	text       string
	dest       string
	image      bool
	para       *para
	start, end int // in the paragraph; 0, 0 for an HTML tag
}

func (p *page) problemf(line int, format string, args ...any) {
	p.problems = append(p.problems, Problem{p.name, line, fmt.Sprintf(format, args...)})
}

func (p *page) dir() string { return path.Dir(p.name) }

var (
	fenceLine   = regexp.MustCompile("^([ \t]*)(```+|~~~+)[ \t]*([^`]*)$")
	commentLine = regexp.MustCompile(`^\s*<!--\s*(.*?)\s*-->\s*$`)
	headingLine = regexp.MustCompile(`^(#{1,6})[ \t]+(.*?)[ \t]*#*$`)
	listLine    = regexp.MustCompile(`^\s*([-*+]|\d+[.)])\s`)
)

// parse takes a page apart. What is wrong with its form becomes problems.
func parse(name, text string) *page {
	p := &page{name: name, lines: strings.Split(strings.TrimSuffix(text, "\n"), "\n"), anchors: make(map[string]bool)}
	var (
		open      *block // the fence that we are in
		fence     string // its marker
		comment   bool   // we are in a comment of several lines
		directive string
		current   *para // still being read
		caption   *para
		inList    bool
		blank     = true // the line before was
		details   []int  // the lines of those that are open
	)
	endPara := func() {
		if current != nil {
			caption = current
			current = nil
		}
	}
	for i, line := range p.lines {
		n := i + 1
		if open != nil {
			if t := strings.TrimSpace(line); strings.HasPrefix(t, fence) && strings.Trim(t, fence[:1]) == "" {
				open = nil
				continue
			}
			indent := 0
			for indent < open.indent && indent < len(line) && (line[indent] == ' ' || line[indent] == '\t') {
				indent++
			}
			open.lines = append(open.lines, line[indent:])
			continue
		}
		if comment {
			_, rest, ends := strings.Cut(line, "-->")
			if !ends {
				continue
			}
			comment, line = false, rest
		}
		if m := commentLine.FindStringSubmatch(line); m != nil {
			endPara()
			switch verb, _, _ := strings.Cut(m[1], " "); verb {
			case "restore":
				p.restores = append(p.restores, n)
			case "excerpt", "diff", "patch", "file":
				directive = m[1]
			}
			continue
		}
		if m := fenceLine.FindStringSubmatch(line); m != nil {
			endPara()
			lang, _, _ := strings.Cut(strings.TrimSpace(m[3]), " ")
			open = &block{line: n, indent: len(m[1]), lang: lang, directive: directive, caption: caption}
			fence, directive, caption, blank = m[2], "", nil, false
			p.blocks = append(p.blocks, open)
			continue
		}
		if strings.TrimSpace(line) == "" {
			endPara()
			blank = true
			continue
		}
		if directive != "" {
			p.problemf(n-1, "the comment %q stands before no fenced block", directive)
			directive = ""
		}
		if i := strings.LastIndex(line, "<!--"); i >= 0 && !strings.Contains(line[i:], "-->") && strings.Count(line[:i], "`")%2 == 0 {
			line, comment = line[:i], true
		}
		indented := strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t")
		switch {
		case listLine.MatchString(line):
			inList = true
			endPara()
		case blank && !indented && !strings.HasPrefix(line, " "):
			inList = false
		}
		if blank && indented && !inList {
			p.problemf(n, "an indented line is a block of code that nothing checks: fence it")
		}
		if heading := headingLine.MatchString(line); heading || strings.HasPrefix(strings.TrimSpace(line), "|") {
			endPara()
		}
		blank = false
		if current == nil {
			current = &para{line: n, text: line}
			p.paras = append(p.paras, current)
		} else {
			current.text += "\n" + line
		}
		if headingLine.MatchString(line) {
			endPara()
		}
	}
	endPara()
	if open != nil {
		p.problemf(open.line, "the fence is never closed")
	}
	if directive != "" {
		p.problemf(len(p.lines), "the comment %q stands before no fenced block", directive)
	}
	for _, para := range p.paras {
		para.mask()
		if m := headingLine.FindStringSubmatch(para.text); m != nil {
			p.headings = append(p.headings, heading{para.line, len(m[1]), plain(m[2])})
		}
	}
	for _, para := range p.paras {
		p.findLinks(para, 0, len(para.text))
		p.findTags(para)
		for _, m := range detailsTag.FindAllStringSubmatchIndex(para.masked, -1) {
			line := para.lineAt(m[0])
			switch tag := para.masked[m[0]:m[1]]; {
			case strings.HasPrefix(tag, "<details"):
				details = append(details, line)
			case strings.HasPrefix(tag, "</details"):
				if len(details) == 0 {
					p.problemf(line, "this </details> closes nothing")
				} else {
					details = details[:len(details)-1]
				}
			case tag == "</summary>":
				if line < len(p.lines) && strings.TrimSpace(p.lines[line]) != "" {
					p.problemf(line, "a blank line has to follow </summary>, or GitHub shows the Markdown below it as it is")
				}
			default:
				p.problemf(line, "<pre> is a block that nothing checks: fence it")
			}
		}
	}
	for _, line := range details {
		p.problemf(line, "this <details> is never closed")
	}
	slugs := make(map[string]int)
	for _, h := range p.headings {
		slug := slugOf(h.text)
		if n := slugs[slug]; n > 0 {
			p.anchors[fmt.Sprintf("%s-%d", slug, n)] = true
		} else {
			p.anchors[slug] = true
		}
		slugs[slug]++
	}
	return p
}

// lineAt returns the line of the page that an offset in the paragraph's text is on.
func (para *para) lineAt(offset int) int {
	return para.line + strings.Count(para.text[:offset], "\n")
}

// mask finds the code spans and blots them and comments out.
func (para *para) mask() {
	text := []byte(para.text)
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] == '`':
			n := 1
			for i+n < len(text) && text[i+n] == '`' {
				n++
			}
			end := closing(string(text), i+n, n)
			if end < 0 {
				i += n - 1
				continue
			}
			code := strings.ReplaceAll(para.text[i+n:end], "\n", " ")
			if t := strings.TrimSpace(code); t != "" && strings.HasPrefix(code, " ") && strings.HasSuffix(code, " ") {
				code = code[1 : len(code)-1]
			}
			para.spans = append(para.spans, span{i, end + n, code})
			blot(text[i+n : end])
			i = end + n - 1
		case strings.HasPrefix(string(text[i:]), "<!--"):
			if end := strings.Index(string(text[i:]), "-->"); end >= 0 {
				blot(text[i : i+end+3])
				i += end + 2
			}
		}
	}
	para.masked = string(text)
}

func blot(text []byte) {
	for i, c := range text {
		if c != '\n' {
			text[i] = ' '
		}
	}
}

// closing returns where a run of exactly n backticks begins, from i on, or -1.
func closing(text string, i, n int) int {
	for i < len(text) {
		if text[i] != '`' {
			i++
			continue
		}
		run := 0
		for i+run < len(text) && text[i+run] == '`' {
			run++
		}
		if run == n {
			return i
		}
		i += run
	}
	return -1
}

var (
	inlineLink = regexp.MustCompile(`(!?)\[((?:[^\[\]\\]|\\.|\[[^\]]*\])*)\]\(\s*<?([^()\s<>]*(?:\([^()]*\)[^()\s<>]*)*)>?(?:\s+"[^"]*")?\s*\)`)
	refLink    = regexp.MustCompile(`(!?)\[([^\[\]]+)\]\[([^\[\]]*)\]`)
	refTarget  = regexp.MustCompile(`(?m)^ {0,3}\[([^\[\]]+)\]:\s+(\S+)`)
	autoLink   = regexp.MustCompile(`<(https?://[^>\s]+)>`)
	htmlTag    = regexp.MustCompile(`(?is)<(a|img|source)\b([^>]*)>`)
	htmlAttr   = regexp.MustCompile(`(?is)\b(href|src|srcset|id|name|alt)\s*=\s*"([^"]*)"`)
	detailsTag = regexp.MustCompile(`(?i)</?details\b[^>]*>|</summary>|<pre\b`)
)

// findLinks finds the links in a part of the paragraph, and those in their texts.
func (p *page) findLinks(para *para, start, end int) {
	part := para.masked[start:end]
	for _, m := range inlineLink.FindAllStringSubmatchIndex(part, -1) {
		p.links = append(p.links, link{
			line: para.lineAt(start + m[0]), text: para.text[start+m[4] : start+m[5]], dest: para.text[start+m[6] : start+m[7]],
			image: m[3] > m[2], para: para, start: start + m[0], end: start + m[1],
		})
		p.findLinks(para, start+m[4], start+m[5])
	}
	if start > 0 || end < len(para.text) {
		return
	}
	for _, m := range refLink.FindAllStringSubmatchIndex(part, -1) {
		ref := part[m[6]:m[7]]
		if ref == "" {
			ref = part[m[4]:m[5]]
		}
		dest := p.target(ref)
		if dest == "" {
			p.problemf(para.lineAt(m[0]), "[%s] is defined nowhere on the page", ref)
			continue
		}
		p.links = append(p.links, link{
			line: para.lineAt(m[0]), text: para.text[m[4]:m[5]], dest: dest,
			image: m[3] > m[2], para: para, start: m[0], end: m[1],
		})
	}
	for _, m := range autoLink.FindAllStringSubmatchIndex(part, -1) {
		p.links = append(p.links, link{line: para.lineAt(m[0]), text: part[m[2]:m[3]], dest: part[m[2]:m[3]], para: para, start: m[0], end: m[1]})
	}
}

func (p *page) target(ref string) string {
	for _, para := range p.paras {
		for _, m := range refTarget.FindAllStringSubmatch(para.masked, -1) {
			if strings.EqualFold(m[1], ref) {
				return m[2]
			}
		}
	}
	return ""
}

// findTags finds the links, images and anchors that are HTML.
func (p *page) findTags(para *para) {
	for _, m := range htmlTag.FindAllStringSubmatchIndex(para.masked, -1) {
		line := para.lineAt(m[0])
		tag := strings.ToLower(para.masked[m[2]:m[3]])
		attrs := make(map[string]string)
		for _, a := range htmlAttr.FindAllStringSubmatch(para.text[m[4]:m[5]], -1) {
			attrs[strings.ToLower(a[1])] = a[2]
		}
		for _, key := range []string{"id", "name"} {
			if tag == "a" && attrs[key] != "" {
				p.anchors[attrs[key]] = true
			}
		}
		dest := attrs["href"]
		if tag != "a" {
			dest = attrs["src"]
		}
		if tag == "source" {
			dest, _, _ = strings.Cut(strings.TrimSpace(attrs["srcset"]), " ")
		}
		if dest != "" {
			text := attrs["alt"]
			if tag == "source" {
				text = "a source" // the text in its place is that of the <img>
			}
			p.links = append(p.links, link{line: line, text: text, dest: dest, image: tag != "a", para: para})
		} else if tag != "a" {
			p.problemf(line, "this <%s> names no file", tag)
		}
	}
}

var (
	linkText  = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	anyTag    = regexp.MustCompile(`<[^>]*>`)
	codeTicks = regexp.MustCompile("`+")
)

// plain returns the text of a heading without its Markdown.
func plain(text string) string {
	text = linkText.ReplaceAllString(text, "$1")
	if !strings.Contains(text, "`") {
		text = anyTag.ReplaceAllString(text, "")
	}
	text = codeTicks.ReplaceAllString(text, "")
	return strings.TrimSpace(strings.ReplaceAll(text, "*", ""))
}

// slugOf returns the anchor that GitHub gives to a heading.
func slugOf(text string) string {
	var slug strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r == ' ':
			slug.WriteByte('-')
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsNumber(r), unicode.IsMark(r):
			slug.WriteRune(r)
		}
	}
	return slug.String()
}
