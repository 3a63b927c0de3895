package behaviour

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

// The commands in this file say what the visitors see.

// answer waits for a whole reply. The page has to contain TEXT; with @FILE it has to be that file of
// the server's folder, and with !TEXT it may not contain TEXT. In a script about manners nothing may
// follow the reply, not even a reset, and in strict mode the connection has to end.
func answer(r *run, args []string) {
	statuses := strings.Split(args[1], "|")
	visitors := r.named(args[0])
	for _, v := range visitors {
		over := r.await(func() bool { return v.Ended() || v.Whole() && !(r.manners && r.strict) })
		switch {
		case !over && v.Whole():
			r.Hint = "Is the connection closed when the reply is sent? See docs/stage1-blocking.md"
			r.fatalf("%s has the answer %s, and the connection stays open after it.", v.Name, v.Status())
		case !over && v.Replied():
			r.fatalf("%s has the beginning of an answer, and its end does not come. "+
				"How long does it say that it is, and who closes the connection?", v.Name)
		case !over:
			r.stuckf(v, "%s gets no answer.", v.Name)
		}
	}
	if r.manners && !r.strict {
		r.srv.AwaitQuiet(server.SettleTime) // a reset would follow the reply
	}
	for _, v := range visitors {
		if !v.Replied() && slices.Contains(statuses, "none") {
			continue
		}
		page, err := v.Page(statuses...)
		if err == nil && r.manners {
			err = v.EndsWell(r.strict)
		}
		if err != nil && !v.Replied() {
			after := v.Times().Ended.Sub(r.stopped)
			if r.stopping && after > timeAtStop && !r.wantsSlowPage(v) {
				r.undecidedf("%s was dropped %v after the server was to stop.", v.Name, after)
			}
			r.fatalf("%s: %v. Is there an error, or a deadline that is over?", v.Name, err)
		}
		if err != nil {
			r.fatalf("%s: %v.", v.Name, err)
		}
		if len(args) == 3 {
			r.comparePage(v, page, args[2])
		}
	}
}

// timeAtStop is how long a stage goes on reading requests after it was told to stop. On a busy
// machine this time may be over before the stage has read a request that had arrived.
const timeAtStop = 100 * time.Millisecond

// wellFormed names everything that the visitors' replies lack, each thing once.
func wellFormed(r *run, args []string) {
	visitors := r.named(args...)
	for _, v := range visitors {
		r.await(func() bool { return v.Ended() || v.Whole() })
		if r.strict || !v.Replied() {
			r.await(v.Ended)
		}
	}
	r.srv.AwaitQuiet(server.SettleTime)
	var faults, named []string
	for _, v := range visitors {
		request, _, _ := strings.Cut(v.Said(), "\r\n")
		if !v.Replied() {
			r.stuckf(v, "%s gets no answer to %q.", v.Name, request)
		}
		lacks := slices.DeleteFunc(v.Lacks(r.strict), func(what string) bool { return slices.Contains(named, what) })
		if named = append(named, lacks...); len(lacks) > 0 {
			faults = append(faults, fmt.Sprintf("The reply to %q: %s.", request, strings.Join(lacks, "; ")))
		}
	}
	if len(faults) > 0 {
		r.fatalf("%s", strings.Join(faults, "\n"))
	}
}

// comparePage compares the page with the text of the script, in strict mode only: other servers have
// pages of their own.
func (r *run) comparePage(v *visitor.Visitor, page, text string) {
	if !r.strict {
		return
	}
	if file, whole := strings.CutPrefix(text, "@"); whole {
		if _, err := os.Stat(filepath.Join(r.program.Folder, file)); err != nil {
			return // not a stage
		}
		want := r.ts.ReadFile(filepath.Join(r.program.Folder, file))
		if page != want {
			r.fatalf("%s gets another page than %s: %d bytes, not %d:\n%s", v.Name, file, len(page), len(want), page)
		}
	} else if words, without := strings.CutPrefix(text, "!"); without {
		if strings.Contains(page, words) {
			r.fatalf("%s gets a page that repeats %q, which was sent: a browser takes it for HTML.", v.Name, words)
		}
	} else if !strings.Contains(page, text) {
		r.fatalf("%s gets the wrong page: there is no %q in\n%s", v.Name, text, page)
	}
}

