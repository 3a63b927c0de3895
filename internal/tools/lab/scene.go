package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

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
	Choices  []struct {
		Answer string `json:"answer"`
		When   string `json:"when"`
	} `json:"choices"`
	Steps []step `json:"steps"`
}

type step struct {
	Do      string `json:"do"` // what a button does, "look", "wait", or visitors, as in "20 slow"
	Caption string `json:"caption"`
}

// visitors returns how many visitors of which kind come, if any do.
func (s step) visitors() (n int, kind string, come bool) {
	n, kind = 1, s.Do
	fmt.Sscanf(s.Do, "%d %s", &n, &kind)
	_, come = requests[kind]
	return n, kind, come
}

// A performance is an act that is being played, or has been. Times are in milliseconds of the lab's clock.
type performance struct {
	Scene  int       `json:"scene"`
	Act    int       `json:"act"`
	Stage  int       `json:"stage"`
	State  string    `json:"state"`  // playing, done, or void if it did not count
	Reason string    `json:"reason"` // why it did not count
	From   int64     `json:"from"`
	Steps  []int64   `json:"steps"` // when each was made
	Right  []int     `json:"right"` // the choices that were
	Seen   []outcome `json:"seen"`

	act    act
	panels []*panel
	stop   context.CancelCauseFunc
}

// An outcome is what was seen of a panel, and why it was so.
type outcome struct {
	ID   int    `json:"id"`
	Seen string `json:"seen"`
	Why  string `json:"why"`
}

