// Package behaviour runs the scripts under testdata against a server: the stage whose test calls
// Test, or any other program. Each script is about one behaviour of a web server. The verdict says
// what the server does not do, and which stage of the ladder it has reached.
//
// The scripts are those of testscript (github.com/rogpeppe/go-internal/testscript), with more
// commands, which testdata/README.md explains.
package behaviour

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/screen"
	"example.com/concurrent-web-server/internal/server"
	"github.com/rogpeppe/go-internal/testscript"
)

// The stages have no flags of package testscript, which has registered some.
func init() {
	flag.CommandLine = flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	flag.CommandLine.Usage = func() { flag.Usage() } // as package flag does
}

// Main is called by a stage's TestMain. If the test binary was started under the name server, it
// is the stage's server, and Main calls main; otherwise it runs the tests.
func Main(m *testing.M, main func()) {
	if filepath.Base(os.Args[0]) != "server" {
		flag.Set("test.parallel", strconv.Itoa(atOnce)) // -parallel on the command line wins
		server.EndWithParent()                          // the go command may be killed
		if _, err := server.CleanUpAtEnd("test"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	testscript.Main(m, map[string]func(){"server": func() {
		flags := flag.NewFlagSet(os.Args[0], flag.ExitOnError)
		flag.VisitAll(func(f *flag.Flag) {
			if !strings.HasPrefix(f.Name, "test.") {
				flags.Var(f.Value, f.Name, f.Usage)
			}
		})
		flag.CommandLine = flags
		main()
	}})
}

// Test checks that the stage in the current folder has the behaviours, which are folders of
// testdata. Each script is a subtest, as in TestStage/many-at-once/slow-request. If some fail, Test
// prints one verdict at the end; with -v each subtest prints its log too.
func Test(t *testing.T, behaviours ...string) {
	folder, err := os.Getwd()
	err = cmp.Or(err, server.AllowFiles())
	if err != nil {
		t.Fatal(err)
	}
	program := server.Command("server")
	program.Name, program.Go, program.Folder, program.Reports = "The server", true, folder, true
	runner := &Runner{Root: Root(folder), Program: program, Strict: true, Deadline: Deadline(t)}
	run := runner.RunNext
	if strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		run = runner.RunAlone // the user wants this script, even if the first one fails
	}

	if line := server.Unseen(); line != "" && testing.Verbose() {
		t.Log(line)
	}
	scripts := Scripts(behaviours...)
	report := &Report{Who: filepath.Base(folder), Strict: true, Results: make([]Result, len(scripts))}
	report.Stage = &Stage{Folder: report.Who, Behaviours: behaviours}
	report.Again = "go test ./" + report.Who + " -run /NAME -v"
	t.Cleanup(func() {
		if verdict, ok := report.Verdict(rows(report.Who)); !ok {
			fmt.Fprint(t.Output(), verdict)
			t.Fail()
		}
	})
	for _, behaviour := range behaviours {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			for _, script := range Scripts(behaviour) {
				t.Run(path.Base(script), func(t *testing.T) {
					t.Parallel()
					r := run(script)
					report.Results[slices.Index(scripts, script)] = r
					if testing.Verbose() { // otherwise the verdict is enough
						logResult(t, r)
					}
				})
			}
		})
	}
}

// rows returns how many rows of the terminal a stage's verdict may take, so that its first line
// stays on the screen: go test ./... prints three lines on the failure after it, one for each of the
// later stages, and the prompt.
func rows(folder string) int {
	i := slices.IndexFunc(Stages, func(s Stage) bool { return s.Folder == folder })
	return screen.Rows() - 5 - (len(Stages) - 1 - max(i, 0))
}

// Deadline returns when the scripts of a test have to give up: five seconds before package testing
// ends the test. If there is no such time it returns the zero time.
func Deadline(t *testing.T) time.Time {
	deadline, ok := t.Deadline()
	if ok {
		deadline = deadline.Add(-5 * time.Second)
	}
	return deadline
}

// logResult logs the result of a script, and fails or skips its subtest.
func logResult(t *testing.T, r Result) {
	_, log, _ := strings.Cut(r.Log, "\n\n") // before the first empty line it has the environment
	fmt.Fprintln(t.Output(), strings.TrimSpace(log))
	switch {
	case r.Failed:
		fmt.Fprint(t.Output(), r.Hint)
		t.Fail()
	case r.Skipped != "":
		t.Skip(r.Skipped)
	}
}
