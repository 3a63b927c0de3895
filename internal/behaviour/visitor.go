package behaviour

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A visitor is one connection to the server under test.
type visitor struct {
	name  string
	conn  *net.TCPConn
	raw   syscall.RawConn
	asked time.Time // when the first byte was sent
	said  []string  // the pieces that were sent

	// What has come back. The goroutine that receives takes bytes from the
	// socket only while it holds mu, so that whoever holds mu can tell whether
	// an answer has arrived by looking here and at the socket.
	mu    sync.Mutex
	reply []byte
	began time.Time // when the first byte was received
	end   error     // io.EOF or a reset, once the server has closed
	done  chan struct{}

	dripping string        // what drip sends
	longest  time.Duration // between two drips; guarded by mu
}

// connect opens a connection and begins to receive. leave or reset ends it.
func connect(name, addr string) (*visitor, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		return nil, err
	}
	v := &visitor{name: name, conn: conn.(*net.TCPConn), done: make(chan struct{})}
	if v.raw, err = v.conn.SyscallConn(); err != nil {
		conn.Close()
		return nil, err
	}
	go v.receive()
	return v, nil
}

func (v *visitor) receive() {
	defer close(v.done)
	buf := make([]byte, 4096)
	err := v.raw.Read(func(fd uintptr) bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		for v.end == nil {
			n, err := syscall.Read(int(fd), buf)
			switch {
			case err == syscall.EINTR:
			case err == syscall.EAGAIN:
				return false // wait until there is more
			case err != nil:
				v.end = err
			case n == 0:
				v.end = io.EOF
			default:
				if len(v.reply) == 0 {
					v.began = time.Now()
				}
				v.reply = append(v.reply, buf[:n]...)
			}
		}
		return true
	})
	if err != nil { // closed by leave or reset
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.end == nil {
			v.end = err
		}
	}
}

// send sends the pieces, each in a packet of its own. That the server has
// closed meanwhile is no error: it may have heard enough.
func (v *visitor) send(pieces ...string) {
	if v.asked.IsZero() {
		v.asked = time.Now()
	}
	v.said = append(v.said, pieces...)
	v.conn.SetWriteDeadline(time.Now().Add(20 * time.Second)) // for a server that does not read
	for _, piece := range pieces {                            // Go sets TCP_NODELAY: a write is a packet
		for rest := piece; rest != ""; {
			n := min(len(rest), 64<<10) // more would be copied whole
			if _, err := io.WriteString(v.conn, rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
	}
}

// drip begins to send the piece again and again, until the connection ends.
func (v *visitor) drip(piece string) {
	v.dripping = piece
	go v.keepDripping()
}

func (v *visitor) keepDripping() {
	for last := time.Now(); !v.finished(); time.Sleep(10 * time.Millisecond) {
		v.conn.SetWriteDeadline(time.Now().Add(20 * time.Second))
		_, err := io.WriteString(v.conn, v.dripping)
		v.mu.Lock()
		v.longest = max(v.longest, time.Since(last))
		v.mu.Unlock()
		last = time.Now()
		if err != nil {
			return
		}
	}
}

// pause returns the longest time between two drips, or 0 if there are none.
func (v *visitor) pause() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.longest
}

// asksFor says whether the visitor has sent a request for path.
func (v *visitor) asksFor(path string) bool {
	return strings.HasPrefix(strings.Join(v.said, ""), "GET "+path+" ")
}

// answered says whether anything has come back, be it the end of the
// connection. It sees what has arrived at the socket, received or not: if one
// visitor was answered before another, and the second one's answer has been
// seen, the first one's is seen as well.
func (v *visitor) answered() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.reply) > 0 || v.end != nil {
		return true
	}
	arrived := false
	v.raw.Control(func(fd uintptr) {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		arrived = err == nil
	})
	return arrived
}

// took returns how long the first byte of the reply took to come, or 0 if none has.
func (v *visitor) took() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.began.IsZero() {
		return 0
	}
	return v.began.Sub(v.asked)
}

// hasReply says whether anything but the connection's end has been received.
func (v *visitor) hasReply() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.reply) > 0
}

// finished says whether the server has closed the connection.
func (v *visitor) finished() bool {
	select {
	case <-v.done:
		return true
	default:
		return false
	}
}

// leave closes the connection in the ordinary way.
func (v *visitor) leave() {
	v.conn.Close()
	<-v.done
}

// reset closes the connection so that the server gets a reset.
func (v *visitor) reset() {
	v.conn.SetLinger(0)
	v.leave()
}

// check reads the reply of a visitor that has finished, which must be a single
// well-formed one to an HTTP request, and returns the body.
func (v *visitor) check(status int) (body string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case len(v.reply) == 0 && v.end == io.EOF:
		return "", errors.New("the connection was closed without an answer")
	case len(v.reply) == 0:
		return "", fmt.Errorf("there was no answer: %v", v.end)
	}
	rest := bytes.NewReader(v.reply)
	in := bufio.NewReader(rest)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return "", fmt.Errorf("the answer is not HTTP: %v, in %.200q", err, v.reply)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	head, _, _ := strings.Cut(string(v.reply), "\r\n\r\n")
	switch {
	case resp.StatusCode != status:
		return "", fmt.Errorf("the answer is %s, not %d", resp.Status, status)
	case resp.Header.Get("Content-Length") == "":
		return "", fmt.Errorf("the answer does not name its length: there is no Content-Length in\n%s", head)
	case err != nil:
		return "", fmt.Errorf("the answer ends early: %d bytes of a Content-Length of %d", len(content), resp.ContentLength)
	case in.Buffered()+rest.Len() > 0:
		return "", fmt.Errorf("the answer goes on after its Content-Length of %d: %d more bytes", resp.ContentLength, in.Buffered()+rest.Len())
	case !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"):
		return "", fmt.Errorf("the answer does not say that it is a page: there is no Content-Type: text/html in\n%s", head)
	case !resp.Close:
		return "", fmt.Errorf("the connection is closed after the answer, which does not say so: there is no Connection: close in\n%s", head)
	case v.end != io.EOF:
		return "", fmt.Errorf("the answer is whole, but does not end well: %v. (A socket that is closed with input unread resets the connection)", v.end)
	}
	return string(content), nil
}

// request is what a browser sends, cut to what matters.
func request(method, path string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
}
