package behaviour

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

// sendInterval is how often keep-sending sends.
const sendInterval = 10 * time.Millisecond

// answer checks the whole reply. TEXT is part of the page, or @FILE, a file of the
// server's folder that is the page.
func answer(s *story, args []string) error {
	vs, err := s.group(args[0])
	if err != nil {
		return err
	}
	statuses := strings.Split(args[1], "|")
	for _, v := range vs {
		if !s.await(v.Ended) {
			if reply, _ := v.Reply(); len(reply) > 0 {
				return s.fail("%s has the answer %s, and the connection stays open after it. Who closes it?", v.Name, v.Status())
			}
			return s.failStuck(v, "%s gets no answer.", v.Name)
		}
		if reply, _ := v.Reply(); len(reply) == 0 && slices.Contains(statuses, "none") {
			continue
		}
		page, err := v.Check(s.stage, statuses...)
		if err != nil {
			return s.fail("%s: %v.", v.Name, err)
		}
		if len(args) == 3 {
			if err := s.comparePage(v, page, args[2]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *story) comparePage(v *visitor.Visitor, page, text string) error {
	file, whole := strings.CutPrefix(text, "@")
	if !whole {
		if !strings.Contains(page, text) {
			return s.fail("%s gets the wrong page: there is no %q in\n%s", v.Name, text, page)
		}
		return nil
	}
	want, err := os.ReadFile(filepath.Join(s.program.Folder, file))
	if err != nil {
		return err
	}
	if page != string(want) {
		return s.fail("%s gets another page than %s: %d bytes, not %d:\n%s", v.Name, file, len(page), len(want), page)
	}
	return nil
}

func dropped(s *story, args []string) error {
	vs, err := s.group(args[0])
	if err != nil {
		return err
	}
	for _, v := range vs {
		if err := s.awaitDrop(v); err != nil {
			return err
		}
		timedOut := !s.stage && v.Status() == "408" // which says so with a reply
		if reply, _ := v.Reply(); len(reply) > 0 && !timedOut {
			return s.fail("%s should have been dropped, and has an answer: %.60q.", v.Name, reply)
		}
		if stayed := v.Stayed(); !s.stopping && stayed < s.patience {
			return s.fail("%s was dropped after %v, and -patience says %v.", v.Name, stayed.Round(time.Millisecond), s.patience)
		}
		// A visitor who was kept from sending for so long, by a machine that is busy
		// elsewhere, has proved nothing.
		if pause, _ := v.Pause(); pause > s.patience/2 {
			return undecided(fmt.Sprintf("%s was to send all the time, and paused for %v.", v.Name, pause))
		}
	}
	return nil
}

// awaitDrop waits until the server has ended the connection. Of a visitor who keeps
// on sending it knows that the server bears with them for too long as soon as it has
// read what was sent when twice the patience was over.
func (s *story) awaitDrop(v *visitor.Visitor) error {
	tooLong := false
	ended := s.await(func() bool {
		if _, last := v.Pause(); last.Sub(v.Arrived) > 2*s.patience {
			read, _ := s.srv.HasRead(v.Conn())
			tooLong = read && !v.Ended()
		}
		return tooLong || v.Ended()
	})
	switch {
	case tooLong:
		return s.fail("%s is still connected, and should have been dropped.", v.Name)
	case !ended:
		return s.failStuck(v, "%s is still connected, and should have been dropped. Who closes the connection, and when?", v.Name)
	}
	return nil
}

// closed waits until the connection has ended, with an answer or without. With already,
// it has to have ended once the server has done all that it has to do.
func closed(s *story, args []string) error {
	vs, err := s.group(args[0])
	if err != nil {
		return err
	}
	await := s.await
	if len(args) == 2 {
		if err := s.settle(); err != nil {
			return err
		}
		await = func(ended func() bool) bool { return s.srv.Await(server.Settled, ended) }
	}
	for _, v := range vs {
		if !await(v.Ended) {
			return s.fail("%s is still connected, and the connection should have ended.", v.Name)
		}
	}
	return nil
}

func waits(s *story, args []string) error {
	if err := s.settle(); err != nil {
		return err
	}
	for _, name := range args {
		vs, err := s.group(name)
		if err != nil {
			return err
		}
		for _, v := range vs {
			switch {
			case v.Replied():
				return s.fail("%s should still be waiting, and is answered already.", v.Name)
			case v.Answered():
				return s.fail("%s should still be waiting, and was dropped.", v.Name)
			}
		}
	}
	return nil
}

func inProgress(s *story, args []string) error {
	vs, err := s.group(args[0])
	if err != nil {
		return err
	}
	for _, v := range vs {
		if err := s.awaitRead(v); err != nil {
			return err
		}
	}
	for _, v := range vs {
		if !v.Answered() {
			continue
		}
		s.await(func() bool { reply, _ := v.Reply(); return len(reply) > 0 || v.Ended() })
		switch took := v.Took(); {
		case took == 0 && s.patience > 0 && time.Since(v.Arrived) > s.patience/2:
			return undecided(v.Name + " was dropped before anybody could look.")
		case took == 0:
			return s.fail("%s was dropped; the request should be in progress.", v.Name)
		case took < s.slow:
			return s.fail("%s is answered already; the request should be in progress.", v.Name)
		}
		return undecided(v.Name + " was answered before anybody could look.")
	}
	return nil
}

// awaitRead waits until the server has read all that the visitor has sent, or has
// answered. Where the system does not tell, it waits until the server is quiet.
func (s *story) awaitRead(v *visitor.Visitor) error {
	blind := false
	// Not s.idle(): a request that is read only when another has been answered was
	// not in progress beside it.
	read := s.srv.Await(server.Idle, func() bool {
		read, err := s.srv.HasRead(v.Conn())
		blind = err != nil
		return blind || read && v.Sent() || v.Answered()
	})
	switch {
	case blind:
		return s.settle()
	case !read:
		return s.failStuck(v, "The server does not read %s's request.", v.Name)
	}
	return nil
}

func overtakes(s *story, args []string) error {
	queue, err := s.queue(args[0])
	if err != nil {
		return err
	}
	slow, err := s.group(args[1])
	if err != nil {
		return err
	}
	quick := queue[0]
	var before *visitor.Visitor // a slow one who is answered before the quick one
	s.await(func() bool {
		for _, v := range slow {
			// In this order: the quick one's answer is seen if it was first.
			if v.Answered() && !quick.Answered() {
				before = v
			}
		}
		return before != nil || quick.Answered()
	})
	switch {
	case before != nil:
		return s.fail("%s, who came after %s, has no answer until %s has one.", quick.Name, before.Name, before.Name)
	case !quick.Answered():
		return s.failStuck(quick, "%s has no answer while %s is being served, and the server is idle.", quick.Name, args[1])
	}
	return nil
}

func inOrder(s *story, args []string) error {
	queue, err := s.queue(args...)
	if err != nil {
		return err
	}
	return s.answersInOrder(queue)
}

// answersInOrder sees to it that nobody in the queue is answered before somebody who
// stands before them. Answered looks at the socket: if a later visitor has an answer,
// and an earlier one who is looked at after that has none, then the order is wrong.
func (s *story) answersInOrder(queue []*visitor.Visitor) error {
	for i, v := range queue {
		var early *visitor.Visitor
		answered := s.await(func() bool {
			for _, later := range queue[i+1:] {
				if later.Answered() && !v.Answered() {
					early = later
				}
			}
			return early != nil || v.Answered()
		})
		switch {
		case early != nil:
			return s.fail("%s, who came before %s, is answered after.", v.Name, early.Name)
		case !answered:
			return s.failStuck(v, "%s gets no answer.", v.Name)
		}
	}
	return nil
}

// takeTurns needs no upper limit on time. That requests took less time than all of
// them one after another is proof that they overlapped, however slow the machine is.
// That they took no less is no proof that they did not, on a machine that is busy
// elsewhere. So it wants to have seen that the server slept over one of them and had
// not read another.
func takeTurns(s *story, args []string) error {
	queue, err := s.queue(args...)
	if err != nil {
		return err
	}
	alone := s.oneInProgress(queue)
	misordered := s.answersInOrder(queue)
	took := time.Duration(0)
	for _, v := range queue {
		if !s.await(func() bool { return v.Took() > 0 || v.Ended() }) || v.Took() == 0 {
			if misordered != nil {
				return misordered
			}
			return s.failStuck(v, "%s gets no answer.", v.Name)
		}
		took = max(took, v.Asked().Add(v.Took()).Sub(queue[0].Asked()))
	}
	took = took.Round(time.Millisecond)
	switch least := time.Duration(len(args)) * s.slow; {
	case took < least && len(args) == 1:
		return s.fail("%s is answered after %v, and the slow page takes %v.", args[0], took, s.slow)
	case took < least:
		return s.fail("%d requests of %v each were answered within %v, so that they did not take turns.", len(args), s.slow, took)
	case !alone && !s.srv.Exited():
		return undecided("The server was never seen to sleep over one request with others unread.")
	}
	return misordered // or nil
}

// oneInProgress waits until it sees the server asleep with one of the requests in
// progress and others that it has not read. It returns false if it sees several in
// progress, or the last one answered. Where there is only one request, or the
// system does not tell, it returns true.
func (s *story) oneInProgress(queue []*visitor.Visitor) bool {
	if len(queue) == 1 || s.blind() {
		return true
	}
	alone := false
	s.atRest(func() bool { return queue[len(queue)-1].Answered() }, func(now progress) bool {
		alone = now.reading == 1 && now.unread > 0
		return alone || now.reading > 1
	}, queue)
	return alone
}

// overlap looks for one of two proofs, and neither needs an upper limit on time.
//
// Each request takes at least s.slow. If one had begun only when another was
// done, then its answer would come 2*s.slow after the first of them was asked, or
// later. So if all answers are there before, all were in progress together; that
// they are seen late makes this proof fail, and never succeed.
//
// If the server is asleep, and has not read a request, or has read all of them
// s.slow ago and not answered one, then they were not in progress together.
func overlap(s *story, args []string) error {
	crowd, err := s.group(args[0])
	if err != nil {
		return err
	}
	for _, v := range crowd {
		s.await(v.Sent)
	}
	n := len(crowd)
	limit := crowd[0].Asked().Add(2 * s.slow)
	together := func() (answered, inTime int) {
		for _, v := range crowd {
			if took := v.Took(); took > 0 {
				answered++
				if v.Asked().Add(took).Before(limit) {
					inTime++
				}
			}
		}
		return answered, inTime
	}
	var disproof error
	var allRead time.Time // by then
	s.atRest(func() bool { answered, _ := together(); return answered == n }, func(now progress) bool {
		_, inTime := together()
		switch {
		case now.unread > 0:
			disproof = s.fail("Of %d slow requests at the same time only %d are in progress together; the server has not even read the others.", n, now.reading+inTime)
		case allRead.IsZero():
			allRead = time.Now()
		case now.reading > 0 && now.since.After(allRead.Add(s.slow)):
			disproof = s.fail("Of %d slow requests at the same time only %d were in progress together; the others have been read, and wait.", n, n-now.reading)
		}
		return disproof != nil
	}, crowd)
	if disproof != nil {
		return disproof
	}
	answered, inTime := together()
	switch {
	case inTime == n:
		return answer(s, []string{args[0], "200"})
	case answered < n:
		return s.fail("Of %d slow requests at the same time only %d are answered.", n, answered)
	}
	return undecided(fmt.Sprintf("Of %d slow requests at the same time %d were seen to be in progress together.", n, inTime))
}

// progress counts the visitors without an answer: those whose request the server
// has read, and those whose request it has not.
type progress struct {
	reading, unread int
	since           time.Time // when the server fell asleep, or later
}

// atRest looks at the visitors whenever the server has been asleep for a moment,
// and tells what it sees to look, until over or look return true.
func (s *story) atRest(over func() bool, look func(progress) bool, visitors []*visitor.Visitor) {
	watch, since := s.srv.Watch(), time.Now()
	s.await(func() bool {
		if over() {
			return true
		}
		if watch.QuietFor(server.Settled) < server.Settled {
			return false
		}
		fellAsleep := since
		watch, since = s.srv.Watch(), time.Now() // for the next look
		now, ok := s.progress(visitors)
		now.since = fellAsleep
		return ok && look(now)
	})
}

// progress returns false if somebody was answered meanwhile, so that the counts
// may be wrong.
func (s *story) progress(visitors []*visitor.Visitor) (now progress, ok bool) {
	before := unanswered(visitors)
	for _, v := range visitors {
		read, err := s.srv.HasRead(v.Conn())
		switch {
		case v.Answered(): // once it has answered, the server has no connection to be looked at
		case read || err != nil:
			now.reading++
		default:
			now.unread++
		}
	}
	return now, unanswered(visitors) == before
}

func unanswered(visitors []*visitor.Visitor) int {
	n := 0
	for _, v := range visitors {
		if !v.Answered() {
			n++
		}
	}
	return n
}

// blind says that the system does not tell what the server does.
func (s *story) blind() bool {
	_, err := s.srv.Asleep()
	return errors.Is(err, errors.ErrUnsupported)
}
