package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/concurrent-web-server/internal/server"
)

// A scene is one step of the ten-minute plan in docs/lab.md. The file scenes.json has them.
type scene struct {
	Title string `json:"title"`
	Acts  []act  `json:"acts"`
}

// An act is a question that a server answers: the steps are made, and what is then seen is said in a
// sentence. A choice is right when its regular expression matches the sentence about the stage that
// the question was asked of. No answer is written down.
type act struct {
	Asks     string  `json:"asks"`
	Of       []int   `json:"of"`           // the stages that it can be asked of, the best first
	To       []int   `json:"to,omitempty"` // the stages that take part, if not all do
	Slow     float64 `json:"slow"`         // seconds, as in a panel
	Patience float64 `json:"patience"`
	Page     string  `json:"page"` // the heading of the stage's page that is about it
	Choices  []struct {
		Says string `json:"says"`
		When string `json:"when"`
	} `json:"choices"`
	Steps []step `json:"steps"`
}

// A step has visitors come, as in "20 slow", does what a button does, looks for goroutine 1, or waits.
type step struct {
	Do    string `json:"do"`
	Says  string `json:"says"`
	While string `json:"while,omitempty"` // the kind of visitor who has to be there still, or else it does not count
}

// A play is an act that is being played, or has been. Times are in milliseconds of the lab's clock.
type play struct {
	Scene  int     `json:"scene"`
	Act    int     `json:"act"`
	Stage  int     `json:"stage"`
	Chosen int     `json:"chosen"` // -1 if nobody has guessed
	State  string  `json:"state"`  // playing, done, void if it did not count, or stopped
	Says   string  `json:"says"`   // why it did not count
	From   int64   `json:"from"`
	Until  int64   `json:"until"` // when it ends, roughly
	Steps  []int64 `json:"steps"` // when each was made
	Right  []int   `json:"right"` // the choices that were
	Seen   []sight `json:"seen"`

	act    act
	panels []*panel
	stop   context.CancelCauseFunc
	guests []group
}

// A sight is what was seen of a panel, and why it was so.
type sight struct {
	ID   int    `json:"id"`
	Seen string `json:"seen"`
	Why  string `json:"why"`

	notes []note
}

// A note is what was seen at a time.
type note struct {
	at   int64
	text string
}

// A group is the visitors of one step.
type group struct {
	kind  string
	names []string
	at    int64
}

var errStopped = errors.New("stopped")

