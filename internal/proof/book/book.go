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
	root  string
	pages []*page
	files []string // sorted, with slashes, as in docs/README.md
	dirs  map[string]bool

	problems []Problem // those that Check has found so far
}

// A Problem is a place where the book says what is not so.
type Problem struct {
	Page string
	Line int
	Text string
}

func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.Page, p.Line, p.Text) }

func (b *Book) problemf(page string, line int, format string, args ...any) {
	b.problems = append(b.problems, Problem{page, line, fmt.Sprintf(format, args...)})
}

// Open reads the pages of the repository in the folder root.
func Open(root string) (*Book, error) {
	b := &Book{root: root, dirs: map[string]bool{".": true}}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case name == ".git": // in a worktree it is a file
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir() && (name == "bin" || strings.HasPrefix(d.Name(), "_")):
			return fs.SkipDir // what .gitignore names
		case d.IsDir():
			b.dirs[name] = true
		case d.Type().IsRegular():
			b.files = append(b.files, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(b.files)
	for _, name := range b.files {
		if name == "README.md" || strings.HasPrefix(name, "docs/") && strings.HasSuffix(name, ".md") {
			source, err := b.read(name)
			if err != nil {
				return nil, err
			}
			b.pages = append(b.pages, parse(name, source))
		}
	}
	return b, nil
}

// read returns what is in a file of the repository.
func (b *Book) read(name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("there is no %s", name)
	}
	data, err := os.ReadFile(filepath.Join(b.root, filepath.FromSlash(name)))
	if err != nil {
		return nil, fmt.Errorf("there is no %s", name)
	}
	return data, nil
}

// lines returns the lines of a file of the repository.
func (b *Book) lines(name string) ([]string, error) {
	data, err := b.read(name)
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"), err
}

func (b *Book) page(name string) *page {
	for _, p := range b.pages {
		if p.name == name {
			return p
		}
	}
	return nil
}

// stages returns the folders of the stages, in order.
func (b *Book) stages() []string {
	var stages []string
	for dir := range b.dirs {
		if ok, _ := path.Match("stage[0-9]*-*", dir); ok {
			stages = append(stages, dir)
		}
	}
	slices.Sort(stages)
	return stages
}

// Check returns all problems that can be seen without running anything, in the
// order of the pages.
func (b *Book) Check() []Problem {
	b.problems = nil
	for _, p := range b.pages {
		b.problems = append(b.problems, p.problems...)
		for _, blk := range p.blocks {
			b.checkBlock(p, blk)
		}
		b.checkWritten(p)
		b.checkLinks(p)
	}
	b.checkReached()
	b.checkFigures()
	b.checkGlossary()
	b.checkStagePages()
	slices.SortStableFunc(b.problems, func(x, y Problem) int {
		return cmp.Or(strings.Compare(x.Page, y.Page), x.Line-y.Line)
	})
	return b.problems
}

// verb returns the first word of the comment before a block, which says what the
// block is, and the rest of the comment. For a console block, which needs no
// comment, it returns "console".
func (blk *block) verb() (verb, args string) {
	if blk.directive == "" && blk.lang == "console" {
		return "console", ""
	}
	verb, args, _ = strings.Cut(blk.directive, " ")
	return verb, args
}

// checkBlock checks that one of the rules holds a block to what it says.
func (b *Book) checkBlock(p *page, blk *block) {
	switch verb, _ := blk.verb(); verb {
	case "excerpt", "diff", "patch", "file", "restore":
	case "console":
		b.checkConsole(p, blk)
	case "":
		b.problemf(p.name, blk.line, "nothing checks this block of %q, which begins %q: say in a comment before it what it is (excerpt, diff, patch, file)",
			blk.lang, strings.Join(blk.lines[:min(1, len(blk.lines))], ""))
	default:
		b.problemf(p.name, blk.line-1, "the comment %q means nothing before a block of %q; see internal/proof/book/README.md", blk.directive, blk.lang)
	}
}

var stageHeadings = []string{
	"Where we are", "Predict", "Run it", "What goes wrong",
	"The change", "Where is goroutine 1?", "Exercises", "Wrapping up",
}

// checkStagePages checks that each stage has its page, with a picture and the
// headings that all have in common.
func (b *Book) checkStagePages() {
	if b.page("docs/README.md") == nil {
		return // checkReached asks for it
	}
	for _, stage := range b.stages() {
		name := "docs/" + stage + ".md"
		p := b.page(name)
		if p == nil {
			b.problemf("docs/README.md", 1, "%s has no page: there is no %s", stage, name)
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
		if !slices.ContainsFunc(p.links, func(l link) bool { return l.image && l.line < first }) {
			b.problemf(name, first, "no picture stands before the first heading: the page opens with its timeline")
		}
		if !slices.Equal(texts, stageHeadings) {
			b.problemf(name, first, "the ## headings are %q; those of a stage's page are %q", texts, stageHeadings)
		}
	}
}
