package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"example.com/concurrent-web-server/internal/behaviour"
)

// A code is the source of a server in Go.
type code struct {
	ID    int               `json:"id"`
	Loop  *loop             `json:"loop,omitempty"` // nil if there is none in the source
	Files map[string]string `json:"files"`          // their texts, by name
}

// A loop is the lines of an accept loop, from the for to its closing brace.
type loop struct {
	File  string `json:"file"`
	First int    `json:"first"`
	Last  int    `json:"last"`
}

// readCode reads the sources of a package, without its tests.
func readCode(id int, folder string) code {
	c := code{ID: id, Files: map[string]string{}}
	names, _ := filepath.Glob(filepath.Join(folder, "*.go"))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil || strings.HasSuffix(name, "_test.go") {
			continue
		}
		base := filepath.Base(name)
		c.Files[base] = string(text)
		if found := acceptLoop(base, text); c.Loop == nil || found != nil && base == "main.go" {
			c.Loop = found
		}
	}
	return c
}

// acceptLoop finds the innermost loop around a call that accepts a connection, by whatever name, or returns nil.
func acceptLoop(name string, text []byte) (found *loop) {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil
	}
	var loops []*ast.ForStmt // so far, the outer ones first
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForStmt:
			loops = append(loops, n)
		case *ast.CallExpr:
			method, ok := n.Fun.(*ast.SelectorExpr)
			for _, f := range loops {
				if ok && strings.HasPrefix(method.Sel.Name, "Accept") && n.Pos() < f.End() {
					found = &loop{name, files.Position(f.Pos()).Line, files.Position(f.End()).Line}
				}
			}
		}
		return true
	})
	return found
}

// goroutines are those of a server, as it reports them itself, without those of the runtime and of the signal
// handler.
type goroutines struct {
	Place string   `json:"place"` // the function that goroutine 1 is in
	Wait  string   `json:"wait"`  // its state, as in "chan receive"
	Stack []string `json:"stack"` // its lines of the server's source, from the outermost to the innermost
	Held  int      `json:"held"`  // threads, by visitors
	Total int      `json:"goroutines"`
	// Lines has, for a line as in "main.go:58", how many goroutines other than goroutine 1 stand on it, are called
	// through it or were started by it; how many of these hold a thread; and of how many it is the innermost.
	Lines map[string][3]int `json:"lines"`
}

// place matches where a goroutine is, and in it the name of the function of the server's own.
var place = regexp.MustCompile(`^in (?:.*\.)?(\w+) \[.*`)

// countGoroutines reads a dump of all goroutines, of which it keeps nothing.
func countGoroutines(dump string) goroutines {
	counted := goroutines{Stack: []string{}, Lines: map[string][3]int{}}
	for _, g := range serverGoroutines(dump) {
		holds := g.State == "syscall" || g.State == "running"
		counted.Total++
		if holds && !strings.Contains(g.Text, ".Accept(") {
			counted.Held++
		}
		lines := ownLines(g.Text)
		if g.ID == "1" {
			counted.Place, counted.Wait, counted.Stack = place.ReplaceAllString(g.Where(), "$1"), strings.Clone(g.State), lines
			continue
		}
		for i, line := range lines {
			counts := counted.Lines[line]
			counts[0]++
			if holds {
				counts[1]++
			}
			if i == len(lines)-1 {
				counts[2]++
			}
			counted.Lines[line] = counts
		}
	}
	return counted
}

// serverGoroutines finds the goroutines in a dump, without those of the runtime and of the signal handler.
func serverGoroutines(dump string) []behaviour.Goroutine {
	return slices.DeleteFunc(behaviour.Goroutines(dump), func(g behaviour.Goroutine) bool {
		_, creator, _ := strings.Cut(g.Text, "\ncreated by ")
		return strings.HasPrefix(creator, "runtime.") || strings.HasPrefix(creator, "os/signal.")
	})
}

// ownLines returns the lines of package main on a goroutine's stack, each once, from the one that started the
// goroutine to the innermost. There may be ten thousand stacks, and a regular expression would take long.
func ownLines(text string) (lines []string) {
	for function, below, ok := strings.Cut(text, "\n"); ok; function, below, ok = strings.Cut(below, "\n") {
		if !strings.HasPrefix(strings.TrimPrefix(function, "created by "), "main.") {
			continue
		}
		at, _, _ := strings.Cut(strings.TrimSpace(below), "\n") // as in /folder/main.go:58 +0x1c5
		at, _, _ = strings.Cut(at[strings.LastIndex(at, "/")+1:], " ")
		if !slices.Contains(lines, at) {
			lines = append(lines, strings.Clone(at))
		}
	}
	slices.Reverse(lines)
	return lines
}