func dropped(r *run, args []string) {
	piece := ""
	if len(args) == 2 {
		piece = r.pieces(args[1])[0]
	}
	for _, v := range r.named(args[0]) {
		pause := r.awaitDrop(v, piece)
		if !r.strict && v.Said() != "" && v.Replied() {
			continue // it answers before the end of the request: see manners/packets
		}
		timedOut := !r.strict && v.Status() == "408" // a reply that says so
		if reply, _ := v.Reply(); len(reply) > 0 && !timedOut {
			r.Hint = "What does the server do when it gives up reading: does it take what has come for a request? See docs/stage1-blocking.md"
			r.fatalf("%s should have been dropped, and has an answer: %.60q.", v.Name, reply)
		}
		// If one deadline is for all visitors, this one is dropped a little early, and the next one
		// much too early.
		times := v.Times()
		if stayed := times.Ended.Sub(times.Arrived); !r.stopping && stayed < r.patience*3/4 {
			r.fatalf("%s was dropped after %v, and -patience says %v.", v.Name, stayed.Round(time.Millisecond), r.patience)
		}
		// On a busy machine the visitor may have been unable to send. That proves nothing.
		if pause > r.patience/2 {
			r.undecidedf("%s was to send all the time, and paused for %v.", v.Name, pause)
		}
	}
}

// awaitDrop waits until the server has ended the connection. Unless the piece is empty, the visitor
// sends it every 10 ms; then it fails as soon as the server has read something that was sent
// after twice the patience. It returns the longest time between two of the pieces.
func (r *run) awaitDrop(v *visitor.Visitor, piece string) (pause time.Duration) {
	tooLong, last := false, time.Now()
	ended := r.await(func() bool {
		if last.Sub(v.Times().Arrived) > 2*r.patience && piece != "" && v.Sent() {
			read, _ := r.srv.HasRead(v.Conn())
			tooLong = read && !v.Ended()
		}
		if since := time.Since(last); piece != "" && since >= 10*time.Millisecond {
			pause, last = max(pause, since), time.Now()
			v.Send(piece)
		}
		return tooLong || v.Ended()
	})
	switch {
	case tooLong:
		r.fatalf("%s is still connected, and should have been dropped.", v.Name)
	case !ended:
		r.stuckf(v, "%s is still connected, and should have been dropped. Who closes the connection, and when?", v.Name)
	}
	return pause
}

// closed waits until the connection has ended, with an answer or without. With already, it has to
// have ended when the server is quiet.
func closed(r *run, args []string) {
	quiet := r.giveUpAfter()
	if len(args) == 2 {
		r.ts.Check(r.settle())
		quiet = server.SettleTime
	}
	for _, v := range r.named(args[0]) {
		if !r.srv.Await(quiet, v.Ended) {
			r.fatalf("%s is still connected, and the connection should have ended.", v.Name)
		}
	}
}

func waits(r *run, args []string) {
	r.ts.Check(r.settle())
	for _, v := range r.named(args...) {
		answered, times := v.Answered(), v.Times()
		switch {
		case answered && r.slowPageIsOver():
			r.undecidedf("The slow page takes only %v, and was over before anybody could look.", r.slow)
		case v.Replied():
			r.fatalf("%s should still be waiting, and is answered already.", v.Name)
		case answered && r.patience > 0 && times.Ended.Sub(times.Arrived) >= r.patience:
			r.undecidedf("%s was dropped before anybody could look.", v.Name)
		case answered:
			r.fatalf("%s should still be waiting, and was dropped.", v.Name)
		}
	}
}

// stays waits for two seconds: most servers that drop silent visitors after a short time have done
// it by then.
func stays(r *run, args []string) {
	r.srv.AwaitQuiet(2 * time.Second)
	waits(r, args)
}

func inProgress(r *run, args []string) {
	for _, v := range r.named(args[0]) {
		r.awaitRead(v)
	}
	for _, v := range r.named(args[0]) {
		if !v.Answered() {
			continue
		}
		switch times := v.Times(); {
		case times.Answered.Sub(times.Asked) >= r.slow:
			r.undecidedf("%s was answered before anybody could look.", v.Name)
		case v.Replied():
			r.fatalf("%s is answered already; the request should be in progress.", v.Name)
		case r.patience > 0 && time.Since(times.Arrived) > r.patience/2:
			r.undecidedf("%s was dropped before anybody could look.", v.Name)
		default:
			r.fatalf("%s was dropped; the request should be in progress.", v.Name)
		}
	}
}

// awaitRead waits until the server has read all that the visitor has sent, or has answered. If this
// cannot be seen, it waits until the server is quiet.
func (r *run) awaitRead(v *visitor.Visitor) {
	var err error
	// It does not wait for r.giveUpAfter(): if the request is read only after another was answered,
	// the two were not in progress together.
	over := r.srv.Await(server.GiveUpAfter, func() (read bool) {
		read, err = r.srv.HasRead(v.Conn())
		return err != nil || read && v.Sent() || v.Answered()
	})
	switch {
	case !over:
		r.stuckf(v, "The server does not read %s's request.", v.Name)
	case err != nil:
		r.ts.Check(r.settle())
	}
}

