package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/server"
)

// keepsContract says what is wrong with a server that cannot be examined at all.
// It takes some ten seconds at the most, whatever the server does.
func keepsContract(program *server.Program) error {
	first, err := program.Start(server.Options{})
	if err != nil {
		return err
	}
	defer first.Kill()
	said := len(first.Log())
	second, err := program.Start(server.Options{})
	if err == nil {
		defer second.Kill()
	}
	const several = "Several of it run at the same time, each started with -addr 127.0.0.1:0, which means any free port."
	switch {
	case first.Flooded():
		return flooded(first)
	case err != nil:
		return fmt.Errorf("While one is running, a second one does not start: %w\n%s Does it listen where -addr says?", err, several)
	case first.Addr == second.Addr:
		return fmt.Errorf("Two that were running at the same time both said that they listen on %s.\n%s Does it listen where -addr says?", first.Addr, several)
	}

	visitor, err := net.DialTimeout("tcp", first.Addr, 5*time.Second)
	if err != nil {
		return fmt.Errorf("It says that it is listening on http://%s, and nobody can connect: %v.", first.Addr, err)
	}
	visitor.Close()

	_, err = first.Asleep()
	rests, unknown := first.Sleeps(5), errors.Is(err, errors.ErrUnsupported)
	busy := !first.Eventually(func() bool {
		return rests() || unknown || first.Exited() || first.Flooded()
	})
	switch {
	case first.Flooded():
		return flooded(first)
	case first.Exited():
		state, _ := first.Wait()
		return fmt.Errorf("It ended (%v), though nobody had interrupted it: one visitor had come, and left without a word. (A server stays in the foreground.)%s", state, first.Quote())
	case busy:
		return fmt.Errorf("It is never at rest, even without a visitor: some thread of it is always busy. Does it ask again and again whether somebody has come?")
	}

	first.Signal(syscall.SIGINT)
	second.Signal(syscall.SIGINT)
	polls := 0
	first.Eventually(func() bool {
		if polls++; polls == 400 {
			first.Signal(syscall.SIGINT)
			second.Signal(syscall.SIGINT)
		}
		return first.Exited() && second.Exited() || first.Flooded()
	})
	// One that prints without end sleeps when the pipe is full, and on a busy machine
	// that is long before it has printed a megabyte. A pipe holds 64 KiB.
	const most = 32 << 10
	switch {
	case first.Flooded(), first.Exited() && len(first.Log()) > said+most:
		return flooded(first)
	case !first.Exited() || !second.Exited():
		return errors.New("It does not end when it is interrupted (SIGINT, which is what Ctrl-C sends), not even twice. It has been killed.")
	}
	return nil
}

func flooded(s *server.Server) error {
	return fmt.Errorf("It prints without end, where one line is expected: listening on http://HOST:PORT.%s", s.Quote())
}
