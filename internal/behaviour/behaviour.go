// Package behaviour runs the scripts under testdata, each of which tells a
// story about one behaviour of a web server, against a server: the stage whose
// test calls Test, or any other program.
//
// The scripts are testscript's (github.com/rogpeppe/go-internal/testscript)
// with commands of their own, which [Commands] documents.
package behaviour

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/concurrent-web-server/internal/server"
	"github.com/rogpeppe/go-internal/testscript"
)

// Main is what a stage's TestMain calls: it lets the test binary be the
// stage's server as well, when it is started under the name server.
func Main(m *testing.M, main func()) {
	// A script mostly waits. Let more of them wait at the same time.
	flag.Set("test.parallel", "16")
	testscript.Main(m, map[string]func(){"server": main})
}

// Test checks that the stage in the current folder has the behaviours, which
// are folders of testdata. Of where-is-goroutine-1, where each stage has a
// script of its own, it runs the stage's.
func Test(t *testing.T, behaviours ...string) {
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	program := server.Command("server")
	program.Go, program.Folder = true, folder
	for _, behaviour := range behaviours {
		p := Params(program, func(behaviour string) bool { return slices.Contains(behaviours, behaviour) })
		p.Dir = filepath.Join(Root(folder), "testdata", behaviour)
		if behaviour == "where-is-goroutine-1" {
			p.Files, p.Dir = []string{filepath.Join(p.Dir, filepath.Base(folder)+".txtar")}, ""
		}
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, p)
		})
	}
}

// Params returns what testscript needs to tell the stories about program,
// except for the scripts. A script can ask what has says of a behaviour with a
// condition such as [has:many-at-once].
func Params(program *server.Program, has func(behaviour string) bool) testscript.Params {
	return testscript.Params{
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                Commands,
		Setup: func(env *testscript.Env) error {
			s := newStory(program)
			env.Values[storyKey{}] = s
			env.Defer(s.end)
			env.Setenv("SOURCE", program.Folder)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			name, arg, _ := strings.Cut(cond, ":")
			switch {
			case name == "has":
				return has(arg), nil
			case name == "go":
				return program.Go, nil
			case name == "source" && program.Folder != "":
				_, err := os.Stat(filepath.Join(program.Folder, arg))
				return err == nil, nil
			case name == "source":
				return false, nil
			}
			return false, fmt.Errorf("unknown condition; there are go (the server is written in Go), source (its source is at hand, as a Go package), source:FILE (and has this file) and has:BEHAVIOUR")
		},
	}
}

// Root returns the folder of the workbook, which is the nearest one at or above
// folder that has a testdata beside a go.mod.
func Root(folder string) string {
	for dir := folder; ; dir = filepath.Dir(dir) {
		_, modErr := os.Stat(filepath.Join(dir, "go.mod"))
		_, dataErr := os.Stat(filepath.Join(dir, "testdata", "pages"))
		if modErr == nil && dataErr == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return folder
		}
	}
}