func overtakes(r *run, args []string) {
	quick := r.named(args[0])[0]
	if !r.await(quick.Answered) {
		r.stuckf(quick, "%s has no answer while %s is being served, and the server is idle.", quick.Name, args[1])
	}
	if !r.slowPageIsOver() {
		waits(r, args[1:])
		return
	}
	for _, slow := range r.named(args[1:]...) {
		if slow.Answered() && quick.Times().Answered.Sub(quick.Times().Asked) > r.slow/2 {
			r.fatalf("%s, who came after %s, is answered later.", quick.Name, slow.Name)
		}
	}
}

// inOrder waits until each visitor in turn is answered. It looks at the socket of a later visitor
// first: if that one has an answer, and the earlier one then has none, the order is wrong.
func inOrder(r *run, args []string) {
	queue := r.named(args...)
	for i, v := range queue {
		answered := r.await(func() bool {
			for _, later := range queue[i+1:] {
				if later.Answered() && !v.Answered() {
					r.fatalf("%s, who came before %s, is answered later.", v.Name, later.Name)
				}
			}
			return v.Answered()
		})
		if !answered {
			r.stuckf(v, "%s gets no answer.", v.Name)
		}
	}
}

// progress waits until the server is quiet. Then it counts the requests without an answer: those
// that the server has read, and those that it has not. If this cannot be seen, all count as read.
func (r *run) progress(visitors []*visitor.Visitor) (read, unread int) {
	for _, v := range visitors {
		r.await(v.Sent)
	}
	// If a visitor is answered meanwhile, the server may begin with another, and it counts again.
	for answered := -1; answered+read+unread != len(visitors); {
		r.ts.Check(r.settle())
		answered, read, unread = 0, 0, 0
		for _, v := range visitors {
			if v.Answered() {
				answered++
			}
		}
		hasRead := make([]bool, len(visitors))
		for i, v := range visitors {
			hasRead[i] = r.hasRead(v)
		}
		for i, v := range visitors {
			switch {
			case v.Answered():
			case hasRead[i]:
				read++
			default:
				unread++
			}
		}
	}
	return read, unread
}

// hasRead says whether the server has read all that the visitor has sent. If this cannot be seen, it
// returns true.
func (r *run) hasRead(v *visitor.Visitor) bool {
	all, err := r.srv.HasRead(v.Conn())
	return all || err != nil
}

// takeTurns proves that slow requests are served one after another, in their order. If all answers
// come sooner than that takes, they were not, however slow the machine is. If they come later, the
// machine may have been busy: the server has to be seen asleep, at two looks in a row, with one request
// in progress and the next one unread. If that cannot be seen, the answers have to come one slow page's
// time apart.
func takeTurns(r *run, args []string) {
	queue := r.named(args...)
	alone, before := len(queue) == 1, 0
	blind := !r.program.Sees("requests")
	for range queue {
		if alone || blind || queue[len(queue)-1].Answered() {
			break
		}
		read, unread := r.progress(queue)
		if read > 1 {
			r.fatalf("%d requests are in progress at the same time, and should take turns.", read)
		}
		alone = before == 1 && read == 1 && unread > 0
		before = read
	}
	if len(queue) == 1 && r.strict && r.program.Sees("work") {
		r.awaitSlowPage(queue[0])
	}
	inOrder(r, args)
	took := time.Duration(0)
	for _, v := range queue {
		switch {
		case v.Replied():
		case v.Ended():
			r.fatalf("%s: the connection was closed without an answer.", v.Name)
		default:
			r.stuckf(v, "%s gets no answer.", v.Name)
		}
		took = max(took, v.Times().Answered.Sub(queue[0].Times().Asked).Round(time.Millisecond))
	}
	inTurns, _ := r.turns(queue)
	switch least := time.Duration(len(queue)) * r.slow; {
	case took < least && len(queue) == 1:
		r.fatalf("%s is answered after %v, and the slow page takes %v.", args[0], took, r.slow)
	case took < least:
		r.fatalf("%d requests of %v each were answered within %v, so that they did not take turns.", len(queue), r.slow, took)
	case !alone && !(blind && inTurns == len(queue)):
		r.undecidedf("The server was never seen to sleep over one request with others unread.")
	}
}

