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
	{"pages/cut-short", "the answer is 400 Bad Request, not 200",
		"A head that breaks off is no request, and HTTP/1.1 demands a `Host`."},
	{"pages/not-http", "there is no Content-Length",
		"The answer is 400 too, but in plain text, and ends where the connection ends."},
	{"pages/packets", "bert has an answer, and the connection stays open after it",
		"The second visitor does not say `Connection: close`, and so may ask again."},
	{"without-a-network/handler", "undefined: handleConnection",
		"A handler is tested without a network, but asks for other things than a reader and a writer."},
}

// TestScripts tells of net/http what is told of stage 5. Every script holds,
// but for the exceptions, which fail as they should.
func TestScripts(t *testing.T) {
	program, stage5 := open(t), behaviour.Stages[4]

	var scripts []string
	for _, name := range stage5.Behaviours {
		all, err := behaviour.Scripts(root, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, script := range all {
			if name != "where-is-goroutine-1" || strings.HasSuffix(script, "/"+stage5.Folder) {
				scripts = append(scripts, script)
			}
		}
	}
	expected := map[string]string{}
	for _, e := range exceptions {
		expected[e.script] = e.fails
	}
	for _, r := range behaviour.Examine(root, program, scripts, 16, nil) {
		// A request that the server has read, but not yet handed to a handler when
		// Shutdown comes, is dropped. A script cannot see whether it has been.
		serving := strings.HasSuffix(r.Script, "-while-serving") || strings.HasSuffix(r.Script, "/interrupted-twice")
		for try := 0; r.Failed && serving && try < 10; try++ {
			r = behaviour.Examine(root, program, []string{r.Script}, 1, nil)[0]
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
