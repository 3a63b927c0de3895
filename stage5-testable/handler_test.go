package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// A mockConn is a connection in memory: the handler reads what is in input, and
// what it writes ends up in output: two directions, as on a connection. (The
// draft of the chapter has one Vec for both; docs/stage5-testable.md says why
// that cannot work.)
type mockConn struct {
	input  io.Reader
	output bytes.Buffer
}

func (c *mockConn) Read(p []byte) (int, error)  { return c.input.Read(p) }
func (c *mockConn) Write(p []byte) (int, error) { return c.output.Write(p) }

// handle calls the handler. If that panics the test fails, and the others go on.
func handle(t testing.TB, conn io.ReadWriter) {
	defer func() {
		if reason := recover(); reason != nil {
			t.Errorf("handleConnection panics: %v", reason)
		}
	}()
	handleConnection(conn)
}

// reply returns all that the handler answers to what it reads from input.
func reply(t testing.TB, input io.Reader) string {
	conn := &mockConn{input: input}
	handle(t, conn)
	return conn.output.String()
}

// difference says in a line where a reply is not the one that is wanted.
func difference(got, want string) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	return fmt.Sprintf("%.50q from byte %d on; want %.50q", got[i:], i, want[i:])
}

// wantReply returns the whole reply that has the given status and page.
func wantReply(status, page string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, len(page), page)
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestHandleConnection(t *testing.T) {
	hello := wantReply("200 OK", readFile(t, "hello.html"))
	notFound := wantReply("404 Not Found", readFile(t, "404.html"))
	badRequest := wantReply("400 Bad Request", "<h1>400 Bad Request</h1>\n")
	tooLarge := wantReply("431 Request Header Fields Too Large", "<h1>431 Request Header Fields Too Large</h1>\n")

	for _, tt := range []struct {
		name, input, want string
	}{
		{"the chapter's request", "GET / HTTP/1.1\r\n", hello},
		{"with a head", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", hello},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", hello},
		{"lines that end in \\n", "GET / HTTP/1.1\nHost: localhost\n\n", hello},
		{"two requests", "GET / HTTP/1.1\r\n\r\nGET /other HTTP/1.1\r\n\r\n", hello},
		{"a head of 3,000 bytes", "GET / HTTP/1.1\r\nCookie: " + strings.Repeat("a", 3000) + "\r\n\r\n", hello},
		{"a head of 64 KiB", "GET / HTTP/1.1\r\nCookie: " + strings.Repeat("a", maxHead-28) + "\r\n\r\n", hello},
		{"one byte more", "GET / HTTP/1.1\r\nCookie: " + strings.Repeat("a", maxHead-27) + "\r\n\r\n", tooLarge},
		{"a request line without end", "GET /" + strings.Repeat("a", maxInput), tooLarge},
		{"the end in the middle of a field", "GET / HTTP/1.1\r\nHost: loc", hello},
		{"fields of no known shape", "GET / HTTP/1.1\r\nno colon\r\n:\r\n: first\r\n \r\nContent-Length\r\n\r\n", hello},
		{"a length below zero", "GET / HTTP/1.1\r\nContent-Length: -9223372036854775808\r\n\r\n", hello},
		{"another path", "GET /other HTTP/1.1\r\n\r\n", notFound},
		{"another method", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", notFound},
		{"a query", "GET /?a=b HTTP/1.1\r\n\r\n", notFound},
		{"not HTTP", "How do you do?\r\n\r\n", badRequest},
		{"HTTP/0.9", "GET /\r\n\r\n", badRequest},
		{"an unknown version", "GET / HTTP/3.0\r\n\r\n", badRequest},
		{"no path", "GET  HTTP/1.1\r\n\r\n", badRequest},
		{"an empty line", "\r\n\r\n", badRequest},
		{"half a request line", "GET / HT", ""},
		{"nothing", "", ""},
	} {
		if got := reply(t, strings.NewReader(tt.input)); got != tt.want {
			t.Fatalf("%s: the reply has %s", tt.name, difference(got, tt.want))
		}
	}
}

// However the request is cut into pieces, and whether or not its end comes with
// the last of them, the reply is the same.
func TestReaders(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	want := wantReply("200 OK", readFile(t, "hello.html"))
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"a byte at a time":         iotest.OneByteReader,
		"half of what is asked":    iotest.HalfReader,
		"the end with the last":    iotest.DataErrReader,
		"a byte, the end with it":  func(r io.Reader) io.Reader { return iotest.DataErrReader(iotest.OneByteReader(r)) },
		"an error after the head":  func(r io.Reader) io.Reader { return io.MultiReader(r, iotest.ErrReader(io.ErrClosedPipe)) },
		"another head that is cut": func(r io.Reader) io.Reader { return io.MultiReader(r, strings.NewReader("GET / HT")) },
	} {
		if got := reply(t, wrap(strings.NewReader(request))); got != want {
			t.Fatalf("%s: the reply has %s", name, difference(got, want))
		}
	}
}

// A visitor whose input fails before the request is whole gets no answer. (One
// whose input merely ends is answered; see "the chapter's request" above.)
func TestReaderFails(t *testing.T) {
	failure := iotest.ErrReader(errors.New("connection reset"))
	for _, start := range []string{"", "GET / HT", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: loc"} {
		if got := reply(t, io.MultiReader(strings.NewReader(start), failure)); got != "" {
			t.Fatalf("reply to %q and an error = %.50q; want none", start, got)
		}
	}
}

