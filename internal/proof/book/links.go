package book

import (
	"go/build"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// checkLinks checks that each link and image of a page leads somewhere.
func (b *Book) checkLinks(p *page) {
	for _, l := range p.links {
		if l.image && strings.TrimSpace(l.text) == "" {
			b.problemf(p.name, l.line, "the image %s has no text for those who do not see it", l.dest)
		}
		if strings.Contains(l.dest, ":") {
			b.checkExternal(p, l)
			continue
		}
		name, anchor, ok := b.resolve(p, l.dest)
		if !ok {
			b.problemf(p.name, l.line, "the link %q leads nowhere: there is no %s", l.dest, name)
			continue
		}
		switch {
		case anchor == "":
		case strings.HasSuffix(name, ".md"):
			target := b.page(name)
			if target == nil {
				target = parse(name, string(b.files[name].data))
			}
			if !target.anchors[anchor] {
				b.problemf(p.name, l.line, "the link %q leads nowhere: %s has no heading whose anchor is #%s%s", l.dest, name, anchor, nearest(anchor, target))
			}
		default:
			b.checkLine(p, l, name, anchor)
		}
	}
}

// nearest names the anchor that was most likely meant.
func nearest(anchor string, target *page) string {
	for _, h := range target.headings {
		if slug := slugOf(h.text); strings.Contains(slug, anchor) || strings.Contains(anchor, slug) {
			return "; did you mean #" + slug + "?"
		}
	}
	return ""
}

// resolve returns the file or folder that a relative link leads to, and its
// anchor. It says whether there is such a file or folder.
func (b *Book) resolve(p *page, dest string) (name, anchor string, ok bool) {
	dest, anchor, _ = strings.Cut(dest, "#")
	if unescaped, err := url.PathUnescape(dest); err == nil {
		dest = unescaped
	}
	switch {
	case dest == "":
		return p.name, anchor, true
	case strings.HasPrefix(dest, "/"):
		name = path.Clean(dest[1:])
	default:
		name = path.Join(p.dir(), dest)
	}
	_, isFile := b.files[name]
	return name, anchor, isFile || b.dirs[name]
}

var goSource = regexp.MustCompile(`^https://github\.com/golang/go/blob/(go[0-9.]+)/src/([^#]+)#(L\d+.*)$`)

// checkExternal checks the form of a link to elsewhere, which it does not fetch.
// A line of Go's own source is looked up if the Go that runs the test is the one
// that the link names.
func (b *Book) checkExternal(p *page, l link) {
	u, err := url.Parse(l.dest)
	switch {
	case err != nil:
		b.problemf(p.name, l.line, "the link %q: %v", l.dest, err)
	case u.Scheme == "https" && u.Host != "":
	case u.Scheme == "http" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost"):
	default:
		b.problemf(p.name, l.line, "the link %q is neither relative nor https://", l.dest)
	}
	if m := goSource.FindStringSubmatch(l.dest); m != nil {
		if m[1] != runtime.Version() {
			b.lookLine(p, l, m[2], m[3], nil)
			return
		}
		data, err := os.ReadFile(filepath.Join(build.Default.GOROOT, "src", filepath.FromSlash(m[2])))
		if err != nil {
			b.problemf(p.name, l.line, "the link %q: %v", l.dest, err)
			return
		}
		b.lookLine(p, l, m[2], m[3], data)
	}
}

var (
	lineAnchor = regexp.MustCompile(`^L(\d+)(?:-L(\d+))?$`)
	// How a link's text or a code span names a line: "stage3-spawned/main.go:52".
	namedLine = regexp.MustCompile(`^([\w./-]+):(\d+)(?:[-–](\d+))?$`)
	besides   = regexp.MustCompile(`^[\s:,;(|—–-]*$`)
	besides2  = regexp.MustCompile(`^[\s:,;(|—–-]*(?:at|in|is)?\s*$`)
)

// checkLine checks a link to a line of a file of the repository.
func (b *Book) checkLine(p *page, l link, name, anchor string) {
	if b.dirs[name] {
		b.problemf(p.name, l.line, "the link %q: a folder has no anchors", l.dest)
		return
	}
	b.lookLine(p, l, name, anchor, b.files[name].data)
}

// lookLine checks that the code that the link quotes stands in its line. Without
// data it checks only that there is a quotation.
func (b *Book) lookLine(p *page, l link, name, anchor string, data []byte) {
	m := lineAnchor.FindStringSubmatch(anchor)
	if m == nil {
		b.problemf(p.name, l.line, "the link %q: the anchor of a line is #L52, that of several #L52-L60", l.dest)
		return
	}
	from, _ := strconv.Atoi(m[1])
	to := from
	if m[2] != "" {
		to, _ = strconv.Atoi(m[2])
	}
	if text := strings.Trim(l.text, "`"); namedLine.MatchString(text) {
		n := namedLine.FindStringSubmatch(text)
		if n[2] != m[1] || n[3] != m[2] || !strings.HasSuffix("/"+name, "/"+n[1]) {
			b.problemf(p.name, l.line, "the link says %s and leads to %s#%s", text, name, anchor)
		}
	}
	quote := quotation(l)
	if quote == "" {
		b.problemf(p.name, l.line, "the link to %s#%s quotes nothing of that line: put its code in backticks, as the link's text or right after it", name, anchor)
		return
	}
	if data == nil {
		return
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	switch {
	case from < 1 || to < from || to > len(lines):
		b.problemf(p.name, l.line, "the link leads to %s#%s, and the file has %d lines", name, anchor, len(lines))
	case !quotes(lines[from-1], quote):
		b.problemf(p.name, l.line, "%s:%d is %q, not %q%s", name, from, strings.TrimSpace(lines[from-1]), quote, whereIs(lines, quote, from))
	}
}

// quotes says whether a line of code has the quotation in it.
func quotes(line, quote string) bool {
	return strings.Contains(strings.Join(strings.Fields(line), " "), strings.Join(strings.Fields(quote), " "))
}

// lineOf returns the line that has the quotation, the nearest to the one given,
// or 0.
func lineOf(lines []string, quote string, near int) int {
	best := 0
	for i, line := range lines {
		if quotes(line, quote) && (best == 0 || abs(i+1-near) < abs(best-near)) {
			best = i + 1
		}
	}
	return best
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

func whereIs(lines []string, quote string, near int) string {
	if n := lineOf(lines, quote, near); n > 0 {
		return ", which is on line " + strconv.Itoa(n)
	}
	return ", which is nowhere in the file"
}

// quotation returns the code that a link to a line quotes: its text, or the code
// span right beside it.
func quotation(l link) string {
	if l.end == 0 {
		return ""
	}
	after, before := "", ""
	for _, s := range l.para.spans {
		inside := s.start > l.start && s.end < l.end
		switch {
		case namedLine.MatchString(s.code):
		case inside:
			return s.code
		case s.start >= l.end && after == "" && besides.MatchString(l.para.masked[l.end:s.start]):
			after = s.code
		case s.end <= l.start && besides2.MatchString(l.para.masked[s.end:l.start]):
			before = s.code
		}
	}
	if after != "" {
		return after
	}
	return before
}

var bareLine = regexp.MustCompile(`(?i)\blines? \d+|[\w-]+\.(?:go|html|txtar|txt|md):\d+`)

// checkLineNumbers finds the line numbers that are not part of a link, which
// nothing would check.
func (b *Book) checkLineNumbers(p *page) {
	for _, para := range p.paras {
		text := []byte(para.text)
		for _, l := range p.links {
			if l.para == para {
				blot(text[l.start:l.end])
			}
		}
		for _, m := range bareLine.FindAllIndex(text, -1) {
			b.problemf(p.name, para.lineAt(m[0]), "nothing checks the line number of %q: make it a link to that line", para.text[m[0]:m[1]])
		}
	}
}

// checkReached checks that every page can be reached from the contents.
func (b *Book) checkReached() {
	contents := b.page("docs/README.md")
	if contents == nil {
		for _, p := range b.pages {
			if p.name != "README.md" {
				b.problemf(p.name, 1, "there are pages, and no docs/README.md with their contents")
			}
		}
		return
	}
	reached := map[*page]bool{contents: true}
	for queue := []*page{contents}; len(queue) > 0; queue = queue[1:] {
		for _, l := range queue[0].links {
			if strings.Contains(l.dest, ":") {
				continue
			}
			name, _, _ := b.resolve(queue[0], l.dest)
			if b.dirs[name] {
				name += "/README.md" // which is what GitHub shows there
			}
			if p := b.page(name); p != nil && strings.HasPrefix(name, "docs/") && !reached[p] {
				reached[p] = true
				queue = append(queue, p)
			}
		}
	}
	for _, p := range b.pages {
		if strings.HasPrefix(p.name, "docs/") && !reached[p] {
			b.problemf(p.name, 1, "no chain of links leads here from docs/README.md")
		}
	}
}

// checkFigures checks that every figure is used.
func (b *Book) checkFigures() {
	used := make(map[string]bool)
	for _, p := range b.pages {
		for _, l := range p.links {
			if name, _, ok := b.resolve(p, l.dest); ok {
				used[name] = true
			}
		}
		for _, blk := range p.blocks {
			if name, ok := strings.CutPrefix(blk.directive, "excerpt "); ok {
				used[name] = true
			}
		}
	}
	if b.page("docs/README.md") == nil {
		return
	}
	for _, name := range b.names() {
		if strings.HasPrefix(name, "docs/figures/") && !used[name] {
			b.problemf(name, 1, "no page uses this figure")
		}
	}
}

const glossary = "docs/glossary.md"

// checkGlossary checks that the glossary is sorted and that each of its terms is
// one that some page uses. That each term used is in it, checkLinks has seen to.
func (b *Book) checkGlossary() {
	g := b.page(glossary)
	if g == nil {
		return
	}
	used := make(map[string]bool)
	for _, p := range b.pages {
		for _, l := range p.links {
			if name, anchor, ok := b.resolve(p, l.dest); ok && name == glossary && p != g {
				used[anchor] = true
			}
		}
	}
	var terms []string
	for _, h := range g.headings {
		if h.level != 2 {
			continue
		}
		term := strings.ToLower(h.text)
		if i := len(terms); i > 0 && term <= terms[i-1] {
			b.problemf(glossary, h.line, "%q does not come after %q in the alphabet", term, terms[i-1])
		}
		terms = append(terms, term)
		if !used[slugOf(h.text)] {
			b.problemf(glossary, h.line, "no page has the term: none links to glossary.md#%s", slugOf(h.text))
		}
	}
	if len(terms) == 0 {
		b.problemf(glossary, 1, "the glossary has no entries: each is a ## heading")
	}
}
