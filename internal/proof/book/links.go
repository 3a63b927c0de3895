package book

import (
	"net/url"
	"path"
	"slices"
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
				data, _ := b.read(name)
				target = parse(name, data)
			}
			if !target.anchors[anchor] {
				b.problemf(p.name, l.line, "the link %q leads nowhere: %s has no heading whose anchor is #%s", l.dest, name, anchor)
			}
		case b.dirs[name]:
			b.problemf(p.name, l.line, "the link %q: a folder has no anchors", l.dest)
		}
	}
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
		name = path.Join(path.Dir(p.name), dest)
	}
	_, isFile := slices.BinarySearch(b.files, name)
	return name, anchor, isFile || b.dirs[name]
}

// checkExternal checks the form of a link to elsewhere, which it does not fetch.
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
			if verb, args := blk.verb(); verb == "excerpt" {
				used[args] = true
			}
		}
	}
	if b.page("docs/README.md") == nil {
		return
	}
	for _, name := range b.files {
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
		if !used[slug(h.text)] {
			b.problemf(glossary, h.line, "no page has the term: none links to glossary.md#%s", slug(h.text))
		}
	}
	if len(terms) == 0 {
		b.problemf(glossary, 1, "the glossary has no entries: each is a ## heading")
	}
}
