package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"example.com/concurrent-web-server/internal/behaviour"
)

// A code is the source of a server in Go.
type code struct {
	ID    int             `json:"id"`
	Loop  *loop           `json:"loop,omitempty"` // nil if there is none in the source
	Files map[string]file `json:"files"`
}

// A loop is the lines of an accept loop, from the for to its closing brace.
type loop struct {
	File  string `json:"file"`
	First int    `json:"first"`
	Last  int    `json:"last"`
}

// A file is a source.
type file struct {
	Text string `json:"text"`
	New  []int  `json:"new"` // the lines that are not in the stage before
}

// mostSource is how many bytes of a server's source are shown, so that no folder is too large.
const mostSource = 200_000

// readCode reads the sources of a package, without its tests.
func readCode(id int, folder string) code {
	c, size := code{ID: id, Files: map[string]file{}}, 0
	names, _ := filepath.Glob(filepath.Join(folder, "*.go"))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if size += len(text); err != nil || strings.HasSuffix(name, "_test.go") || size > mostSource {
			continue
		}
		base := filepath.Base(name)
		c.Files[base] = file{string(text), newLines(folder, base, string(text))}
		if found := acceptLoop(base, text); found != nil && c.Loop == nil {
			c.Loop = found
		}
	}
	return c
}

// acceptLoop finds the innermost loop that calls the method Accept of a listener, which has no parameters.
func acceptLoop(name string, text []byte) (found *loop) {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if f, ok := n.(*ast.ForStmt); ok && calls(f.Body, func(name string, args int) bool { return strings.HasSuffix(name, ".Accept") && args == 0 }) {
			found = &loop{name, files.Position(f.Pos()).Line, files.Position(f.End()).Line}
		}
		return true
	})
	return found
}

// calls says whether there is a call in a piece of code that matches, by its name as in "listener.Accept" and
// the number of its arguments.
func calls(n ast.Node, match func(name string, args int) bool) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			found = found || match(types.ExprString(call.Fun), len(call.Args))
		}
		return true
	})
	return found
}

// newLines returns the numbers of a stage's lines that are nowhere in the same file of the stage before.
func newLines(folder, base, text string) []int {
	numbers := []int{}
	i := slices.IndexFunc(behaviour.Stages, func(s behaviour.Stage) bool { return s.Folder == filepath.Clean(folder) })
	if i < 1 {
		return numbers
	}
	before, _ := os.ReadFile(filepath.Join(behaviour.Stages[i-1].Folder, base))
	for n, line := range strings.SplitAfter(text, "\n") {
		if strings.Trim(line, "\t})\n") != "" && !strings.Contains("\n"+string(before), "\n"+line) {
			numbers = append(numbers, n+1)
		}
	}
	return numbers
}

var online = regexp.MustCompile(`^(net\.(Listen|Dial)|behaviour\.Test)`)

// offlineTests returns the names of a package's tests that need no network: they neither listen nor dial, nor
// have the stories told.
func offlineTests(folder string) (names []string) {
	tests, _ := filepath.Glob(filepath.Join(folder, "*_test.go"))
	for _, name := range tests {
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil
		}
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Body == nil || !strings.HasPrefix(f.Name.Name, "Test") || f.Name.Name == "TestMain" {
				continue
			}
			if !calls(f.Body, func(name string, _ int) bool { return online.MatchString(name) }) {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// Goroutines.

// goroutines are those of a server, as it tells of them. Those of the runtime, of the signal handler and of
// the lab are left out.
type goroutines struct {
	Place string         `json:"place"`  // the function that goroutine 1 is in
	Wait  string         `json:"wait"`   // its state, as in "chan receive"
	Stack []string       `json:"lines1"` // its lines of the server's source, from the outermost to the innermost
	Held  int            `json:"held"`   // threads, by visitors
	Total int            `json:"goroutines"`
	Waits map[string]int `json:"waits"` // goroutines by their state
	// Lines has, for a line as in "main.go:58", how many goroutines other than goroutine 1 stand on it, are called
	// through it or were started by it; how many of these hold a thread; and of how many it is the innermost.
	Lines map[string][3]int `json:"lines"`
}

// countGoroutines reads a dump of all goroutines, of which it keeps nothing.
func countGoroutines(dump string) goroutines {
	told := goroutines{Stack: []string{}, Waits: map[string]int{}, Lines: map[string][3]int{}}
	for _, g := range behaviour.Goroutines(dump) {
		if strings.Contains(g.Text, "labGoroutines") || startedBySystem(g.Text) {
			continue
		}
		header, _, _ := strings.Cut(g.Text, "\n")
		holds := g.State == "syscall" || g.State == "running" || strings.Contains(header, "locked to thread")
		told.Total++
		state := strings.Clone(g.State)
		told.Waits[state]++
		if holds && !strings.Contains(g.Text, ".Accept(") {
			told.Held++
		}
		lines := ownLines(g.Text)
		if g.ID == "1" {
			told.Place, told.Wait, told.Stack = place(g), state, lines
			continue
		}
		for i, line := range lines {
			counts := told.Lines[line]
			counts[0]++
			if holds {
				counts[1]++
			}
			if i == len(lines)-1 {
				counts[2]++
			}
			told.Lines[line] = counts
		}
	}
	return told
}

// startedBySystem says whether a goroutine is the runtime's or the signal handler's.
func startedBySystem(text string) bool {
	_, creator, _ := strings.Cut(text, "\ncreated by ")
	return strings.HasPrefix(creator, "runtime.") || strings.HasPrefix(creator, "os/signal.")
}

// place names the function of the server's own that a goroutine is in, without its package and type.
func place(g behaviour.Goroutine) string {
	where, _, _ := strings.Cut(strings.TrimPrefix(g.Where(), "in "), " [")
	if i := strings.LastIndex(where, "."); i >= 0 && !strings.HasPrefix(where[i+1:], "func") {
		where = where[i+1:]
	}
	return strings.Trim(where, "[]")
}

// ownLines returns the lines of package main on a goroutine's stack, each once, from the one that started the
// goroutine to the innermost.
func ownLines(text string) (lines []string) {
	for rest := text; ; {
		function, below, ok := strings.Cut(rest, "\n")
		if !ok {
			break
		}
		rest = below
		function = strings.TrimPrefix(function, "created by ")
		if !strings.HasPrefix(function, "main.") {
			continue
		}
		at, _, _ := strings.Cut(strings.TrimSpace(below), "\n") // as in /folder/main.go:58 +0x1c5
		at, _, _ = strings.Cut(at[strings.LastIndex(at, "/")+1:], " ")
		if _, line, ok := strings.Cut(at, ":"); ok {
			if _, err := strconv.Atoi(line); err == nil && !slices.Contains(lines, at) {
				lines = append(lines, strings.Clone(at))
			}
		}
	}
	slices.Reverse(lines)
	return lines
}
