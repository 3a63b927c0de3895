package nethttp

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

const root = "../../../.."

func open(t *testing.T, folder string) *server.Program {
	t.Helper()
	program, err := server.Open(filepath.Join(root, folder), server.Build{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return program
}

// page returns the matches of a pattern in docs/beyond.md, and their groups.
func page(t *testing.T, pattern string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/beyond.md"))
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1)
}

// exceptions are the scripts that do not hold of net/http, with part of what each says
// then. docs/beyond.md has a table of them, with the reasons why net/http is right.
var exceptions = map[string]string{"without-a-network/handler": "undefined: handleConnection"}

// TestScripts tells of net/http what is told of stage 5. Every script holds,
// but for the exceptions, which fail as they should.
func TestScripts(t *testing.T) {
	stage5 := behaviour.Stages[4]
	runner := &behaviour.Runner{Root: root, Program: open(t, "docs/examples/nethttp")}
	var failed []string
	for _, r := range runner.Run(t.Context(), behaviour.Scripts(stage5.Behaviours...), 16, nil) {
		// A request that the server has read, but not yet handed to a handler when
		// Shutdown comes, is dropped. A script cannot see whether it has been.
		serving := strings.HasSuffix(r.Script, "-while-serving") || strings.HasSuffix(r.Script, "/interrupted-twice")
		for try := 0; r.Failed && serving && try < 10; try++ {
			r = runner.RunAlone(r.Script)
		}
		if !r.Failed {
			continue
		}
		failed = append(failed, r.Script)
		if reason, ok := exceptions[r.Script]; !ok || !strings.Contains(r.Reason, reason) {
			t.Errorf("want failures of %q only:\n%s", exceptions, r)
		}
	}
	var listed []string
	for _, row := range page(t, `(?m)^\| \[(\S+)\]\(\.\./testdata/\S+\.txtar\) \| .+ \|$`) {
		listed = append(listed, row[1])
	}
	slices.Sort(failed)
	slices.Sort(listed)
	want := slices.Sorted(maps.Keys(exceptions))
	if !slices.Equal(failed, want) || !slices.Equal(listed, want) {
		t.Errorf("%q fail, and docs/beyond.md lists %q; want %q", failed, listed, want)
	}
}
