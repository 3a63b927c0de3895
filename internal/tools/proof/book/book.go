// Package book holds the workbook's pages, README.md and docs/*.md, to what they
// say: excerpts, diffs and the numbers of lines are what the sources say, links
// lead somewhere, and console sessions, run in real terminals, print what the page
// shows. How a page is written is in README.md beside this file.
package book

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A Book is the pages of a repository, and the names of all that is in it.
type Book struct {
	root    string
	pages   []*page             // README.md and docs/*.md
	files   []string            // with slashes, as in docs/README.md
	exists  map[string]bool     // files and folders
	anchors map[string][]string // of the headings of all .md files
	stages  []string            // their folders, in order
}

// Open reads the pages of the repository in the folder root.
func Open(root string) (*Book, error) {
	b := &Book{root: root, exists: map[string]bool{".": true}, anchors: make(map[string][]string)}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case d.IsDir() && (name == ".git" || name == "bin" || strings.HasPrefix(d.Name(), "_")):
			return fs.SkipDir // what git does not know
		case name == ".git": // a file, in a worktree
			return nil
		case d.Type().IsRegular():
			b.files = append(b.files, name)
		}
		b.exists[name] = true
		if stage, _ := path.Match("stage[0-9]*-*", name); stage {
			b.stages = append(b.stages, name)
		}
		if path.Ext(name) == ".md" {
			return b.addPage(name)
		}
		return nil
	})
	return b, err
}

// addPage reads a file of Markdown.
func (b *Book) addPage(name string) error {
	source, err := b.read(name)
	if err != nil {
		return err
	}
	p := parse(name, source)
	for _, h := range p.headings {
		b.anchors[name] = append(b.anchors[name], h.anchor)
	}
	if name == "README.md" || strings.HasPrefix(name, "docs/") {
		b.pages = append(b.pages, p)
	}
	return nil
}

// path returns where a file of the repository is.
func (b *Book) path(name string) string { return filepath.Join(b.root, filepath.FromSlash(name)) }

// read returns what is in a file of the repository.
func (b *Book) read(name string) ([]byte, error) {
	data, err := os.ReadFile(b.path(name))
	if err != nil {
		return nil, fmt.Errorf("there is no %s", name)
	}
	return data, nil
}

// page returns a page, or nil.
func (b *Book) page(name string) *page {
	if i := slices.IndexFunc(b.pages, func(p *page) bool { return p.name == name }); i >= 0 {
		return b.pages[i]
	}
	return nil
}

// Check returns all problems of a book just opened that can be seen without running
// anything, in the order of the pages.
func (b *Book) Check() []Problem {
	used := make(map[string]bool) // what the pages' links lead to, as in docs/glossary.md#backlog
	for _, p := range b.pages {
		p.checkConsoles()
		b.checkWritten(p)
		b.checkLinks(p, used)
	}
	b.checkReached()
	b.checkGlossary(used)
	if c := b.page(contents); c != nil {
		b.checkFigures(c, used)
		b.checkStages(c)
	}
	var problems []Problem
	for _, p := range b.pages {
		slices.SortStableFunc(p.problems, func(x, y Problem) int { return x.Line - y.Line })
		problems = append(problems, p.problems...)
	}
	return problems
}

var stageHeadings = []string{
	"Where we are", "Predict", "Run it", "The change",
	"What goes wrong", "Where is goroutine 1?", "Exercises", "Wrapping up",
}

// checkStages checks that each stage has its page, with its timeline as a picture, the
// headings that all have in common, and diffs of all that the stage changes.
func (b *Book) checkStages(contents *page) {
	for i, stage := range b.stages {
		name := "docs/" + stage + ".md"
		p := b.page(name)
		if p == nil {
			contents.problemf(1, "%s has no page: there is no %s", stage, name)
			continue
		}
		var texts []string
		first := 0 // the line of the first of these headings
		for _, h := range p.headings {
			if h.level == 2 {
				texts = append(texts, h.text)
				first = cmp.Or(first, h.line)
			}
		}
		if !slices.ContainsFunc(p.links, func(l link) bool { return l.image }) {
			p.problemf(first, "the page has no picture: it shows the stage's timeline")
		}
		if !slices.Equal(texts, stageHeadings) {
			p.problemf(first, "the ## headings are %q; those of a stage's page are %q", texts, stageHeadings)
		}
		if i > 0 {
			b.checkWhole(p, b.stages[i-1]+"/main.go", stage+"/main.go")
		}
	}
}
