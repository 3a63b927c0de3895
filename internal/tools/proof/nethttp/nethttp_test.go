// Package nethttp compares net/http's server with stage 5, as docs/beyond.md does.
package nethttp

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
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

// page returns docs/beyond.md, or "", which has none of the tables.
func page() string {
	text, _ := os.ReadFile(filepath.Join(root, "docs/beyond.md"))
	return string(text)
}

// TestScripts runs the scripts of stage 5 against net/http. All pass but those that docs/beyond.md
// has a table of, with the reasons why net/http is right.
func TestScripts(t *testing.T) {
	t.Parallel()
	runner := &behaviour.Runner{Root: root, Program: open(t, "docs/examples/nethttp")}
	page, failed := page(), 0
	for _, r := range runner.Run(t.Context(), behaviour.Scripts(behaviour.Stages[4].Behaviours...), 16, nil) {
		// A request that the server has read, but not yet handed to a handler when
		// Shutdown comes, is dropped. A script cannot see whether it has been.
		serving := strings.HasSuffix(r.Script, "-while-serving") || strings.HasSuffix(r.Script, "/interrupted-twice")
		for try := 0; r.Failed && serving && try < 10; try++ {
			r = runner.RunAlone(r.Script)
		}
		if !r.Failed {
			continue
		}
		failed++
		if !strings.Contains(page, fmt.Sprintf("\n| [%s](../testdata/%[1]s.txtar) | ", r.Script)) {
			t.Errorf("docs/beyond.md does not say why this fails:\n%s", r)
		}
	}
	if n := strings.Count(page, ".txtar) | "); n != failed {
		t.Errorf("docs/beyond.md says that %d scripts fail; %d do", n, failed)
	}
}

// requests are what visitors send, in the order of the table in docs/beyond.md.
var requests = []struct{ name, text string }{
	{"`HEAD /`", "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"},
	{"`GET /?a=b`", "GET /?a=b HTTP/1.1\r\nHost: x\r\n\r\n"},
	{"two requests", "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"},
	{"`Expect: 100-continue`", "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"},
	{"no `Host`", "GET / HTTP/1.1\r\n\r\n"},
	{"a head that breaks off", "GET / HTTP/1.1\r\nHost: x\r\n"},
	{"half a request line", "GET / HT"},
	{"a line without a colon", "GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n"},
	{"two `Content-Length`s", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"},
	{"`HTTP/3.0`", "GET / HTTP/3.0\r\nHost: x\r\n\r\n"},
	{"a head of 67,000 bytes", "GET / HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("a", 66963) + "\r\n\r\n"},
}

// TestReplies checks that stage 5 and net/http answer as the table says.
func TestReplies(t *testing.T) {
	table := "\n| A visitor sends | stage 5 | net/http |\n|---|---|---|\n"
	var servers []*server.Server
	for _, folder := range []string{"stage5-testable", "docs/examples/nethttp"} {
		srv, err := open(t, folder).Start(server.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Kill()
		servers = append(servers, srv)
	}
	for _, r := range requests {
		table += fmt.Sprintf("| %s | %s | %s |\n", r.name, statuses(t, servers[0], r.text), statuses(t, servers[1], r.text))
	}
	if !strings.Contains(page(), table+"\n") {
		t.Errorf("docs/beyond.md has another table of replies:\n%s", table)
	}
}

var statusLine = regexp.MustCompile(`(?m)^HTTP/1\.1 (\d+) .*\r$`)

// statuses returns the statuses of the replies to a visitor who sends a text and nothing more.
func statuses(t *testing.T, srv *server.Server, text string) string {
	v := visitor.Connect("", srv.Addr, nil)
	defer v.Close()
	v.Send(text)
	v.CloseWrite()
	srv.Await(server.GiveUpAfter, v.Ended)
	reply, end := v.Reply()
	if end != io.EOF {
		t.Fatalf("%.80q is answered with %.80q and %v", text, reply, end)
	}
	var all []string
	for _, m := range statusLine.FindAllSubmatch(reply, -1) {
		all = append(all, string(m[1]))
	}
	return cmp.Or(strings.Join(all, ", "), "nothing")
}
