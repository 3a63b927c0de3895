package book

import (
	"fmt"
	"go/build"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

const (
	contents = "docs/README.md"
	glossary = "docs/glossary.md"
)

// elsewhere are the links that are not followed. A link to a port of this machine is one.
var elsewhere = regexp.MustCompile(`^(https://[^/]|http://(127\.0\.0\.1|localhost)\b)`)

// checkLinks checks that each link and image of a page leads somewhere, and notes
// which files and anchors of other pages are used.
func (b *Book) checkLinks(p *page, used map[string]bool) {
	for _, l := range p.links {
		if l.image && strings.TrimSpace(l.text) == "" {
			p.problemf(l.line, "the image %s has no text for those who do not see it", l.dest)
		}
		name, anchor := p.resolve(l.dest)
		switch {
		case elsewhere.MatchString(l.dest):
			continue
		case strings.Contains(l.dest, ":"):
			p.problemf(l.line, "the link %q is neither relative nor https://", l.dest)
		case !b.exists[name]:
			p.problemf(l.line, "the link %q leads nowhere: there is no %s", l.dest, name)
		case anchor != "" && !lineAnchor.MatchString(l.dest) && !slices.Contains(b.anchors[name], anchor):
			p.problemf(l.line, "the link %q leads nowhere: %s has no heading with that anchor, and a line's is #L52",
				l.dest, name)
		}
		if name != p.name {
			used[name], used[name+"#"+anchor] = true, true
		}
	}
}

// resolve returns the file or folder that a relative link leads to, and the anchor.
func (p *page) resolve(dest string) (name, anchor string) {
	dest, anchor, _ = strings.Cut(dest, "#")
	if dest == "" {
		return p.name, anchor
	}
	return path.Join(path.Dir(p.name), dest), anchor
}

// checkReached checks that every page in docs can be reached from the contents.
func (b *Book) checkReached() {
	reached := make(map[*page]bool)
	var reach func(name string)
	reach = func(name string) {
		p := b.page(name)
		if p == nil || reached[p] || !strings.HasPrefix(name, "docs/") {
			return
		}
		reached[p] = true
		for _, l := range p.links {
			name, _ := p.resolve(l.dest)
			reach(name)
		}
	}
	reach(contents)
	for _, p := range b.pages {
		if strings.HasPrefix(p.name, "docs/") && !reached[p] {
			p.problemf(1, "no chain of links leads here from %s", contents)
		}
	}
}

// checkFigures checks that every figure is used.
func (b *Book) checkFigures(contents *page, used map[string]bool) {
	for _, name := range b.files {
		if strings.HasPrefix(name, "docs/figures/") && !used[name] {
			contents.problemf(1, "no page uses the figure %s", name)
		}
	}
}

// checkGlossary checks that the glossary is sorted and that each of its terms is one
// that some page uses. That each term used is in it, checkLinks has seen to.
func (b *Book) checkGlossary(used map[string]bool) {
	g := b.page(glossary)
	if g == nil {
		return
	}
	before := ""
	for _, h := range g.headings {
		if h.level == 1 {
			continue
		}
		term := strings.ToLower(h.text)
		if term <= before {
			g.problemf(h.line, "%q does not come after %q in the alphabet", term, before)
		}
		before = term
		if !used[glossary+"#"+h.anchor] {
			g.problemf(h.line, "no page has the term: none links to glossary.md#%s", h.anchor)
		}
	}
}

var (
	lineAnchor = regexp.MustCompile(`^(.*)#L(\d+)$`)
	goSource   = regexp.MustCompile(`^https://github\.com/golang/go/blob/(go[0-9.]+)/src/(.+)$`)
)

// numbered returns the destination of a link with the number of the line that has the
// link's text; if several lines have it, of the nearest.
func (b *Book) numbered(p *page, l link) (dest string, err error) {
	m := lineAnchor.FindStringSubmatch(l.dest)
	if m == nil {
		return l.dest, nil
	}
	name, _ := p.resolve(l.dest)
	external := goSource.FindStringSubmatch(m[1])
	var data []byte
	switch {
	case !elsewhere.MatchString(l.dest):
		data, err = b.read(name)
	case external != nil && external[1] == runtime.Version():
		data, err = os.ReadFile(filepath.Join(build.Default.GOROOT, "src", filepath.FromSlash(external[2])))
	default:
		return l.dest, nil // among them the source of another Go than this one
	}
	if err != nil {
		return "", err
	}
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	near, _ := strconv.Atoi(m[2])
	best, distance := 0, 0
	for i, line := range strings.Split(string(data), "\n") {
		d := max(i+1-near, near-i-1)
		if strings.Contains(squeeze(line), squeeze(l.text)) && (best == 0 || d < distance) {
			best, distance = i+1, d
		}
	}
	if best == 0 {
		return "", fmt.Errorf("no line of %s has %q", name, l.text)
	}
	return m[1] + "#L" + strconv.Itoa(best), nil
}