// start begins to play an act. It returns false if there is none, or another is being played.
func (l *lab) start(a play) bool {
	if a.Scene < 0 || a.Scene >= len(l.scenes) || a.Act < 0 || a.Act >= len(l.scenes[a.Scene].Acts) {
		return false
	}
	a.act = l.scenes[a.Scene].Acts[a.Act]
	for _, p := range l.panels {
		if to := a.act.To; len(to) == 0 || slices.Contains(to, p.Stage.Number) {
			a.panels = append(a.panels, p)
			a.Seen = append(a.Seen, sight{ID: p.ID})
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.playing != nil || len(a.panels) == 0 || a.Chosen >= len(a.act.Choices) {
		return false
	}
	ctx, stop := context.WithCancelCause(context.Background())
	a.stop, l.playing, a.State = stop, &a, "playing"
	go func() {
		err := l.play(ctx, &a)
		switch {
		case err == nil:
			a.State = "done"
			err = a.judge()
		case err == errStopped:
			a.State, err = "stopped", nil
		}
		if err != nil {
			a.State, a.Says = "void", err.Error()
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.playing = nil
		l.board.show(theScene, "scene", a)
	}()
	return true
}

// end ends what is being played, because of an error.
func (l *lab) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.playing != nil {
		l.playing.stop(err)
	}
}

// disturb says why what is being played does not count.
func (l *lab) disturb(why string) { l.end(errors.New(why)) }

// pace is how long it is from one step to the next, at least, so that one can follow.
var pace = 1500 * time.Millisecond

// play starts the servers anew and makes the steps. A step is made when all servers have come to rest
// after the one before: nothing but the show depends on how fast that is.
func (l *lab) play(ctx context.Context, a *play) error {
	l.forget()
	err := a.each(func(p *panel, _ *sight) (err error) {
		p.do(func() {
			p.Slow, p.Patience = a.act.Slow, a.act.Patience
			if p.start(); p.recorder == nil {
				err = fmt.Errorf("%s does not run.", p.Stage.Folder)
			}
		})
		return err
	})
	if err != nil {
		return err
	}
	a.From = l.clock.ms()
	a.Until = a.From + int64(float64(pace.Milliseconds())*float64(1+len(a.act.Steps))+1000*(a.act.Slow+1))
	for _, s := range a.act.Steps {
		l.board.show(theScene, "scene", a)
		select {
		case <-time.After(pace):
		case <-ctx.Done():
		}
		if err := a.each(func(p *panel, _ *sight) error { return p.await(ctx, func() bool { return true }) }); err != nil {
			return err
		}
		a.Steps = append(a.Steps, l.clock.ms())
		l.board.show(theScene, "scene", a)
		if err := a.make(ctx, l, s); err != nil {
			return err
		}
	}
	err = a.each(func(p *panel, _ *sight) error {
		return p.await(ctx, func() bool { return p.recorder.Here() == 0 && p.interrupted == 0 })
	})
	for i := range a.Seen {
		a.Seen[i].tell(l.panels[a.Seen[i].ID], a)
	}
	return err
}

// each calls do for all panels at once, and returns the first panel's error that there is.
func (a *play) each(do func(p *panel, s *sight) error) error {
	errs := make([]error, len(a.panels))
	var all sync.WaitGroup
	for i, p := range a.panels {
		all.Go(func() { errs[i] = do(p, &a.Seen[i]) })
	}
	all.Wait()
	return cmp.Or(errs...)
}

// make makes a step.
func (a *play) make(ctx context.Context, l *lab, s step) error {
	now := l.clock.ms()
	if do := controls[s.Do]; do != nil {
		return a.each(func(p *panel, saw *sight) error {
			p.do(func() { do(p) })
			saw.notes = append(saw.notes, note{now, map[string]string{"interrupt": "Ctrl-C", "leave": "they leave"}[s.Do]})
			return nil
		})
	}
	if s.Do == "look" || s.Do == "wait" {
		return a.each(func(p *panel, saw *sight) (err error) {
			dumps := 0
			p.do(func() { dumps = p.dumps })
			err = p.await(ctx, func() bool { return p.dumps >= dumps+2 || !p.Go })
			if s.Do == "look" {
				p.do(func() {
					text := fmt.Sprintf("goroutine 1 is in %s [%s]; the server has %d threads, %d of them held by visitors",
						p.seen.Place, p.seen.Wait, p.seen.Threads, p.seen.Held)
					saw.notes = append(saw.notes, note{now, text})
				})
			}
			return err
		})
	}
	n, kind := 1, s.Do
	fmt.Sscanf(s.Do, "%d %s", &n, &kind)
	g := group{kind, l.invite(kind, n), now}
	a.guests = append(a.guests, g)
	return a.each(func(p *panel, _ *sight) error {
		p.do(func() { p.send(kind, g.names) })
		return nil
	})
}

// await waits until all visitors have sent, the server has been quiet since, and cond holds. It gives
// up when the server has ended, or when nothing has happened to anybody for so long that nothing more
// will. It is called by others than the panel's goroutine, which calls cond.
func (p *panel) await(ctx context.Context, cond func() bool) error {
	const most = 10 // times that a server may turn out to be busy
	for busy, rested := 0, false; busy < most; {
		var s *server.Server
		over, sent := false, false
		p.do(func() {
			p.next = time.Time{} // what is seen of the server is new, too
			p.look()
			over = p.recorder == nil || rested && (cond() || p.idle())
			sent = p.recorder != nil && !p.recorder.Underway()
			s = p.server
		})
		if over || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// Who sends after the look may do so after the server has been quiet.
		rested = s.AwaitQuiet(server.Settled)
		if !rested && !s.Exited() {
			busy++
		}
		rested = rested && sent
	}
	return fmt.Errorf("%s is busy all the time.", p.Stage.Folder)
}

// idle says whether nothing has happened to the visitors for so long that nothing more will.
func (p *panel) idle() bool {
	return p.recorder.Now()-p.recorder.Stirred > seconds(p.Slow+p.Patience)+server.Idle
}

// judge finds the right choices, and says why it does not count if there is none.
func (a *play) judge() error {
	i := slices.IndexFunc(a.panels, func(p *panel) bool { return p.Stage.Number == a.Stage })
	if i < 0 {
		if a.Chosen >= 0 {
			return fmt.Errorf("Stage %d took no part.", a.Stage)
		}
		return nil
	}
	for n, choice := range a.act.Choices {
		if regexp.MustCompile(choice.When).MatchString(a.Seen[i].Seen) {
			a.Right = append(a.Right, n)
		}
	}
	lanes, _ := a.panels[i].lab.board.between(i, a.From, a.panels[i].lab.clock.ms())
	for n, s := range a.act.Steps {
		j := slices.IndexFunc(lanes, func(l lane) bool { return l.kind == s.While })
		if j >= 0 && lanes[j].Over > 0 && lanes[j].Over < a.Steps[n] {
			return fmt.Errorf("%s had gone before step %d: this machine is too busy.", lanes[j].Name, n+1)
		}
	}
	if len(a.Right) == 0 {
		return errors.New("What happened fits none of the answers.")
	}
	return nil
}

// tell says what was seen of a panel in an act, in the order in which it happened, and why.
func (s *sight) tell(p *panel, a *play) {
	now := p.lab.clock.ms()
	lanes, samples := p.lab.board.between(p.ID, a.From, now)
	last := samples[len(samples)-1]
	left := last.Counts
	notes := s.notes
	for _, g := range a.guests {
		i := slices.IndexFunc(lanes, func(l lane) bool { return l.Name == g.names[0] })
		switch {
		case i < 0:
			notes = append(notes, note{g.at, g.names[0] + " finds no server"})
		case len(g.names) == 1:
			l := lanes[i]
			notes = append(notes, note{l.Arrived, l.Name + " comes"})
			if l.Over > 0 {
				notes = append(notes, note{l.Over, l.Name + " " + string(l.Kind)})
				left[l.Kind]--
			} else {
				notes = append(notes, note{now, l.Name + " is still there"})
			}
		default:
			notes = append(notes, note{g.at, fmt.Sprintf("%d %s come", len(g.names), g.kind)})
			notes = append(notes, ofGroup(g, lanes)...)
		}
	}
	for kind, n := range left {
		if n > 1 {
			notes = append(notes, note{now, fmt.Sprintf("%d %s", n, kind.Word())})
		}
	}
	if last.State == "ended" {
		notes = append(notes, note{now, "i" + strings.TrimSuffix(last.Says[1:], ".")})
	} else if p.interrupted > 0 {
		notes = append(notes, note{now, "the server goes on"})
	}
	slices.SortStableFunc(notes, func(a, b note) int { return cmp.Compare(a.at, b.at) })
	var parts []string
	for _, n := range notes {
		parts = append(parts, n.text)
	}
	s.Seen, s.Why = strings.Join(parts, "; "), because(p, lanes, samples, now)
}

// ofGroup notes how many of a group were being served when the first of them was done.
func ofGroup(g group, lanes []lane) []note {
	first, together := int64(0), 0
	for _, l := range lanes {
		if l.kind == g.kind && l.Over > 0 && (first == 0 || l.Over < first) {
			first = l.Over
		}
	}
	for _, l := range lanes {
		if l.kind == g.kind && l.Served > 0 && l.Served < first {
			together++
		}
	}
	if together == 0 {
		return nil
	}
	return []note{{first, fmt.Sprintf("%d of them served at the same time", together)}}
}

// because says why it was so, in sentences that are made of what was seen.
func because(p *panel, lanes []lane, samples []sample, now int64) string {
	var why []string
	say := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	s := func(ms int64) float64 { return float64(ms) / 1000 }
	last := samples[len(samples)-1]
	most := slices.MaxFunc(samples, func(a, b sample) int {
		return cmp.Or(cmp.Compare(a.Held, b.Held), cmp.Compare(a.Total, b.Total))
	})
	const short, crowd = 250, 20 // ms, which nobody notices; and goroutines
	if len(lanes) > 0 && p.Go {
		l := slices.MaxFunc(lanes, func(a, b lane) int { return cmp.Compare(a.waited(now)-a.Arrived, b.waited(now)-b.Arrived) })
		waited := l.waited(now) - l.Arrived
		if waited < short {
			l = lanes[len(lanes)-1]
			if where, _ := whereabouts(samples, l.Arrived, l.Arrived+1); where != "" {
				say("Nobody waited: when %s came, goroutine 1 was %s.", l.Name, where)
			}
		} else if where, accepts := whereabouts(samples, l.Arrived, l.Arrived+waited); accepts {
			say("%s waited %.1f s, although goroutine 1 was %s.", l.Name, s(waited), where)
		} else {
			say("%s waited %.1f s; all that time goroutine 1 was %s, so nobody was in Accept.", l.Name, s(waited), where)
		}
	}
	switch kept := last.Threads - samples[0].Threads; {
	case most.Held >= crowd && last.Here == 0 && kept >= crowd:
		say("%d visitors held a thread each. They have gone, and the server still has %d threads: Go keeps them.", most.Held, last.Threads)
	case most.Held >= crowd:
		say("%d visitors held a thread each.", most.Held)
	case most.Total >= crowd:
		say("%d goroutines waited, and were parked: visitors held %d threads.", most.Total, most.Held)
	}
	for _, l := range lanes {
		if l.Kind == "is dropped" && p.interrupted == 0 {
			say("%s was dropped %.1f s after it came: the server's patience is %v s.", l.Name, s(l.Over-l.Arrived), p.Patience)
			break
		}
	}
	if last.State == "ended" && p.interrupted > 0 {
		how := "whoever was there"
		if p.Well {
			how = "when it had no visitor left"
		}
		say("%.1f s after Ctrl-C the server ended, %s.", s(last.At-p.interrupted), how)
	} else if last.State == "ended" {
		say("%s %s", last.Says, strings.SplitN(p.Words, "\n", 2)[0])
	}
	return strings.Join(why, " ")
}

// whereabouts says where goroutine 1 was between two times, as in "first in A [sleep], then in B [syscall]",
// and whether it was in Accept at all.
func whereabouts(samples []sample, from, to int64) (where string, accepts bool) {
	var places []string
	for i, s := range samples {
		until := to
		if i+1 < len(samples) {
			until = min(to, samples[i+1].At)
		}
		place := fmt.Sprintf("in %s [%s]", s.Place, s.Wait)
		const glimpse = 200 // ms, of many
		if until <= max(s.At, from) || s.Place == "" || to-from > glimpse && until-max(s.At, from) < glimpse {
			continue
		}
		accepts = accepts || s.Place == "Accept"
		if !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	if len(places) > 1 {
		places[0] = "first " + places[0]
	}
	return strings.Join(places, ", then "), accepts
}
