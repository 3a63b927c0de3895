package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { behaviour.Main(m, main) }

// The behaviours are stage 5's, in the order of its main_test.go.
var behaviours = []string{
	"pages",
	"command-line",
	"many-at-once",
	"waiting-is-free",
	"where-is-goroutine-1",
}

// Three scripts do not hold of net/http, which is right in each. fails is part
// of what the script says; docs/beyond.md has the scripts and the reasons.
var exceptions = []struct{ script, fails, reason string }{
	{"pages/cut-short", "the answer is 400 Bad Request, not 200",
		"A head that ends without its empty line is none, and one without `Host` is not HTTP/1.1."},
	{"pages/not-http", "there is no Content-Length",
		"The status is 400 as well, but with a line of plain text, which ends where the connection ends."},
	{"pages/packets", "bert has an answer, and the connection stays open after it",
		"The second visitor does not say `Connection: close`. They may ask again."},
}

// TestScripts tells of net/http what is told of stage 5. Every script holds,
// but for the exceptions, which fail as they should.
func TestScripts(t *testing.T) {
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	program := server.Command("server")
	program.Go, program.Folder = true, folder
	expected := map[string]string{}
	for _, e := range exceptions {
		expected[e.script] = e.fails
	}

	for _, name := range behaviours {
		pattern := filepath.Join(behaviour.Root(folder), "testdata", name, "*.txtar")
		if name == "where-is-goroutine-1" {
			pattern = filepath.Join(filepath.Dir(pattern), "stage5-testable.txtar")
		}
		scripts, err := filepath.Glob(pattern)
		if err != nil || len(scripts) == 0 {
			t.Fatalf("no scripts in %s (%v)", pattern, err)
		}
		for _, script := range scripts {
			name := name + "/" + strings.TrimSuffix(filepath.Base(script), ".txtar")
			fails, exception := expected[name]
			delete(expected, name)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := behaviour.Params(program, behaviours...)
				p.Files = []string{script}
				if !exception {
					testscript.Run(t, p)
					return
				}
				var told storyteller
				testscript.RunT(&told, p)
				switch log := told.log.String(); {
				case !told.failed:
					t.Error("holds of net/http, too: it is no exception")
				case !strings.Contains(log, fails):
					t.Errorf("fails for another reason than %q:\n%s", fails, log)
				}
			})
		}
	}
	for name := range expected {
		t.Errorf("there is no script %s to be an exception", name)
	}
}

// A storyteller runs a script as a *testing.T does, but takes failure calmly.
type storyteller struct {
	log    strings.Builder
	failed bool
}

func (s *storyteller) Run(_ string, script func(testscript.T)) {
	done := make(chan struct{})
	go func() { // of its own, so that FailNow can end it
		defer close(done)
		script(s)
	}()
	<-done
}

func (s *storyteller) FailNow() {
	s.failed = true
	runtime.Goexit()
}

func (s *storyteller) Fatal(args ...any) {
	s.Log(args...)
	s.FailNow()
}

func (s *storyteller) Log(args ...any) {
	for _, arg := range args {
		s.log.WriteString(arg.(string))
	}
}

func (s *storyteller) Skip(...any)   { runtime.Goexit() }
func (s *storyteller) Parallel()     {}
func (s *storyteller) Verbose() bool { return false }
