package bench

import (
	"fmt"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/server"
)

// BenchmarkSilent is a server that is beset by visitors who connect and say
// nothing. One operation is one prompt visitor among them, who is answered or
// is not. The metrics are
//
//	connected   how many silent visitors there are: fewer than asked for if
//	            the system's queue of those not accepted yet is full
//	accepted    how many of them the server has accepted
//	alive       1 if the server is alive, or else 0
//	answered    1 if the prompt visitor is answered, or else 0
//	threads     operating system threads of the server, if it is alive
//	B/silent    growth of its resident memory for each silent visitor accepted
func BenchmarkSilent(b *testing.B) {
	for _, silent := range []int{0, 1000, 10000} {
		if testing.Short() && silent == 0 {
			continue
		}
		b.Run(fmt.Sprintf("silent=%d", silent), func(b *testing.B) {
			for _, c := range contenders {
				oneAtATime := c.name == "stage1" || c.name == "stage2"
				if testing.Short() && oneAtATime && silent > 1000 {
					continue // the first has frozen it
				}
				if c.name == "limit" {
					continue // frozen like stage 1, and nobody would ask more of it
				}
				b.Run("server="+c.name, func(b *testing.B) {
					measureSilence(b, c.start(b), silent)
				})
			}
		})
	}
}

// refused is how long the visitor after the silent ones waits for an answer
// before that counts as none. A server that answers does so in some
// milliseconds, as it has nothing else to do.
const refused = 2 * time.Second

// noRoom is how long a silent visitor takes to connect before that counts as
// impossible. The system connects visitors without asking the server, as long as
// there is room for them in its queue; those who find none come again in a second.
const noRoom = time.Second

func measureSilence(b *testing.B, s *server.Server, silent int) {
	warmUp(b, s)
	settle(s)
	memory, memoryErr := s.Memory()
	descriptors, descriptorsErr := s.Descriptors()

	visitors := keepSilent(b, s, silent)
	defer visitors.leave()
	settle(s)

	answered := !s.Exited()
	to, err := net.ResolveTCPAddr("tcp", s.Addr)
	if err != nil {
		b.Fatal(err)
	}
	threads, threadsErr := s.Threads()
	memoryThen, memoryThenErr := s.Memory()
	descriptorsThen, descriptorsThenErr := s.Descriptors()
	for b.Loop() {
		if answered {
			err = visit(to, "/", refused)
			answered = err == nil
		}
	}

	if !answered {
		b.ReportMetric(0, "ns/op") // there was no operation
		if lastWords.MatchString(s.Log()) {
			s.Wait() // it is dying, and has much to say about it
		}
	}
	if threadsErr == nil && !s.Exited() {
		b.ReportMetric(float64(threads), "threads")
	}
	if descriptorsErr == nil && descriptorsThenErr == nil && !s.Exited() {
		accepted := descriptorsThen - descriptors
		b.ReportMetric(float64(accepted), "accepted")
		// What a few visitors cost each is lost in the noise.
		if memoryErr == nil && memoryThenErr == nil && accepted >= 100 {
			b.ReportMetric(float64(memoryThen-memory)/float64(accepted), "B/silent")
		}
	}
	b.ReportMetric(float64(len(visitors.conns)), "connected")
	b.ReportMetric(number(!s.Exited()), "alive")
	b.ReportMetric(number(answered), "answered")
	if s.Exited() {
		b.Logf("died with %d silent visitors connected: %s", len(visitors.conns), lastWords.FindString(s.Log()))
	} else if !answered {
		b.Logf("the next visitor is not answered: %v", err)
	}
}

var lastWords = regexp.MustCompile(`(?m)^(runtime|fatal error|panic): .*`)

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// settle waits until nothing happens in the server any more: it has accepted
// whomever it is going to, and neither starts threads nor collects garbage.
func settle(s *server.Server) {
	type state struct {
		threads, descriptors int
		memory               int64
	}
	var last state
	unchanged := 0
	s.Eventually(func() bool {
		var now state
		now.threads, _ = s.Threads()
		now.descriptors, _ = s.Descriptors()
		now.memory, _ = s.Memory()
		if now == last {
			unchanged++
		} else {
			unchanged = 0
		}
		last = now
		if s.Exited() {
			return true
		}
		if unchanged < 20 {
			return false
		}
		// On a machine that is busy elsewhere it may not have got round to it.
		asleep, err := s.Asleep()
		return asleep || err != nil
	})
}

// silentVisitors are connections on which nothing is said.
type silentVisitors struct {
	conns []net.Conn
}

// keepSilent connects a number of visitors, who then say nothing until they
// leave. There are fewer if this process may not have as many descriptors, if
// the server dies, or if it does not accept them and the queue of those who
// wait for that is full.
func keepSilent(b *testing.B, s *server.Server, number int) *silentVisitors {
	if most := mostDescriptors() - 500; number > most {
		b.Logf("only %d silent visitors: raise the limit on open files (ulimit -n) to %d for %d", most, number+500, number)
		number = most
	}
	const atATime = 32
	v := new(silentVisitors)
	dialer := net.Dialer{KeepAlive: -1, Timeout: noRoom}
	for len(v.conns) < number {
		batch := make(chan net.Conn, min(512, number-len(v.conns)))
		var failed atomic.Pointer[error]
		var dialling sync.WaitGroup
		var next atomic.Int64
		for range atATime {
			dialling.Go(func() {
				for next.Add(1) <= int64(cap(batch)) && failed.Load() == nil {
					conn, err := dialer.Dial("tcp", s.Addr)
					if err != nil {
						failed.Store(&err)
						return
					}
					batch <- conn
				}
			})
		}
		dialling.Wait()
		close(batch)
		for conn := range batch {
			v.conns = append(v.conns, conn)
		}
		acceptedAll := catchUp(s, len(v.conns))
		if err := failed.Load(); err != nil && !acceptedAll {
			b.Logf("visitor %d does not connect: %v", len(v.conns)+1, *err)
			break
		}
	}
	return v
}

// catchUp waits until the server has accepted n visitors, as long as it makes
// progress with that, and says whether it has.
func catchUp(s *server.Server, n int) bool {
	// One that has accepted most has only paused for breath, if it has stopped.
	most := 10
	for last, standstill := -1, 0; standstill < most; standstill++ {
		accepted, err := s.Descriptors()
		if err != nil || s.Exited() {
			return false
		}
		if accepted >= n {
			return true
		}
		if accepted != last {
			last, standstill = accepted, 0
		}
		if accepted > n/2 {
			most = 300
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// leave closes the connections, and leaves nothing behind that the system would
// have to remember.
func (v *silentVisitors) leave() {
	for _, conn := range v.conns {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}

// mostDescriptors returns how many files this process may have open.
func mostDescriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<20))
}
