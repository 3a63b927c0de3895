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

// requests are what visitors send. docs/beyond.md has a table with the status of each
// reply, up to the connection's end.
var requests = map[string]string{
	"`HEAD /`":               "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
	"`GET /?a=b`":            "GET /?a=b HTTP/1.1\r\nHost: x\r\n\r\n",
	"two requests":           "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"`Expect: 100-continue`": "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
	"no `Host`":              "GET / HTTP/1.1\r\n\r\n",
	"a head that breaks off": "GET / HTTP/1.1\r\nHost: x\r\n",
	"half a request line":    "GET / HT",
	"a line without a colon": "GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
	"two `Content-Length`s":  "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
	"`HTTP/3.0`":             "GET / HTTP/3.0\r\nHost: x\r\n\r\n",
	"a head of 67,000 bytes": "GET / HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("a", 66963) + "\r\n\r\n",
}

// TestReplies checks that stage 5 and net/http answer as the table says.
func TestReplies(t *testing.T) {
	rows := page(t, `(?m)^\| (.+) \| (nothing|[\d, ]+) \| (nothing|[\d, ]+) \|$`)
	if len(rows) != len(requests) {
		t.Errorf("docs/beyond.md has replies to %d requests; want %d", len(rows), len(requests))
	}
	for i, folder := range []string{"stage5-testable", "docs/examples/nethttp"} {
		srv, err := open(t, folder).Start(server.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Kill()
		for _, row := range rows {
			request, ok := requests[row[1]]
			if !ok {
				t.Errorf("docs/beyond.md has replies to %s, which is not tested", row[1])
			} else if got := statuses(t, srv.Addr, request); got != row[2+i] {
				t.Errorf("%s: %s answers %s; docs/beyond.md says %s", row[1], folder, got, row[2+i])
			}
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
