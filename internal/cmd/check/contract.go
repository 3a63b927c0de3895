package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

// keepsContract says what is wrong with a server that cannot be examined at all.
func keepsContract(program *server.Program) error {
	first, err := program.Start(server.Options{})
	if err != nil {
		return err
	}
	defer first.Kill()
	printed := len(first.Log())
	if host, _, _ := net.SplitHostPort(first.Addr); host != "127.0.0.1" && host != "localhost" {
		return fmt.Errorf("It was told to listen on 127.0.0.1, and says that it listens on %s.", first.Addr)
	}
	if err := becomesQuiet(first); err != nil {
		return err
	}

	const several = "Several of it run at the same time, each started with -addr 127.0.0.1:0, which means any free port."
	second, err := program.Start(server.Options{})
	if err != nil {
		return fmt.Errorf("While one is running, a second one does not start: %w\n%s Does it listen where -addr says?", err, several)
	}
	defer second.Kill()
	if first.Addr == second.Addr {
		return fmt.Errorf("Two that were running at the same time both said that they listen on %s.\n%s Does it listen where -addr says?", first.Addr, several)
	}

	for _, s := range []*server.Server{first, second} {
		s.Signal(syscall.SIGINT)
		s.Await(server.Idle, func() bool { return s.Exited() || s.Flooded() })
	}
	// One that prints without end sleeps when the pipe is full, and on a busy machine
	// that is long before it has printed a megabyte. A pipe holds 64 KiB.
	const most = 32 << 10
	switch {
	case first.Flooded(), first.Exited() && len(first.Log()) > printed+most:
		return flooded(first)
	case !first.Exited() || !second.Exited():
		return errors.New("It does not end when it is interrupted (SIGINT, which is what Ctrl-C sends). It has been killed.")
	}
	return nil
}

// becomesQuiet has a visitor come and go, and sees that the server is quiet after that.
func becomesQuiet(s *server.Server) error {
	v := visitor.Connect("somebody", s.Addr)
	defer v.Close()
	var over bool
	var err error
	s.Await(server.Idle, func() bool { over, err = v.Connected(); return over })
	if !over {
		err = errors.New("the queue of those who have not been accepted is full")
	}
	if err != nil {
		return fmt.Errorf("It says that it is listening on http://%s, and nobody can connect: %v.", s.Addr, err)
	}
	v.Close()
	quiet := s.AwaitQuiet(server.Settled)
	switch {
	case s.Flooded():
		return flooded(s)
	case s.Exited():
		state, _ := s.Wait(0)
		return fmt.Errorf("It ended (%v), though nobody had interrupted it: one visitor had come, and left without a word. (A server stays in the foreground.)%s", state, s.Quote())
	case !quiet:
		return errors.New("It is never idle, even without a visitor: some thread of it is always busy. Does it ask again and again whether somebody has come?")
	}
	return nil
}

func flooded(s *server.Server) error {
	return fmt.Errorf("It prints without end, where one line is expected: listening on http://HOST:PORT.%s", s.Quote())
}