// play begins to play an act. It returns false if there is none, or another is being played.
func (l *lab) play(scene, number, stage int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.playing != nil || scene < 0 || scene >= len(l.scenes) || number < 0 || number >= len(l.scenes[scene].Acts) {
		return false
	}
	ctx, stop := context.WithCancelCause(context.Background())
	a := &performance{Scene: scene, Act: number, Stage: stage, State: "playing", act: l.scenes[scene].Acts[number], stop: stop}
	for _, p := range l.panels {
		if to := a.act.To; len(to) == 0 || slices.Contains(to, p.Stage.Number) {
			a.panels = append(a.panels, p)
		}
	}
	asked := slices.IndexFunc(a.panels, func(p *panel) bool { return p.Stage.Number == stage })
	if asked < 0 {
		return false
	}
	l.playing = a
	go func() {
		err := l.perform(ctx, a)
		if err == nil {
			a.Right = a.act.right(a.Seen[asked].Seen)
			if len(a.Right) == 0 {
				err = errors.New("What happened fits none of the answers.")
			}
		}
		if a.State = "done"; err != nil {
			a.State, a.Reason = "void", err.Error()
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.playing = nil
		l.board.put("scene", "scene", a, 0)
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

// perform starts the servers anew and makes the steps. A step is made when all servers have come to rest
// after the one before: only the show depends on how fast that is.
func (l *lab) perform(ctx context.Context, a *performance) error {
	err := a.each(func(p *panel) (err error) {
		p.do(func() {
			p.Slow, p.Patience = a.act.Slow, a.act.Patience
			if p.start(); p.recorder == nil {
				err = fmt.Errorf("%s does not run.", p.Stage.Folder)
			}
		})
		return err
	})
	a.From = l.clock.ms()
	for _, s := range a.act.Steps {
		l.board.put("scene", "scene", a, 0)
		select {
		case <-time.After(l.pace):
		case <-ctx.Done():
		}
		atRest := func(p *panel) error { return p.await(ctx, func(*panel) bool { return true }) }
		if err = cmp.Or(err, a.each(atRest)); err != nil {
			return err
		}
		a.Steps = append(a.Steps, l.clock.ms())
		do := controls[s.Do]
		if n, kind, come := s.visitors(); come {
			do = func(p *panel) { p.send(kind, n) }
		}
		for _, p := range a.panels {
			if do != nil {
				p.press(s.Do, do)
			}
		}
	}
	l.board.put("scene", "scene", a, 0)
	gone := func(p *panel) bool {
		ends := p.interrupted > 0 && p.recorder.Now()-p.recorder.LastEvent < server.GiveUpAfter // or may
		return p.recorder.Here() == 0 && !ends
	}
	err = a.each(func(p *panel) error { return p.await(ctx, gone) })
	for _, p := range a.panels {
		p.do(func() { a.Seen = append(a.Seen, outcome{p.ID, a.describe(p), because(p)}) })
	}
	return err
}

// each calls do for all panels at once, and returns the first error that there is.
func (a *performance) each(do func(p *panel) error) error {
	var all errgroup.Group
	for _, p := range a.panels {
		all.Go(func() error { return do(p) })
	}
	return all.Wait()
}

// await waits until all visitors have sent, the server has been quiet since, and cond holds. It gives
// up when the server has ended, or when nothing has happened to a visitor for so long that nothing more
// will. The panel's own goroutine must not call it: it is the one that calls cond.
func (p *panel) await(ctx context.Context, cond func(p *panel) bool) error {
	const busyLimit = 10 // times that a server may turn out to be busy
	for busy, rested := 0, false; busy < busyLimit; {
		var s *server.Server
		over, sent := false, false
		p.do(func() {
			p.next = time.Time{} // what is seen of the server is new, too
			p.look()
			s, over = p.server, p.recorder == nil
			if !over {
				idle := p.recorder.Now()-p.recorder.LastEvent > seconds(p.Slow+p.Patience)+server.GiveUpAfter
				sent, over = !p.recorder.Underway, rested && (cond(p) || idle)
			}
		})
		if over || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// A visitor who had not sent at the look may do so when the server has been quiet for long.
		rested = s.AwaitQuiet(server.SettleTime)
		if !rested && !s.Exited() {
			busy++
		}
		rested = rested && sent
	}
	return fmt.Errorf("%s is busy all the time.", p.Stage.Folder)
}

// right returns the choices that what was seen of a panel makes right.
func (a act) right(seen string) (right []int) {
	for n, choice := range a.Choices {
		if regexp.MustCompile(choice.When).MatchString(seen) {
			right = append(right, n)
		}
	}
	return right
}

// describe says what was seen of a server in an act, in the order in which it happened.
func (a *performance) describe(p *panel) string {
	lanes, last := p.lanes, p.samples[len(p.samples)-1]
	type note struct {
		at   int64
		text string
	}
	var notes []note
	add := func(at int64, format string, args ...any) {
		notes = append(notes, note{at, fmt.Sprintf(format, args...)})
	}
	for i, s := range a.act.Steps {
		at := a.Steps[i]
		n, kind, come := s.visitors()
		came := slices.ContainsFunc(lanes, func(l *lane) bool { return strings.HasPrefix(l.Name, kind) && l.Arrived >= at })
		switch {
		case s.Do == "interrupt":
			add(at, "Ctrl-C")
		case s.Do == "look":
			seen := p.samples[0]
			for _, sample := range p.samples {
				if sample.At <= at {
					seen = sample
				}
			}
			add(at, "goroutine 1 is in %s [%s]; the server has %d threads, %d of them held by visitors",
				seen.Place, seen.Wait, seen.Threads, seen.Held)
		case come && !came:
			add(at, "%s 1 finds no server", kind)
		case come && n > 1:
			add(at, "%d %s come", n, kind)
			for _, k := range slices.Sorted(maps.Keys(last.Counts)) {
				add(last.At, "%d %s", last.Counts[k], k.Word())
			}
			if p.atOnce > 0 {
				add(last.At, "%d of them served at the same time", p.atOnce)
			}
		}
	}
	for _, l := range lanes {
		if len(lanes) >= crowd && !strings.HasPrefix(l.Name, "quick") {
			continue
		}
		if add(l.Arrived, "%s comes", l.Name); l.Over > 0 {
			add(l.Over, "%s %s", l.Name, l.Kind)
		} else {
			add(last.At, "%s is still there", l.Name)
		}
	}
	if last.State == "ended" {
		add(last.At, "it has %s", strings.TrimSuffix(strings.TrimPrefix(last.Status, "It has "), "."))
	} else if p.interrupted > 0 {
		add(last.At, "the server goes on")
	}
	slices.SortStableFunc(notes, func(a, b note) int { return cmp.Compare(a.at, b.at) })
	text := ""
	for _, n := range notes {
		text += "; " + n.text
	}
	return strings.TrimPrefix(text, "; ")
}
