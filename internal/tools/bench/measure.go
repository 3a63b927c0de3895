package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/perf/benchfmt"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

// measured is for how long prompt visitors come when they are measured.
const measured = 400 * time.Millisecond

// measurePrompt measures a number of visitors who ask for the home page again and
// again, for so long. The metrics are the replies a second, the median and the 99th
// percentile of how long a visitor waited for one, from before connecting until after
// reading it, and the server's CPU time for each.
func measurePrompt(s *server.Server, visitors int, duration time.Duration) (*benchfmt.Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	cpuBefore, cpuErr := s.CPU()
	start := time.Now()
	waits, err := visit(ctx, s.Addr, "/", visitors, 0)
	if err != nil {
		return nil, err
	}
	elapsed := time.Since(start)
	cpuAfter, _ := s.CPU()
	slices.Sort(waits)
	n := float64(len(waits))
	result := &benchfmt.Result{Iters: len(waits)}
	report(result, "req/s", n/elapsed.Seconds())
	report(result, "p50-µs", quantile(waits, 0.50))
	report(result, "p99-µs", quantile(waits, 0.99))
	if cpuErr == nil {
		report(result, "cpu-µs/req", microseconds(cpuAfter-cpuBefore)/n)
	}
	return result, nil
}

// measureBeside measures quick visitors while others, who ask for the slow page,
// are being served all the time.
func measureBeside(s *server.Server, visitors, slow int) (*benchfmt.Result, error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := visit(ctx, s.Addr, "/sleep", slow, slowPage)
		ended <- err
	}()
	time.Sleep(2 * slowPage) // until all of them have come
	// A server that serves one at a time answers this one as a slow page ends, so that
	// those who are measured come as the next one begins.
	err := get(s.Addr, "/")
	result, err2 := measurePrompt(s, visitors, measured)
	cancel()
	return result, cmp.Or(err, err2, <-ended)
}

// measureSilent measures a server to which visitors connect who say nothing. Then
// comes a prompt one. The metrics are
//
//	connected   how many silent visitors there are: fewer than asked for if
//	            the system's queue of those not accepted yet is full
//	accepted    how many of them the server has accepted
//	alive       1 if the server is alive, or else 0
//	answered    1 if the prompt visitor is answered, or else 0
//	p50-µs      how long that takes
//	threads     operating system threads of the server
//	B/silent    growth of its resident memory for each silent visitor accepted
func measureSilent(s *server.Server, silent int) (*benchfmt.Result, error) {
	settle(s)
	memoryBefore, _, _ := s.Memory()
	descriptorsBefore, _ := s.Descriptors()
	conns, err := connectSilent(s.Addr, silent)
	defer func() {
		for _, conn := range conns {
			conn.SetLinger(0) // resets it, and leaves nothing that the system has to remember
			conn.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	settle(s)
	threads, _ := s.Threads()
	memory, _, _ := s.Memory()
	descriptors, _ := s.Descriptors()

	prompt := visitor.Connect("prompt", s.Addr)
	defer prompt.Close()
	prompt.Send(visitor.Request("GET", "/"))
	s.Await(server.Idle, prompt.Answered)
	if !prompt.Replied() {
		settle(s)
	}

	number := map[bool]float64{true: 1}
	result := &benchfmt.Result{Iters: 1}
	report(result, "connected", float64(len(conns)))
	report(result, "alive", number[!s.Exited()])
	report(result, "answered", number[prompt.Replied()])
	if prompt.Replied() {
		again, err := measurePrompt(s, 1, measured)
		if err != nil {
			return nil, err
		}
		p50, _ := again.Value("p50-µs")
		result.Iters = again.Iters
		report(result, "p50-µs", p50)
	}
	if threads > 0 && !s.Exited() { // the system tells
		report(result, "threads", float64(threads))
		accepted := descriptors - descriptorsBefore
		report(result, "accepted", float64(accepted))
		// What a few visitors cost each is lost in the noise.
		if accepted >= 100 {
			report(result, "B/silent", float64(memory-memoryBefore)/float64(accepted))
		}
	}
	return result, nil
}

// settle waits until the server is quiet, or has ended: it may be dying, and have much to
// say about it.
func settle(s *server.Server) {
	start := time.Now()
	for !s.Exited() && !s.AwaitQuiet(server.Settled) && time.Since(start) < giveUp {
	}
}

// connectSilent connects a number of silent visitors. There are fewer if the server
// dies, or if it does not accept them and the queue of those who wait for that is
// full: the system then lets nobody connect. The error is about this process, which
// may not have as many open files.
func connectSilent(addr string, number int) ([]*net.TCPConn, error) {
	// The system asks a full queue again after a second.
	dialer := net.Dialer{Timeout: 2 * time.Second, KeepAlive: -1}
	var conns []*net.TCPConn
	for range number {
		conn, err := dialer.Dial("tcp", addr)
		if errors.Is(err, syscall.EMFILE) {
			return conns, fmt.Errorf("%w: %d visitors need %d; raise the limit (ulimit -n)", err, number, number+500)
		}
		if err != nil {
			break
		}
		conns = append(conns, conn.(*net.TCPConn))
	}
	return conns, nil
}

// visit has a number of visitors ask for a page until ctx ends, each at least once, and
// again as soon as they have the reply. They begin one after the other, over a period.
// It returns how long each reply took, in microseconds, and the first error.
func visit(ctx context.Context, addr, path string, visitors int, period time.Duration) ([]float64, error) {
	waits := make([][]float64, visitors)
	errs := make([]error, visitors)
	var running sync.WaitGroup
	for i := range visitors {
		running.Go(func() {
			time.Sleep(period * time.Duration(i) / time.Duration(visitors))
			for errs[i] == nil && (len(waits[i]) == 0 || ctx.Err() == nil) {
				start := time.Now()
				errs[i] = get(addr, path)
				waits[i] = append(waits[i], microseconds(time.Since(start)))
			}
		})
	}
	running.Wait()
	return slices.Concat(waits...), cmp.Or(errs...)
}

// giveUp is longer than any server takes that answers at all.
const giveUp = 30 * time.Second

// get asks for a page over a connection of its own, and returns once the whole reply
// is there and the connection has ended. It takes little processor time.
func get(addr, path string) error {
	dialer := net.Dialer{Timeout: giveUp, KeepAlive: -1}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(giveUp))
	if _, err := io.WriteString(conn, visitor.Request("GET", path)); err != nil {
		return err
	}
	reply, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(reply, []byte("HTTP/1.1 200 ")) || !bytes.Contains(reply, []byte("Hello!")) {
		return fmt.Errorf("reply to GET %s: %q", path, reply)
	}
	return nil
}

func report(result *benchfmt.Result, unit string, value float64) {
	result.Values = append(result.Values, benchfmt.Value{Unit: unit, Value: math.Round(value*1000) / 1000})
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
