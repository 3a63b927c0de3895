package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/server"
)

// giveUp is how long a visitor of a benchmark waits for a reply, at most. It is
// long enough for any server that is going to answer.
const giveUp = 30 * time.Second

// visit makes one request, as in "/sleep", over a connection of its own, and
// returns once the whole reply is there and the connection closed. It gives up
// when the patience is over.
func visit(addr *net.TCPAddr, path string, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	dialer := net.Dialer{Deadline: deadline, KeepAlive: -1}
	conn, err := dialer.Dial("tcp", addr.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(deadline)
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	var reply [2048]byte
	n, err := io.ReadFull(conn, reply[:])
	switch {
	case err == nil:
		return fmt.Errorf("reply of more than %d bytes", n)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case !bytes.HasPrefix(reply[:n], []byte("HTTP/1.1 200 OK\r\n")) || !bytes.HasSuffix(reply[:n], []byte("</html>\n")):
		return fmt.Errorf("reply to GET %s: %q", path, reply[:n])
	}
	return nil
}

// A crowd is a number of visitors who come again and again, each as soon as
// the last reply is there.
type crowd struct {
	waits    chan time.Duration // how long each visit took, in the order in which they end
	stopping atomic.Bool
	err      atomic.Pointer[error] // the first to have gone wrong
	visitors sync.WaitGroup
}

// gather sends visitors to the server at addr for a page. They come one after
// the other at first, that far apart.
func gather(addr, path string, visitors int, apart time.Duration) *crowd {
	c := &crowd{waits: make(chan time.Duration, visitors)}
	to, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		c.err.Store(&err)
	}
	for i := range visitors {
		c.visitors.Go(func() {
			time.Sleep(time.Duration(i) * apart)
			for !c.stopping.Load() && c.err.Load() == nil {
				start := time.Now()
				if err := visit(to, path, giveUp); err != nil {
					c.err.CompareAndSwap(nil, &err)
					return
				}
				c.waits <- time.Since(start)
			}
		})
	}
	go func() {
		c.visitors.Wait()
		close(c.waits)
	}()
	return c
}

// ignore receives the waits, until the crowd is dispersed.
func (c *crowd) ignore() {
	for range c.waits {
	}
}

// disperse lets everyone finish, and returns the waits that nobody has received
// yet, and the first error of any visitor.
func (c *crowd) disperse() (rest []time.Duration, err error) {
	c.stopping.Store(true)
	for wait := range c.waits {
		rest = append(rest, wait)
	}
	if err := c.err.Load(); err != nil {
		return rest, *err
	}
	return rest, nil
}

// measureVisits is the body of a benchmark in which a number of visitors at
// a time ask for the home page. One operation is one reply. The metrics are the
// replies per second, the median and the 99th percentile of how long a visitor
// waited for one, from before connecting until after it was read, and the
// server's CPU time for each.
func measureVisits(b *testing.B, s *server.Server, visitors int) {
	b.Helper()
	c := gather(s.Addr, "/", visitors, 0)
	cpu, cpuErr := s.CPU()
	start := time.Now()
	var waits []time.Duration
	for b.Loop() {
		wait, ok := <-c.waits
		if !ok {
			break
		}
		waits = append(waits, wait)
	}
	// Those still in progress count too, as do their CPU time and duration.
	rest, err := c.disperse()
	elapsed := time.Since(start)
	if err != nil {
		b.Fatal(err)
	}
	waits = append(waits, rest...)
	n := float64(len(waits))
	if now, err := s.CPU(); err == nil && cpuErr == nil {
		b.ReportMetric(microseconds(now-cpu)/n, "cpu-µs/req")
	}
	slices.Sort(waits)
	b.ReportMetric(microseconds(percentile(waits, 50)), "p50-µs")
	b.ReportMetric(microseconds(percentile(waits, 99)), "p99-µs")
	b.ReportMetric(n/elapsed.Seconds(), "req/s")
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// percentile returns the smallest of the sorted values that at least p percent
// of them do not exceed.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(float64(len(sorted))*p/100))-1)]
}

// warmUp lets a server that has just started grow its first threads, stacks and
// buffers.
func warmUp(b *testing.B, s *server.Server) {
	b.Helper()
	c := gather(s.Addr, "/", 8, 0)
	for range 200 {
		<-c.waits
	}
	if _, err := c.disperse(); err != nil {
		b.Fatal(err)
	}
}