// awaitSlowPage waits until a slow request was read, and then for a tenth longer than the slow page
// takes. If the server is asleep then, and has not answered, it sleeps too long: after the end of its
// timer it would not be asleep, even on a busy machine.
func (r *run) awaitSlowPage(v *visitor.Visitor) {
	r.awaitRead(v)
	longer := r.slow + r.slow/10
	time.Sleep(longer)
	r.ts.Check(r.settle())
	if !v.Answered() {
		r.stuckf(v, "%s has no answer after %v, and the slow page takes %v.", v.Name, longer, r.slow)
	}
}

// overlap proves that slow requests are all in progress together. They are not if the server is
// asleep and has not read one of them, or has read all of them more than r.slow ago and not answered
// one. They were if all answers come within 2*r.slow: if one request had begun after the end of
// another, its answer would come later. On a busy machine neither may be seen. If reading cannot be
// seen, watchTurns looks at the answers.
func overlap(r *run, args []string) {
	crowd := r.named(args[0])
	if !r.program.Sees("requests") {
		r.watchTurns(crowd)
	}
	for _, v := range crowd {
		// A right server may look for visitors only now and then, and accept one at each look. If it
		// sleeps for longer, it is serving a visitor.
		if !r.srv.Await(r.slow/2, func() bool { return r.hasRead(v) || v.Answered() }) {
			break
		}
	}
	if read, unread := r.progress(crowd); unread > 0 {
		r.AtATime = read
		r.fatalf("Of %d slow requests at the same time the server has only %d in progress; "+
			"it has not even read the others.", len(crowd), read)
	}
	time.Sleep(r.slow)
	if waiting, _ := r.progress(crowd); waiting > 0 && r.program.Sees("requests") {
		r.AtATime = len(crowd) - waiting
		r.fatalf("Of %d slow requests at the same time the server had only %d in progress; "+
			"the others have been read, and wait.", len(crowd), len(crowd)-waiting)
	}
	answer(r, []string{args[0], "200"})
	for _, v := range crowd {
		if v.Times().Answered.After(crowd[0].Times().Arrived.Add(2 * r.slow)) {
			r.undecidedf("%d slow requests were not seen to be answered before two could have been served in turn.", len(crowd))
		}
	}
}

// enoughTurns is how many turns prove that visitors are served in turns. A right server looks like
// that only if the machine stands still three times, each time for as long as the slow page takes.
const enoughTurns = 4

// watchTurns waits for the answers to slow requests that were sent at the same time. If they come in
// turns, one slow page's time apart, the script is undecided, and fails when it is run again.
func (r *run) watchTurns(crowd []*visitor.Visitor) {
	turns, size := 0, 0
	r.await(func() bool {
		turns, size = r.turns(crowd)
		return turns >= enoughTurns || !slices.ContainsFunc(crowd, func(v *visitor.Visitor) bool { return !v.Answered() })
	})
	if turns < enoughTurns {
		return
	}
	seen := fmt.Sprintf("Of %d slow requests at the same time the server had only %d in progress: "+
		"the answers come in turns, %v apart.", len(crowd), size, r.slow)
	if r.scale == 1 {
		r.undecidedf("%s", seen)
	}
	r.fatalf("%s", seen)
}

// turns is countTurns for visitors who have asked for the slow page. If they did not ask at the same
// time, there are no turns.
func (r *run) turns(visitors []*visitor.Visitor) (turns, size int) {
	var asked, answered []time.Time
	for _, v := range visitors {
		asked = append(asked, v.Times().Asked)
		if v.Replied() {
			answered = append(answered, v.Times().Answered)
		}
	}
	slices.SortFunc(asked, time.Time.Compare)
	if len(asked) == 0 || asked[len(asked)-1].Sub(asked[0]) > r.slow/4 {
		return 0, 0
	}
	return countTurns(answered, r.slow)
}

// countTurns returns in how many turns answers have come, and how many came in the first. Each turn
// begins about one slow after the one before, and nothing comes in the second half of that time. If
// the answers are not like that, there are no turns.
func countTurns(answered []time.Time, slow time.Duration) (turns, size int) {
	slices.SortFunc(answered, time.Time.Compare)
	var first, last time.Time // of the turn
	for _, at := range answered {
		switch since := at.Sub(first); {
		case turns > 0 && since <= slow/2: // one more of the turn
		case turns > 0 && (since < slow*3/4 || since > slow*3/2 || at.Sub(last) < slow/2):
			return 0, 0
		default:
			first = at
			turns++
		}
		if last = at; turns == 1 {
			size++
		}
	}
	return turns, size
}
