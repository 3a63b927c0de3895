package main

import (
	"fmt"
	"syscall"

	"golang.org/x/perf/benchfmt"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

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
	s.AwaitQuiet(server.Settled)
	memoryBefore, _, memoryErr := s.Memory()
	descriptorsBefore, _ := s.Descriptors()

	visitors, err := connectSilent(s, silent)
	defer func() {
		for _, v := range visitors {
			v.Reset() // leaves nothing behind that the system has to remember
		}
	}()
	if err != nil {
		return nil, err
	}
	s.AwaitQuiet(server.Settled)
	threads, threadsErr := s.Threads()
	memory, _, _ := s.Memory()
	descriptors, _ := s.Descriptors()

	prompt := visitor.Connect("prompt", s.Addr)
	defer prompt.Close()
	prompt.Send(visitor.Request("GET", "/"))
	s.Await(server.Idle, prompt.Answered)
	if !prompt.Replied() {
		s.Wait(server.Settled) // it may be dying, and have much to say about it
	}

	result := &benchfmt.Result{Iters: 1}
	report(result, "connected", float64(len(visitors)))
	report(result, "alive", number(!s.Exited()))
	report(result, "answered", number(prompt.Replied()))
	if prompt.Replied() {
		again, err := measurePrompt(s, 1)
		if err != nil {
			return nil, err
		}
		p50, _ := again.Value("p50-µs")
		result.Iters = again.Iters
		report(result, "p50-µs", p50)
	}
	if threadsErr == nil && !s.Exited() {
		report(result, "threads", float64(threads))
		accepted := descriptors - descriptorsBefore
		report(result, "accepted", float64(accepted))
		// What a few visitors cost each is lost in the noise.
		if memoryErr == nil && accepted >= 100 {
			report(result, "B/silent", float64(memory-memoryBefore)/float64(accepted))
		}
	}
	return result, nil
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// connectSilent connects a number of silent visitors. There are fewer if the server
// dies, or if it does not accept them and the queue of those who wait for that is
// full. The error is about this process, which may not have as many descriptors.
func connectSilent(s *server.Server, number int) ([]*visitor.Visitor, error) {
	const batch = 100 // the queue of many a server has room for 128
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && uint64(files.Cur) < uint64(number)+500 {
		return nil, fmt.Errorf("%d visitors need %d open files, and %d are allowed: raise the limit (ulimit -n)", number, number+500, files.Cur)
	}
	var visitors []*visitor.Visitor
	for len(visitors) < number && !s.Exited() {
		connecting := make([]*visitor.Visitor, min(batch, number-len(visitors)))
		for i := range connecting {
			connecting[i] = visitor.Connect("silent", s.Addr)
		}
		s.Await(server.Idle, func() bool {
			for _, v := range connecting {
				if over, _ := v.Connected(); !over {
					return false
				}
			}
			return true
		})
		for _, v := range connecting {
			if v.Conn() != nil {
				visitors = append(visitors, v)
			} else {
				v.Close()
				number = 0 // nobody else would find room
			}
		}
		// The queue is empty again before the next ones come, if the server accepts them.
		s.Await(server.Settled, func() bool {
			descriptors, err := s.Descriptors()
			return err == nil && descriptors > len(visitors)
		})
	}
	return visitors, nil
}
