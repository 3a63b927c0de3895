package nethttp

import (
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/server"
)

// What visitors say, and what stage 5 and net/http answer: the status of each
// reply, up to the connection's end. docs/beyond.md has the table.
var replies = []struct{ what, says, stage5, nethttp string }{
	{"`HEAD /`", "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "404", "200"},
	{"`GET /?a=b`", "GET /?a=b HTTP/1.1\r\nHost: x\r\n\r\n", "404", "200"},
	{"two requests", "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "200", "200, 200"},
	{"`Expect: 100-continue`", "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", "404", "100, 404"},
	{"no `Host`", "GET / HTTP/1.1\r\n\r\n", "200", "400"},
	{"a head that breaks off", "GET / HTTP/1.1\r\nHost: x\r\n", "200", "400"},
	{"half a request line", "GET / HT", "nothing", "400"},
	{"a line without a colon", "GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", "200", "400"},
	{"two `Content-Length`s", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "404", "400"},
	{"`HTTP/3.0`", "GET / HTTP/3.0\r\nHost: x\r\n\r\n", "400", "505"},
	{"a head of 67,000 bytes", "GET / HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("a", 66963) + "\r\n\r\n", "431", "200"},
}

func TestReplies(t *testing.T) {
	stage5, err := server.Open("../../../stage5-testable")
	if err != nil {
		t.Fatal(err)
	}
	defer stage5.Close()
	ask := func(program *server.Program) func(says string) string {
		srv, err := program.Start(server.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(srv.Kill)
		return func(says string) string { return statuses(t, srv.Addr, says) }
	}
	askStage5, askNetHTTP := ask(stage5), ask(open(t))
	for _, r := range replies {
		if got := askStage5(r.says); got != r.stage5 {
			t.Errorf("%s: stage 5 answers %s; want %s", r.what, got, r.stage5)
		}
		if got := askNetHTTP(r.says); got != r.nethttp {
			t.Errorf("%s: net/http answers %s; want %s", r.what, got, r.nethttp)
		}
	}
}

var statusLine = regexp.MustCompile(`(?m)^HTTP/1\.1 (\d+) .*\r$`)

// statuses says something to the server and that this is all, and returns the
// statuses of the replies.
func statuses(t *testing.T, addr, says string) string {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, says)
	conn.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%.80q is answered with %.80q and %v", says, got, err)
	}
	var all []string
	for _, m := range statusLine.FindAllSubmatch(got, -1) {
		all = append(all, string(m[1]))
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}
