// Package behaviour tells the stories under testdata, each of which is about one
// behaviour of a web server, of a server: the stage whose test calls Test, or any
// other program.
//
// The stories are scripts of testscript
// (github.com/rogpeppe/go-internal/testscript) with commands of their own, which
// testdata/README.md explains.
package behaviour

import (
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/concurrent-web-server/internal/server"
	"github.com/rogpeppe/go-internal/testscript"
)

// Main is what a stage's TestMain calls: it lets the test binary be the
// stage's server as well, when it is started under the name server.
func Main(m *testing.M, main func()) {
	// A story mostly waits. Let more of them wait at the same time, unless
	// the command line has another -parallel.
	flag.Set("test.parallel", "16")
	testscript.Main(m, map[string]func(){"server": main})
}

// Test checks that the stage in the current folder has the behaviours, which are
// folders of testdata. Each story is a subtest, as in
// TestStage/many-at-once/slow-request. What failed is told in one verdict, at the end;
// with -v each subtest tells its own story, too.
func Test(t *testing.T, behaviours ...string) {
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	program := server.Command("server")
	program.Go, program.Folder = true, folder
	runner := &Runner{Root: Root(folder), Program: program, Stage: true,
		Has: func(behaviour string) bool { return slices.Contains(behaviours, behaviour) }}
	if deadline, ok := t.Deadline(); ok {
		runner.Deadline = deadline
	}
	tell := runner.RunStory
	if strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		tell = runner.RunAlone // who asks for a story gets that one
	}

	var mu sync.Mutex
	var results []Result
	t.Cleanup(func() {
		stage := filepath.Base(folder)
		again := "go test ./" + stage + " -run /NAME -v"
		if verdict := Verdict(results, again); verdict != "" {
			fmt.Fprintf(t.Output(), "%s %s.\n\n%s", stage, Lost(results), verdict)
			t.Fail()
		}
	})
	for _, behaviour := range behaviours {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			for _, script := range Scripts(behaviour) {
				t.Run(path.Base(script), func(t *testing.T) {
					t.Parallel()
					r := tell(script)
					mu.Lock()
					results = append(results, r)
					mu.Unlock()
					report(t, r)
				})
			}
		})
	}
}

// report has a subtest say how its story went, where that is asked for. Otherwise the
// verdict says it.
func report(t *testing.T, r Result) {
	if !testing.Verbose() {
		return
	}
	switch {
	case r.Failed:
		fmt.Fprintf(t.Output(), "%s\n%s", strings.TrimSpace(r.Log), r.Hint)
		t.Fail()
	case r.Skipped != "":
		t.Skip(r.Skipped)
	default:
		fmt.Fprintln(t.Output(), strings.TrimSpace(r.Log))
	}
}
