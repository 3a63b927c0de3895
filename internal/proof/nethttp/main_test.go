package nethttp

import (
	"path/filepath"
	"strings"
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

const root = "../../.."

func open(t *testing.T) *server.Program {
	t.Helper()
	program, err := server.Open(filepath.Join(root, "docs/examples/nethttp"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return program
}

// Some scripts do not hold of net/http, which is right in each. fails is part of
// what the script says; docs/beyond.md has the scripts and the reasons.
var exceptions = []struct{ script, fails, reason string }{
	{"without-a-network/handler", "undefined: handleConnection",
		"A handler is tested without a network, but asks for other things than a reader and a writer."},
}

// TestScripts tells of net/http what is told of stage 5. Every script holds,
// but for the exceptions, which fail as they should.
func TestScripts(t *testing.T) {
	program, stage5 := open(t), behaviour.Stages[4]
	runner := &behaviour.Runner{Root: root, Program: program, Has: stage5.Has}
	expected := map[string]string{}
	for _, e := range exceptions {
		expected[e.script] = e.fails
	}
	for _, r := range runner.RunAll(t.Context(), &stage5, 16, nil).Results {
		// A request that the server has read, but not yet handed to a handler when
		// Shutdown comes, is dropped. A script cannot see whether it has been.
		serving := strings.HasSuffix(r.Script, "-while-serving") || strings.HasSuffix(r.Script, "/interrupted-twice")
		for try := 0; r.Failed && serving && try < 10; try++ {
			r = runner.RunAlone(r.Script)
		}
		fails, exception := expected[r.Script]
		delete(expected, r.Script)
		switch {
		case exception && r.Skipped == "" && !r.Failed:
			t.Errorf("%s holds of net/http, too: it is no exception", r.Script)
		case exception && !strings.Contains(r.Reason, fails):
			t.Errorf("for another reason than %q:\n%s", fails, r)
		case !exception && r.Failed:
			t.Error(r)
		}
	}
	for script := range expected {
		t.Errorf("%s is not among the scripts", script)
	}
}
