// Package visitor is a web server's visitor: one connection, what is sent over
// it, and all that can be seen of it from the visitor's end. The scripts, check, the
// timeline and the lab use it.
package visitor

import (
	"cmp"
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A Visitor is one connection to a server. Nothing that it does makes its caller
// wait, except Close and Reset: it connects, sends and receives in the background. Its methods
// are safe for concurrent use.
type Visitor struct {
	// Name is what the visitor is called in a script.
	Name string

	cancel    context.CancelFunc // ends the attempt to connect
	connected chan struct{}      // closed once conn or dialErr is set
	received  chan struct{}      // closed once nothing more is received
	conn      *net.TCPConn
	raw       syscall.RawConn
	dialErr   error

	// Only the holder of mu takes bytes from the socket. So the holder can tell whether an
	// answer has arrived, by looking at reply and at the socket.
	mu    sync.Mutex
	reply []byte
	end   error // io.EOF or a reset, once the server has ended the connection
	leave bool  // nothing more is sent once a whole reply has come
	times Times

	said    string        // the text that was first given to Send
	given   int           // how many bytes were given to Send
	sent    chan struct{} // closed once all of them are sent, or cannot be
	sendErr error
}

// Times are the moments of a visit. A zero time means that it has not happened.
type Times struct {
	Arrived  time.Time // the visitor began to connect
	Asked    time.Time // the first byte was sent
	Answered time.Time // the first byte of the reply was received
	Ended    time.Time // the visitor noticed that the server had ended the connection
}

// Connect begins to connect to addr and returns at once. If after is not nil, the visitor waits until
// that one has connected, or cannot: so the server gets them in the order of the calls. The caller
// ends the visitor with Close or Reset.
func Connect(name, addr string, after *Visitor) *Visitor {
	ctx, cancel := context.WithCancel(context.Background())
	v := &Visitor{Name: name, cancel: cancel, connected: make(chan struct{}), received: make(chan struct{})}
	v.times.Arrived, v.sent = time.Now(), v.connected
	go func() {
		defer close(v.received)
		if after != nil {
			select {
			case <-after.connected:
			case <-ctx.Done():
			}
		}
		dialer := net.Dialer{KeepAlive: -1}
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err == nil {
			v.conn = conn.(*net.TCPConn)
			v.raw, err = v.conn.SyscallConn()
		}
		v.dialErr = err
		close(v.connected)
		if err == nil {
			v.raw.Read(func(fd uintptr) (done bool) { // or until Close or Reset
				v.mu.Lock()
				defer v.mu.Unlock()
				return v.drain(fd)
			})
		}
	}()
	return v
}

// LeaveWhenAnswered makes the visitor end their side of the connection once a whole
// reply has come, so that a server that keeps it open for more requests closes it.
func (v *Visitor) LeaveWhenAnswered() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.leave = true
}

// Connected says whether the attempt to connect is over, and with which error.
func (v *Visitor) Connected() (over bool, err error) {
	select {
	case <-v.connected:
		return true, v.dialErr
	default:
		return false, nil
	}
}

// Conn returns the connection, or nil as long as there is none.
func (v *Visitor) Conn() net.Conn {
	if over, err := v.Connected(); !over || err != nil {
		return nil
	}
	return v.conn
}

// drain receives what has arrived at the socket, and says whether the server has ended
// the connection. The caller holds mu.
func (v *Visitor) drain(fd uintptr) (ended bool) {
	for v.end == nil {
		v.reply = slices.Grow(v.reply, 256)
		n, err := syscall.Read(int(fd), v.reply[len(v.reply):cap(v.reply)])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return false // until there is more
		case err != nil:
			v.end, v.times.Ended = err, time.Now()
		case n == 0:
			v.end, v.times.Ended = io.EOF, time.Now()
		default:
			if len(v.reply) == 0 {
				v.times.Answered = time.Now()
			}
			v.reply = v.reply[:len(v.reply)+n]
			if v.leave && parse(v.reply).whole() {
				v.leave = false
				syscall.Shutdown(int(fd), syscall.SHUT_WR)
			}
		}
	}
	return true
}

// Send sends the text in the background, with a write of its own, after all that was
// given to Send before. Go sets TCP_NODELAY, so that a small write is a packet. An error,
// because the server has closed or does not read, ends the sending.
func (v *Visitor) Send(text string) {
	v.enqueue(text, func() error {
		_, err := io.WriteString(v.conn, text)
		return err
	})
}

// CloseWrite tells the server that nothing more will be sent. The visitor still receives.
func (v *Visitor) CloseWrite() {
	v.enqueue("", func() error { return v.conn.CloseWrite() })
}

// enqueue calls write when all writes before it are done, unless one has failed.
func (v *Visitor) enqueue(text string, write func() error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.given += len(text)
	v.said = cmp.Or(v.said, text)
	before, done := v.sent, make(chan struct{})
	v.sent = done
	go func() {
		defer close(done)
		<-before
		v.mu.Lock()
		skip := v.dialErr != nil || v.sendErr != nil
		if !skip && v.times.Asked.IsZero() {
			v.times.Asked = time.Now()
		}
		v.mu.Unlock()
		if skip {
			return
		}
		err := write()
		v.mu.Lock()
		defer v.mu.Unlock()
		v.sendErr = err
	}()
}

// Said returns the text that was first given to Send, or "".
func (v *Visitor) Said() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.said
}

// Sent says whether all that was given to Send has been sent, or cannot be.
func (v *Visitor) Sent() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.sent:
		return true
	default:
		return false
	}
}

// Times returns the moments of the visit so far.
func (v *Visitor) Times() Times {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.times
}

// Reply returns what has come so far, and how the connection ended: nil if it has not,
// io.EOF if the server has closed it, or another error. It receives what has arrived at
// the socket itself, so that it does not matter when the goroutine that waits for it gets
// a processor. So if the server has answered one visitor before another, and the second
// one's answer has been seen, then the first one's is seen as well.
func (v *Visitor) Reply() (reply []byte, end error) {
	if v.Conn() == nil {
		return nil, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.end == nil {
		v.raw.Control(func(fd uintptr) { v.drain(fd) })
	}
	return v.reply, v.end
}

// Replied says whether any byte of a reply has come.
func (v *Visitor) Replied() bool {
	reply, _ := v.Reply()
	return len(reply) > 0
}

// Ended says whether the server has ended the connection.
func (v *Visitor) Ended() bool {
	_, end := v.Reply()
	return end != nil
}

// Answered says whether anything has come back, even if only the end of the connection.
func (v *Visitor) Answered() bool { return v.Replied() || v.Ended() }

// Segments returns how many TCP segments with data a connected visitor has received: one for each write
// of the server's, as long as the writes are small and apart. It is nil where the system does not tell.
var Segments func(v *Visitor) (int, error)

// Close ends the connection in the ordinary way. It may be called again.
func (v *Visitor) Close() { v.hangUp(-1) }

// Reset ends the connection so that the server gets a reset. It may be called again.
func (v *Visitor) Reset() { v.hangUp(0) }

func (v *Visitor) hangUp(linger int) {
	v.cancel()
	<-v.connected
	if v.conn != nil {
		v.conn.SetLinger(linger)
		v.conn.Close()
	}
	<-v.received
}