// A brokenConn takes the first room bytes of what is written to it, says that
// this is all with err, and counts how often it is asked.
type brokenConn struct {
	io.Reader
	room, writes int
	err          error
}

func (c *brokenConn) Write(p []byte) (int, error) {
	c.writes++
	return min(c.room, len(p)), c.err
}

// When the visitor has left, or takes only part of the reply, the handler gives
// up: it does not write the rest as if it were another reply.
func TestWriterFails(t *testing.T) {
	for _, conn := range []*brokenConn{
		{err: errors.New("broken pipe")},
		{room: 10, err: io.ErrShortWrite},
		{room: 10}, // also breaks the rules of io.Writer
	} {
		conn.Reader = strings.NewReader("GET / HTTP/1.1\r\n\r\n")
		handle(t, conn)
		if conn.writes != 1 {
			t.Fatalf("a writer that takes %d bytes and says %v was called %d times; want 1", conn.room, conn.err, conn.writes)
		}
	}
}

// net.Pipe is a connection without buffers: each side waits for the other. The
// handler must not write before it has read, nor wait for more than the head.
// If it does, both wait for ever; in a synctest bubble that is noticed at once,
// and the time jumps to the visitor's deadline.
func TestPipe(t *testing.T) {
	want := wantReply("200 OK", readFile(t, "hello.html"))
	synctest.Test(t, func(t *testing.T) {
		visitor, conn := net.Pipe()
		defer visitor.Close()
		visitor.SetDeadline(time.Now().Add(time.Minute))
		go func() {
			defer conn.Close()
			handle(t, conn)
		}()
		for _, piece := range []string{"GET / HT", "TP/1.1\r\nHost: localhost\r\n", "\r\n"} {
			if _, err := io.WriteString(visitor, piece); err != nil {
				t.Fatalf("the handler does not read %q: %v", piece, err)
			}
		}
		if got, err := io.ReadAll(visitor); err != nil || string(got) != want {
			t.Errorf("the reply ends with %v, and has %s", err, difference(string(got), want))
		}
	})
}

// In a synctest bubble time is virtual: it jumps ahead as soon as every
// goroutine waits, so that five seconds take none, and are exactly five.
func TestSleep(t *testing.T) {
	want := wantReply("200 OK", readFile(t, "hello.html"))
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if got := reply(t, strings.NewReader("GET /sleep HTTP/1.1\r\n\r\n")); got != want {
			t.Errorf("the reply has %s", difference(got, want))
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("GET /sleep took %v; want 5s", took)
		}
	})
}

// The chapter's other two strategies. First: no mock, but a real connection,
// to a port that the system chooses.
func TestRealConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return // the test is over
		}
		defer conn.Close()
		handle(t, conn)
	}()

	visitor, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer visitor.Close()
	io.WriteString(visitor, "GET / HTTP/1.1\r\n\r\n")
	// A handler that waits for more learns that there is no more: TestPipe fails then.
	visitor.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(visitor)
	if want := wantReply("200 OK", readFile(t, "hello.html")); err != nil || string(got) != want {
		t.Errorf("the reply ends with %v, and has %s", err, difference(string(got), want))
	}
}

// Second: no connection at all, but the decision alone.
func TestChoosePage(t *testing.T) {
	for _, tt := range []struct{ request, status, page string }{
		{"GET /", "200 OK", helloPage},
		{"GET /sleep", "200 OK", helloPage},
		{"GET /other", "404 Not Found", notFoundPage},
		{"POST /", "404 Not Found", notFoundPage},
	} {
		if status, page := choosePage(tt.request); status != tt.status || page != tt.page {
			t.Fatalf("choosePage(%q) = %q, %.30q; want %q, %.30q", tt.request, status, page, tt.status, tt.page)
		}
	}
}

// Whatever a visitor sends, the handler does not panic, and what it answers, if
// anything, is one whole HTTP reply.
func FuzzHandleConnection(f *testing.F) {
	for _, input := range []string{
		"GET / HTTP/1.1\r\n\r\n",
		"GET /sleep HTTP/1.0\r\nHost: localhost\r\n\r\n",
		"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
		"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"GET / HTTP/1.1\nContent-Length: 9223372036854775807\n\n",
		"How do you do?\r\n",
		"GET / HT",
		"\r\n",
	} {
		f.Add([]byte(input))
	}
	defer func(d time.Duration) { *slow = d }(*slow)
	*slow = 0
	f.Fuzz(func(t *testing.T, input []byte) {
		got := reply(t, bytes.NewReader(input))
		if got == "" {
			return
		}
		in := bufio.NewReader(strings.NewReader(got))
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("reply to %.60q = %.60q: %v", input, got, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || int64(len(body)) != resp.ContentLength {
			t.Fatalf("reply to %.60q = %.60q: body of %d bytes, %v; want %d", input, got, len(body), err, resp.ContentLength)
		}
		if rest, _ := io.ReadAll(in); len(rest) > 0 {
			t.Fatalf("reply to %.60q = %.60q: %q follows it", input, got, rest)
		}
	})
}

func BenchmarkHandleConnection(b *testing.B) {
	const request = "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"
	b.ReportAllocs()
	input := strings.NewReader("")
	conn := &mockConn{input: input}
	for b.Loop() {
		input.Reset(request)
		conn.output.Reset()
		handleConnection(conn)
	}
}
