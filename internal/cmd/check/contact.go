package main

import (
	"errors"
	"fmt"
	"net"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

// firstContact starts the program before any script is run. It returns what the user should know
// about it, or an error if the program cannot be examined at all.
func firstContact(program *server.Program) (notes []string, err error) {
	first, err := program.Start(server.Options{})
	if err != nil {
		return nil, explain(err)
	}
	defer first.Kill()
	if addr, err := net.ResolveTCPAddr("tcp", first.Addr); err != nil || !addr.IP.IsLoopback() {
		return nil, fmt.Errorf("It was told to listen on 127.0.0.1, and says that it listens on %s.", first.Addr)
	}
	if !first.Await(server.SettleTime, first.Announced) {
		notes = append(notes, fmt.Sprintf("It does not print \"listening on http://...\": check tries %s until it answers.", first.Addr))
	}
	if n, err := first.Backlog(); err == nil && n > 0 && n < 100 {
		notes = append(notes, fmt.Sprintf("The queue of visitors whom it has not accepted yet has room for %d (the second argument of listen). "+
			"A hundred may come at once; here no more than %d do.", n, n))
	}
	if !program.CanTell("slow") {
		notes = append(notes, measureSlowPage(program, first))
	}
	if !program.CanTell("addr") {
		return notes, nil
	}
	second, err := program.Start(server.Options{})
	if err == nil {
		defer second.Kill()
		if second.Addr == first.Addr {
			err = errors.New("it says that it listens on the same port.")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("While one is running, a second one does not start: %w\n"+
			"check runs several of it at the same time, each on another port. Does it listen where it is told to? "+
			"If it has a port of its own, say which: AT=%s.", err, first.Addr)
	}
	return notes, nil
}

// explain adds to an error of Start what the user can try.
func explain(err error) error {
	e := (*server.StartError)(nil)
	switch errors.As(err, &e); {
	case e == nil:
		return err
	case len(e.Found) > 0:
		return fmt.Errorf("%w\nIt listens on %s. If it does so whatever -addr says, try AT=%[2]s.", err, e.Found[0])
	case e.Ended && *at == "":
		return fmt.Errorf("%w\nDoes it know the flags -addr and -slow? If it takes its port in another way, say how, as in "+
			"SERVER='python3 mine.py {port}'; if it has a port of its own, say which, as in AT=127.0.0.1:7878.", err)
	}
	return err
}

// measureSlowPage measures how long the slow page takes if the program cannot be told, and returns
// a sentence about it.
func measureSlowPage(program *server.Program, s *server.Server) string {
	const shortest, limit = 150 * time.Millisecond, time.Minute
	v := visitor.Connect("slow", s.Addr, nil)
	defer v.Close()
	v.Send(visitor.Request("GET", program.SlowPage))
	for begin := time.Now(); !v.Answered() && !s.Exited() && time.Since(begin) < limit; {
		time.Sleep(5 * time.Millisecond)
	}
	took := v.Times().Answered.Sub(v.Times().Asked)
	if v.Status() != "200" || took < shortest {
		gets := "no reply"
		if v.Replied() {
			gets = fmt.Sprintf("%s after %v", v.Status(), took.Round(time.Millisecond))
		}
		return fmt.Sprintf("It has no slow page: GET %s gets %s. If another page is slow, say which: SLOW=/path.", program.SlowPage, gets)
	}
	program.SlowTakes = took - took/20 // the next time may be a little shorter
	if took > 10*time.Second {
		return fmt.Sprintf("GET %s takes %v: a page of two to five seconds would do, and be decided sooner.",
			program.SlowPage, took.Round(time.Second))
	}
	return fmt.Sprintf("GET %s takes %v.", program.SlowPage, took.Round(100*time.Millisecond))
}
