package nethttp

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestSources checks the list of docs/beyond.md that says where net/http has what each
// stage is about: every link leads to a line of the function that is named. The
// book sees to it that the line says what is quoted.
func TestSources(t *testing.T) {
	list := page(t, "(?m)^- .*: `(\\S+)`, \\[`.+`\\]\\(https://github.com/golang/go/blob/(\\S+)/src/(\\S+)#L(\\d+)\\)$")
	if items := page(t, `(?m)^- \*\*Stage \d\*\*`); len(list) != len(items) || len(list) == 0 {
		t.Errorf("docs/beyond.md has %d items that name a stage, and %d that have a function and a link", len(items), len(list))
	}
	for _, item := range list {
		want, version, file := item[1], item[2], item[3]
		if version != runtime.Version() {
			t.Skipf("the list is of %s; this is %s", version, runtime.Version())
		}
		line, _ := strconv.Atoi(item[4])
		got, err := method(filepath.Join(build.Default.GOROOT, "src", file), line)
		if got != want || err != nil {
			t.Errorf("line %d of %s is in %s, %v; docs/beyond.md says %s", line, file, got, err, want)
		}
	}
}

// method returns the method that a line of a file is in, as in "conn.serve".
func method(file string, line int) (string, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	for _, decl := range f.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if ok && fn.Recv != nil && fset.Position(fn.Pos()).Line <= line && line <= fset.Position(fn.End()).Line {
			return strings.TrimPrefix(types.ExprString(fn.Recv.List[0].Type), "*") + "." + fn.Name.Name, nil
		}
	}
	return "no method", nil
}
