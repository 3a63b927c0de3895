package nethttp

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// Where net/http has what each stage is about: a function in a file, and a line
// of it. docs/beyond.md has the list.
var sources = []struct{ stage, idea, file, function, line string }{
	{"1", "one visitor's requests are served one after the other", "server.go", "conn.serve", "serverHandler{c.server}.ServeHTTP(w, w.req)"},
	{"1", "accept failed: go on, and not at once", "server.go", "Server.Serve", "tempDelay *= 2"},
	{"1", "an end that is no reset", "server.go", "conn.closeWriteAndWait", "time.Sleep(rstAvoidanceDelay)"},
	{"1", "a limit to the head", "server.go", "conn.readRequest", "c.r.setReadLimit(c.server.initialReadLimitSize())"},
	{"2", "await the work of another goroutine", "server.go", "timeoutHandler.ServeHTTP", "case <-done:"},
	{"3", "a goroutine for each visitor", "server.go", "Server.Serve", "go c.serve(connCtx)"},
	{"4", "the wait for the next visitor", "server.go", "Server.Serve", "rw, err := l.Accept()"},
	{"4", "silent visitors are dropped", "server.go", "conn.serve", "c.rwc.SetReadDeadline(time.Now().Add(d))"},
	{"4", "stop: end the wait in Accept", "server.go", "Server.Shutdown", "lnerr := s.closeListenersLocked()"},
	{"4", "stop: wait for the requests in progress", "server.go", "Server.Shutdown", "if s.closeIdleConns() {"},
	{"5", "a handler that knows no connection", "server.go", "HandlerFunc.ServeHTTP", "f(w, r)"},
	{"5", "the mock", "httptest/recorder.go", "ResponseRecorder.Write", "rw.Body.Write(buf)"},
}

// The links of the list lead to one version of Go.
const sourcesOf = "go1.26.8"

func TestSources(t *testing.T) {
	if v := runtime.Version(); v != sourcesOf {
		t.Skipf("the list is of %s; this is %s", sourcesOf, v)
	}
	pkg, err := build.Import("net/http", "", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources {
		body, err := function(filepath.Join(pkg.Dir, filepath.FromSlash(s.file)), s.function)
		if err != nil {
			t.Errorf("%s: %v", s.idea, err)
		} else if !strings.Contains(body, s.line) {
			t.Errorf("%s: %s in %s has no %q", s.idea, s.function, s.file, s.line)
		}
	}
}

// function returns the text of a method such as "conn.serve".
func function(file, name string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, text, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	typ, method, _ := strings.Cut(name, ".")
	for _, decl := range f.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Recv == nil || fn.Name.Name != method {
			continue
		}
		recv := fn.Recv.List[0].Type
		if star, ok := recv.(*ast.StarExpr); ok {
			recv = star.X
		}
		if id, ok := recv.(*ast.Ident); ok && id.Name == typ {
			return string(text[fset.Position(fn.Pos()).Offset:fset.Position(fn.End()).Offset]), nil
		}
	}
	return "", fmt.Errorf("there is no method %s in %s", name, file)
}

// TestPage holds docs/beyond.md to what is tested here.
func TestPage(t *testing.T) {
	const file = "../../../docs/beyond.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range sources {
		fmt.Fprintf(&b, "- **Stage %s**, %s: `%s`, [`%s`](https://github.com/golang/go/blob/%s/src/net/http/%s)\n",
			s.stage, s.idea, s.function, s.line, sourcesOf, s.file)
	}
	// The book sees to the numbers of the lines.
	checkLines(t, lineNumber.ReplaceAllString(string(text), ")"), "The links lead to Go 1.26.8.\n\n", b.String())

	b.Reset()
	for _, e := range exceptions {
		fmt.Fprintf(&b, "| [%s](../testdata/%[1]s.txtar) | %s |\n", e.script, e.reason)
	}
	checkLines(t, string(text), "| Script | Why net/http is right |\n|---|---|\n", b.String())

	b.Reset()
	for _, r := range replies {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.what, r.stage5, r.nethttp)
	}
	checkLines(t, string(text), "| A visitor sends | stage 5 | net/http |\n|---|---|---|\n", b.String())
}

var lineNumber = regexp.MustCompile(`#L\d+\)`)

func checkLines(t *testing.T, page, head, want string) {
	t.Helper()
	_, got, ok := strings.Cut(page, head)
	got, _, _ = strings.Cut(got, "\n\n")
	if !ok || got+"\n" != want {
		t.Errorf("docs/beyond.md has to have this:\n%s%s", head, want)
	}
}
