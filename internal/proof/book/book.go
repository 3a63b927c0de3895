// Package book holds the workbook's pages, README.md and docs/*.md, to what they
// say: excerpts and diffs are the files' own text, links lead somewhere, and
// console sessions, run in real terminals, print what the page shows. The
// conventions that the pages keep for it are in README.md beside this file.
package book

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// A Book is the pages of a repository, and the repository that they speak of.
type Book struct {
	root  string
	pages []*page
	files map[string]file // of the whole repository, by slash-separated path
	dirs  map[string]bool

	mu       sync.Mutex
	problems []Problem
}

type file struct {
	data []byte
	mode fs.FileMode
}

// A Problem is a place where the book says what is not so.
type Problem struct {
	Page string
	Line int
	Text string
}

func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.Page, p.Line, p.Text) }

// Open reads the repository in the folder root, every file of it. For a test that
// is more than thrift: cmd/go reruns it when a file has changed that it has read
// itself, and knows nothing of what the commands it starts read.
func Open(root string) (*Book, error) {
	b := &Book{root: root, files: make(map[string]file), dirs: map[string]bool{".": true}}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case rel == ".":
			return nil
		case d.IsDir() && (rel == "bin" || rel == ".git" || strings.HasPrefix(d.Name(), "_")):
			return filepath.SkipDir // what .gitignore has
		case d.IsDir():
			b.dirs[rel] = true
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b.files[rel] = file{data, info.Mode().Perm()}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range b.names() {
		if name == "README.md" || strings.HasPrefix(name, "docs/") && strings.HasSuffix(name, ".md") {
			p := parse(name, string(b.files[name].data))
			b.pages = append(b.pages, p)
			b.problems = append(b.problems, p.problems...)
		}
	}
	return b, nil
}

// names returns the names of all files, sorted.
func (b *Book) names() []string {
	names := make([]string, 0, len(b.files))
	for name := range b.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (b *Book) page(name string) *page {
	for _, p := range b.pages {
		if p.name == name {
			return p
		}
	}
	return nil
}

func (b *Book) problemf(page string, line int, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, Problem{page, line, fmt.Sprintf(format, args...)})
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

// Check looks at all that can be seen without running anything, and returns
// the problems in the order of the pages.
func (b *Book) Check() []Problem {
	b.checkUnchecked()
	for _, p := range b.pages {
		for _, blk := range p.blocks {
			b.checkBlock(p, blk)
		}
		b.checkDiffs(p)
		b.checkLinks(p)
		b.checkLineNumbers(p)
	}
	b.checkReached()
	b.checkFigures()
	b.checkGlossary()
	b.checkStagePages()

	problems := slices.Clone(b.problems)
	slices.SortStableFunc(problems, func(x, y Problem) int {
		if x.Page != y.Page {
			return strings.Compare(x.Page, y.Page)
		}
		return x.Line - y.Line
	})
	return problems
}

const uncheckedFile = "internal/proof/book/unchecked.txt"

// checkUnchecked reads the list of blocks that nothing checks and marks them.
func (b *Book) checkUnchecked() {
	line := 0
	for text := range strings.Lines(string(b.files[uncheckedFile].data)) {
		line++
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		name, rest, ok1 := strings.Cut(text, " | ")
		i := strings.LastIndex(rest, " | ")
		if !ok1 || i < 0 || strings.TrimSpace(rest[i+3:]) == "" {
			b.problemf(uncheckedFile, line, "want: PAGE | FIRST LINE OF THE BLOCK | REASON")
			continue
		}
		found := false
		if p := b.page(name); p != nil {
			for _, blk := range p.blocks {
				if strings.TrimSpace(blk.first()) == strings.TrimSpace(rest[:i]) {
					blk.unchecked, found = true, true
				}
			}
		}
		if !found {
			b.problemf(uncheckedFile, line, "%s has no fenced block that begins with %q", name, rest[:i])
		}
	}
}

// checkBlock checks one fenced block, as far as it need not be run.
func (b *Book) checkBlock(p *page, blk *block) {
	verb, args, _ := strings.Cut(blk.directive, " ")
	switch {
	case blk.unchecked:
	case blk.lang == "console" && blk.directive == "":
		b.checkConsole(p, blk)
	case verb == "excerpt":
		b.checkExcerpt(p, blk, args)
	case verb == "diff" && blk.lang == "diff":
		// All those of a page together: checkDiffs.
	case verb == "patch" && blk.lang == "diff", verb == "file":
		// Done in its place by the page's sessions.
	case blk.directive != "":
		b.problemf(p.name, blk.line-1, "the comment %q means nothing before a block of %q; see internal/proof/book/README.md", blk.directive, blk.lang)
	case blk.lang == "go" && strings.HasPrefix(blk.program(), "package "):
		// Vetted by the page's sessions.
	default:
		b.problemf(p.name, blk.line, "nothing checks this block of %q, which begins %q: say in a comment before it what it is (excerpt, diff, patch, file), or list it in %s with the reason",
			blk.lang, blk.first(), uncheckedFile)
	}
}

// program returns the text of the block from its first line of code.
func (blk *block) program() string {
	for i, line := range blk.lines {
		if line != "" && !strings.HasPrefix(line, "//") {
			return strings.Join(blk.lines[i:], "\n")
		}
	}
	return ""
}

var stageHeadings = []string{
	"Where we are", "Predict", "Run it", "What goes wrong",
	"The change", "Where is goroutine 1?", "Exercises", "Wrapping up",
}

// checkStagePages checks that each stage has its page, and what all have in common.
func (b *Book) checkStagePages() {
	if b.page("docs/README.md") == nil {
		return // the book has not been begun
	}
	for _, stage := range b.stages() {
		name := "docs/" + stage + ".md"
		p := b.page(name)
		if p == nil {
			b.problemf("docs/README.md", 1, "%s has no page: there is no %s", stage, name)
			continue
		}
		i, last := 0, 1
		for _, h := range p.headings {
			if h.level != 2 {
				continue
			}
			if i == 0 && !p.pictureBefore(h.line) {
				b.problemf(name, h.line, "no picture stands before the first heading: the page opens with its timeline")
			}
			switch {
			case i >= len(stageHeadings):
				b.problemf(name, h.line, "the heading %q comes after the last that a stage's page has, %q", h.text, stageHeadings[i-1])
			case h.text != stageHeadings[i]:
				b.problemf(name, h.line, "the heading is %q; in a stage's page it is %q here", h.text, stageHeadings[i])
			}
			i++
			last = h.line
		}
		if i < len(stageHeadings) {
			b.problemf(name, last, "the heading %q is missing after this one", stageHeadings[i])
		}
	}
}

func (p *page) pictureBefore(line int) bool {
	for _, l := range p.links {
		if l.image && l.line < line {
			return true
		}
	}
	return false
}
