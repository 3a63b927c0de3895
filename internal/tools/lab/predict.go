package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
)

// A question is answered by what a server does: the steps are done, and what is then seen is
// said in a sentence. A choice is right when the sentence matches its regular expression. No
// answer is written down.
type question struct {
	Steps   []string
	Choices []struct{ When string }
}

// A prediction is a question that has been answered, or is being.
type prediction struct {
	Stage    int    `json:"stage"`
	Question int    `json:"question"`
	Chosen   int    `json:"chosen"`
	Seen     string `json:"seen"`  // what was, in a sentence; empty until then
	Right    []int  `json:"right"` // the choices that are
}

// predict has a question answered by a stage. It returns false if there is no such question, or
// another one is being answered.
func (l *lab) predict(a prediction) bool {
	i := slices.IndexFunc(l.panels, func(p *panel) bool { return p.Stage.Number == a.Stage })
	if i < 0 || a.Question < 0 || a.Question >= len(l.questions) || !l.predicting.TryLock() {
		return false
	}
	l.update(0, "prediction", &a, func() {})
	go func() {
		defer l.predicting.Unlock()
		q := l.questions[a.Question]
		seen := l.panels[i].play(q.Steps)
		l.update(0, "prediction", &a, func() {
			a.Seen = seen
			for i, choice := range q.Choices {
				if regexp.MustCompile(choice.When).MatchString(seen) {
					a.Right = append(a.Right, i)
				}
			}
		})
	}()
	return true
}

// play starts the server anew, does the steps, and says in a sentence what was seen. A step
// is done when the server has come to rest after the one before: nothing depends on how
// fast that is.
func (p *panel) play(steps []string) string {
	p.do(p.restart)
	rested := func() bool { return true }
	var parts []string
	for _, step := range steps {
		before := p.await(rested)
		if do := controls[step]; do != nil {
			p.do(func() { do(p) })
		} else if step == "look" {
			with := p.await(func() bool { return p.dumps >= before.dumps+2 })
			parts = append(parts, "goroutine 1 was "+with.Goroutine1,
				fmt.Sprintf("the server had %d threads", with.Threads))
		} else {
			n, kind := 1, step
			fmt.Sscanf(step, "%d %s", &n, &kind)
			names := p.lab.invite(kind, n)
			p.do(func() { p.send(kind, names) })
		}
	}
	end := p.await(func() bool { return p.Here == 0 && !p.interrupted })
	return strings.Join(append(parts, end.fates()...), "; ") + "."
}

// await waits until all visitors have sent, the server has been quiet, and cond holds. It gives
// up when the server has ended, or when nothing has happened to anybody for so long that nothing
// more will. It returns what was seen of the server by then.
func (p *panel) await(cond func() bool) (r run) {
	for quiet := false; ; quiet = true {
		over := false
		p.do(func() {
			p.next = time.Time{} // what is seen of the server is new, too
			p.look()
			quiet = quiet && p.recorder != nil && !p.recorder.Underway()
			r = p.run
			r.Lanes = slices.Clone(r.Lanes)
			idle := p.recorder != nil && p.lab.idle(p.recorder) > time.Duration(p.Slow+p.Patience)*time.Second+server.Idle
			over = p.recorder == nil || quiet && (cond() || idle)
		})
		if over {
			return r
		}
		r.server.AwaitQuiet(server.Settled)
	}
}

// idle is how long nothing has happened to the visitors of a recorder.
func (l *lab) idle(r *timeline.Recorder) time.Duration { return r.Now() - r.Stirred }

// fates says what came of the visitors, each of whom has a lane, and of the server.
func (r run) fates() (parts []string) {
	// In the order in which they ended; who is still there, with 0, comes last.
	slices.SortStableFunc(r.Lanes, func(a, b lane) int {
		return cmp.Compare(uint64(a.Over-1), uint64(b.Over-1))
	})
	together := 0
	for _, l := range r.Lanes {
		if l.Over == 0 {
			l.Kind = "is still there"
		}
		parts = append(parts, l.Name+" "+string(l.Kind))
		if l.Served > 0 && l.Served < r.Lanes[0].Over {
			together++
		}
	}
	const few = 3 // of whom each one's fate is said
	if n := len(r.Lanes); n > few {
		parts = []string{fmt.Sprintf("%d visitors came", n),
			fmt.Sprintf("%d of them were being served when the first was done", together)}
	}
	if r.State != "running" && r.Says != "" {
		parts = append(parts, strings.ToLower(r.Says[:1])+strings.TrimSuffix(r.Says[1:], "."))
	} else if r.interrupted {
		parts = append(parts, "the server goes on")
	}
	return parts
}
