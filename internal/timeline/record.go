package timeline

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/server"
)

// The play that is given to every server. Its unit of time is what the slow
// request takes. The silent visitor comes while the slow one is being served, and
// stays longer; two quick ones come after it. So a server that takes one visitor
// at a time lets the first quick one wait for the slow one, and the others for the
// silent one as well.
var play = []struct {
	visitor string
	arrives float64
	request string // empty for the one who stays silent
}{
	{"slow", 0, "GET /sleep"},
	{"quick 1", 0.15, "GET /"},
	{"silent", 0.30, ""},
	{"quick 2", 0.45, "GET /"},
	{"quick 3", 0.60, "GET /"},
}

const (
	patience = 0.9 // of a server that has a flag for it: the silent visitor would leave later
	leaves   = 1.7 // the silent visitor
	horizon  = 1.8 // of the drawings
	curtain  = 3.0 // those who are still waiting get no answer
)

func scaled(x float64, slow time.Duration) time.Duration {
	return time.Duration(x * float64(slow))
}

func names() []string {
	var names []string
	for _, v := range play {
		names = append(names, v.visitor)
	}
	return names
}

// Blind says that on this system nobody can see whether a server is serving a
// visitor, or has not even accepted the connection: see server.HasRead.
const Blind = runtime.GOOS != "linux"

// resolution is how often the recorder looks at the visitors.
const resolution = 5 * time.Millisecond

// Record starts the program, sends it the visitors, and returns what happened to
// them, up to three times slow later. Meanwhile it shows watch every state of the
// recording, in this goroutine; watch may be nil. The server is killed in the end.
//
// An error means that the server did not listen, that it ended before its
// visitors did, or that ctx did. The recording has what happened until then.
func Record(ctx context.Context, p *server.Program, slow time.Duration, watch func(Recording)) (Recording, error) {
	r := Recording{Server: p.Name, Slow: slow, Blind: Blind}
	s, err := start(ctx, p, &r)
	if err != nil {
		return r, err
	}
	defer s.Kill()

	var visitors []*visitor
	defer func() {
		for _, v := range visitors {
			v.close()
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the attempts to connect, which close waits for

	ticker := time.NewTicker(resolution)
	defer ticker.Stop()
	for began := time.Now(); ; {
		r.Now = time.Since(began)
		happens := func(v *visitor, k Kind) {
			r.Events = append(r.Events, Event{r.Now, v.name, k})
		}
		for len(visitors) < len(play) && r.Now >= scaled(play[len(visitors)].arrives, slow) {
			next := play[len(visitors)]
			v := newVisitor(ctx, next.visitor, next.request, s.Addr)
			visitors = append(visitors, v)
			happens(v, Arrives)
		}
		for _, v := range visitors {
			if v.request == "" && !v.over && r.Now >= scaled(leaves, slow) {
				happens(v, Leaves)
				v.over = true
				v.close()
			}
		}

		// What is seen in one look happens at one time. The last visitor is
		// looked at first: a server that takes its visitors in turn, and gets
		// on while we look, is never seen to have answered a later one first.
		seen := make([][]Kind, len(visitors))
		for i, v := range slices.Backward(visitors) {
			if !v.over {
				seen[i] = v.look(s)
			}
		}
		for i, v := range visitors {
			for _, k := range seen[i] {
				happens(v, k)
			}
		}

		waiting := slices.ContainsFunc(visitors, func(v *visitor) bool { return !v.over })
		if waiting && r.Now >= scaled(curtain, slow) {
			for _, v := range visitors {
				if !v.over {
					happens(v, Ignored)
				}
			}
			waiting = false
		}
		if watch != nil {
			watch(r)
		}
		switch {
		case s.Exited():
			state, _ := s.Wait(0)
			return r, fmt.Errorf("%s ended (%v) while it had visitors. It printed:\n%s", p.Name, state, s.Log())
		case len(visitors) == len(play) && !waiting:
			return r, nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

// start starts the program with a short patience, or without if it has no such
// flag, and notes in r which it was.
func start(ctx context.Context, p *server.Program, r *Recording) (*server.Server, error) {
	args := []string{"-slow", r.Slow.String()}
	patience := scaled(patience, r.Slow)
	type result struct {
		s        *server.Server
		patience time.Duration
		err      error
	}
	started := make(chan result, 1)
	go func() {
		s, err := p.Start(server.Options{Args: append(args, "-patience", patience.String())})
		if err != nil && ctx.Err() == nil {
			s, err = p.Start(server.Options{Args: args})
			patience = 0
		}
		started <- result{s, patience, err}
	}()
	select {
	case res := <-started:
		r.Patience = res.patience
		return res.s, res.err
	case <-ctx.Done():
		go func() {
			if res := <-started; res.err == nil {
				res.s.Kill()
			}
		}()
		return nil, ctx.Err()
	}
}

// A visitor sends one request, or none, and waits.
type visitor struct {
	name    string
	request string
	dialed  chan net.Conn // gets one connection, or none and is closed
	conn    net.Conn      // nil until it has come out of dialed
	reply   []byte        // so far
	served  bool
	over    bool
}

// newVisitor begins to connect to addr, and returns. Who calls it calls close.
func newVisitor(ctx context.Context, name, request, addr string) *visitor {
	v := &visitor{name: name, request: request, dialed: make(chan net.Conn, 1)}
	go func() {
		defer close(v.dialed)
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return
		}
		if request != "" {
			// An error comes up again when the reply is read.
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", request, addr)
		}
		v.dialed <- conn
	}()
	return v
}

// close ends the connection, and may be called again.
func (v *visitor) close() {
	if v.conn == nil {
		v.conn = <-v.dialed
	}
	if v.conn != nil {
		v.conn.Close()
	}
}

// look returns what has happened to the visitor since the last look.
func (v *visitor) look(s *server.Server) (happened []Kind) {
	if v.conn == nil {
		select {
		case v.conn = <-v.dialed:
		default:
			return nil
		}
		if v.conn == nil {
			v.over = true
			return []Kind{Refused}
		}
	}
	last := v.read()
	if !v.served && !Blind {
		if last == "" {
			v.served, _ = s.HasRead(v.conn)
		} else {
			// Who has been answered has been served, however short it was.
			v.served = last == Answered
		}
		if v.served {
			happened = append(happened, Served)
		}
	}
	if last != "" {
		happened = append(happened, last)
		v.over = true
		v.conn.Close()
	}
	return happened
}

// read reads what has come of the reply and does not wait for more. It returns
// Answered if that was all of it, Dropped if no more will come, or else "".
func (v *visitor) read() Kind {
	buf := make([]byte, 32<<10)
	for {
		n, err := readNow(v.conn, buf)
		switch {
		case n > 0:
			v.reply = append(v.reply, buf[:n]...)
		case err == syscall.EINTR:
		case err == syscall.EAGAIN && (v.request == "" || !whole(v.reply)):
			return ""
		case v.request != "" && whole(v.reply):
			return Answered
		default: // the end, or a reset
			return Dropped
		}
	}
}

// readNow is a Read that fails with EAGAIN instead of waiting.
func readNow(conn net.Conn, buf []byte) (n int, err error) {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	if closed := raw.Read(func(fd uintptr) bool {
		n, err = syscall.Read(int(fd), buf)
		return true // do not wait
	}); closed != nil {
		return 0, closed
	}
	return n, err
}

// whole says whether a reply is complete.
func whole(reply []byte) bool {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(reply)), nil)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil
}
