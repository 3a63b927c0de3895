// Package visitor is a web server's visitor: one connection, what is sent over
// it, and all that can be seen of it from the visitor's end. The scripts, check, the
// timeline and the lab have their visitors from here.
package visitor

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Visitor is one connection to a server. Nothing that it does makes its caller
// wait: it connects, sends and receives in the background.
type Visitor struct {
	// Name is what the visitor is called in a story.
	Name string
	// Arrived is when the visitor began to connect.
	Arrived time.Time

	cancel    context.CancelFunc // ends the attempt to connect
	connected chan struct{}      // closed once conn or dialErr is set
	received  chan struct{}      // closed once nothing more is received
	conn      *net.TCPConn
	raw       syscall.RawConn
	dialErr   error

	// Only who holds mu takes bytes from the socket. So whoever holds mu can tell
	// whether an answer has arrived, by looking at reply and at the socket.
	mu    sync.Mutex
	reply []byte
	first time.Time // when the first byte of the reply was received
	end   error     // io.EOF or a reset, once the server has ended the connection
	ended time.Time // when that was seen
	leave bool      // no more is sent once a whole reply has come

	said     string        // all that has been given to Send, and once what was to SendTimes
	given    int           // how many bytes that is
	sent     chan struct{} // closed once all that was to be sent is, or cannot be
	sendErr  error
	asked    time.Time     // when the first byte was sent
	lastSent time.Time     // when Repeat last did
	pause    time.Duration // the longest time between two writes of Repeat
}

// Connect begins to connect to addr and returns at once. End it with Close or Reset.
func Connect(name, addr string) *Visitor { return ConnectAfter(nil, name, addr) }

// ConnectAfter is Connect for a visitor who begins to connect when another one has connected, or
// cannot. So the server has them in the order in which they were called.
func ConnectAfter(first *Visitor, name, addr string) *Visitor {
	ctx, cancel := context.WithCancel(context.Background())
	v := &Visitor{Name: name, Arrived: time.Now(), cancel: cancel,
		connected: make(chan struct{}), received: make(chan struct{})}
	v.sent = v.connected
	go func() {
		defer close(v.received)
		if first != nil {
			select {
			case <-first.connected:
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
			v.receive()
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

// Refused says whether the error of Connected means that nobody listens at the address.
func Refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// Conn returns the connection, or nil as long as there is none.
func (v *Visitor) Conn() net.Conn {
	if over, err := v.Connected(); !over || err != nil {
		return nil
	}
	return v.conn
}

func (v *Visitor) receive() {
	err := v.raw.Read(func(fd uintptr) (done bool) {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.drain(fd)
	})
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.end == nil {
		v.end = err // closed by Close or Reset
	}
}

var buffers = sync.Pool{New: func() any { return new([4096]byte) }}

// drain receives what has arrived at the socket, and says whether the server has ended
// the connection. The caller holds mu.
func (v *Visitor) drain(fd uintptr) (ended bool) {
	buf := buffers.Get().(*[4096]byte)
	defer buffers.Put(buf)
	for v.end == nil {
		n, err := syscall.Read(int(fd), buf[:])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return false // until there is more
		case err != nil:
			v.end, v.ended = err, time.Now()
		case n == 0:
			v.end, v.ended = io.EOF, time.Now()
		default:
			if len(v.reply) == 0 {
				v.first = time.Now()
			}
			v.reply = append(v.reply, buf[:n]...)
			if v.leave && Whole(v.reply) {
				v.leave = false
				syscall.Shutdown(int(fd), syscall.SHUT_WR)
			}
		}
	}
	return true
}

// Send sends the pieces in the background, each with a write of its own, after
// all that was given to it before. An error, because the server has closed or does
// not read, ends the sending.
func (v *Visitor) Send(pieces ...string) {
	for _, piece := range pieces {
		v.SendTimes(1, piece)
	}
}

// SendTimes is Send for a text that is sent so many times, with as few writes as are
// reasonable. Go sets TCP_NODELAY, so that a small write is a packet.
func (v *Visitor) SendTimes(n int, text string) {
	v.mu.Lock()
	v.given += n * len(text)
	v.mu.Unlock()
	v.enqueue(text, func() error {
		most := max(1, 64<<10/max(1, len(text))) // of them in a write
		for chunk := strings.Repeat(text, min(n, most)); n > 0; n -= most {
			if _, err := io.WriteString(v.conn, chunk[:min(n, most)*len(text)]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Repeat sends the piece again and again, once every interval, until the
// connection ends.
func (v *Visitor) Repeat(piece string, interval time.Duration) {
	v.enqueue("", func() error {
		for last := time.Now(); ; {
			if _, err := io.WriteString(v.conn, piece); err != nil {
				return err
			}
			v.mu.Lock()
			v.pause, v.lastSent = max(v.pause, time.Since(last)), time.Now()
			last = v.lastSent
			v.mu.Unlock()
			select {
			case <-v.received:
				return nil
			case <-time.After(interval):
			}
		}
	})
}

// CloseWrite says that nothing more will be sent. The visitor goes on listening.
func (v *Visitor) CloseWrite() {
	v.enqueue("", func() error { return v.conn.CloseWrite() })
}

// enqueue has a write done when the one before it has been, unless that has failed.
func (v *Visitor) enqueue(says string, write func() error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.said += says
	before, done := v.sent, make(chan struct{})
	v.sent = done
	go func() {
		defer close(done)
		<-before
		v.mu.Lock()
		skip := v.dialErr != nil || v.sendErr != nil
		if !skip && v.asked.IsZero() {
			v.asked = time.Now()
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

// Said returns all that has been given to Send, in one. What is sent several times is in
// it once.
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

// Asked returns when the first byte was sent, or the zero time.
func (v *Visitor) Asked() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked
}

// Pause returns the longest time between two writes of Repeat, and when the last
// of them was; the zero values if there was none.
func (v *Visitor) Pause() (longest time.Duration, last time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.pause, v.lastSent
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

// Answered says whether anything has come back, be it the connection's end.
func (v *Visitor) Answered() bool {
	reply, end := v.Reply()
	return len(reply) > 0 || end != nil
}

// Took returns how long after the first byte was sent the first byte of the reply
// was received, or 0 if none has been.
func (v *Visitor) Took() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return between(v.asked, v.first)
}

// Stayed returns how long after the visitor arrived the server ended the connection, or
// 0 if it has not.
func (v *Visitor) Stayed() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return between(v.Arrived, v.ended)
}

func between(begin, end time.Time) time.Duration {
	if end.IsZero() {
		return 0
	}
	return end.Sub(begin)
}

// Close ends the connection in the ordinary way. It may be called again.
func (v *Visitor) Close() { v.hangUp(false) }

// Reset ends the connection so that the server gets a reset.
func (v *Visitor) Reset() { v.hangUp(true) }

func (v *Visitor) hangUp(reset bool) {
	v.cancel()
	<-v.connected
	if v.conn != nil {
		if reset {
			v.conn.SetLinger(0)
		}
		v.conn.Close()
	}
	<-v.received
}
