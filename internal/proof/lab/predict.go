package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/server"
)

// A question is answered by what a server does: the steps are done, and what is then seen is
// said in a sentence. A choice is right when the sentence matches its regular expression. No
// answer is written down.
type question struct {
	Stages  []int
	Steps   []string
	Choices []struct{ When string }
}

// questions are those of page/questions.json, which has the words for the reader as well.
var questions = func() (all []question) {
	text, err := page.ReadFile("page/questions.json")
	if err = errors.Join(err, json.Unmarshal(text, &all)); err != nil {
		panic(err)
	}
	return all
}()

// A prediction is a question that has been answered, or is being.
type prediction struct {
	Stage    int    `json:"stage"`
	Question int    `json:"question"`
	Chosen   int    `json:"chosen"`
	Seen     string `json:"seen"`  // what was, in a sentence; empty until then
	Right    []int  `json:"right"` // the choices that are
}

// predict has a question answered by a stage, if no other one is being answered.
func (l *lab) predict(a prediction) error {
	i := slices.IndexFunc(l.panels, func(p *panel) bool { return p.view.Number == a.Stage })
	if i < 0 || a.Question < 0 || a.Question >= len(questions) {
		return fmt.Errorf("there is no such question")
	}
	if !l.predicting.TryLock() {
		return fmt.Errorf("another question is being answered")
	}
	begun := a
	l.update(func(v *labView) { v.Prediction = &begun })
	go func() {
		defer l.predicting.Unlock()
		q := questions[a.Question]
		a.Seen = l.panels[i].play(q.Steps)
		for i, choice := range q.Choices {
			if regexp.MustCompile(choice.When).MatchString(a.Seen) {
				a.Right = append(a.Right, i)
			}
		}
		l.update(func(v *labView) { v.Prediction = &a })
	}()
	return nil
}

// play starts the server anew, does the steps, and says in a sentence what was seen. A step
// is done when the server has come to rest after the one before: nothing depends on how
// fast that is.
func (p *panel) play(steps []string) string {
	p.do(p.restart)
	rested := func(view) bool { return true }
	before, with := p.await(rested), view{}
	for _, step := range steps {
		n, kind := 1, step
		fmt.Sscanf(step, "%d %s", &n, &kind)
		if do := controls[step]; do != nil {
			p.do(func() { do(p) })
		} else if step != "look" {
			names := p.lab.invite(kind, n)
			p.do(func() { p.send(names) })
		}
		if now := p.await(rested); step == "look" {
			with = p.await(func(v view) bool { return v.Facts.Dumps >= now.Facts.Dumps+2 })
		}
	}
	end := p.await(func(v view) bool { return v.Here == 0 && v.Interrupted.IsZero() })
	return end.sentence(before.Facts, with.Facts)
}

// await waits until all who are to come have come, the server has then been quiet, and cond
// holds. It gives up when the server has ended, or when nothing has happened to anybody for
// so long that nothing more will. It returns what the page shows then.
func (p *panel) await(cond func(view) bool) (v view) {
	slow, patience := p.lab.times()
	began := time.Now()
	for done := false; !done && p.lab.ctx.Err() == nil; time.Sleep(resolution) {
		var s *server.Server
		more := false
		p.do(func() { s, more = p.server, len(p.expected) > 0 })
		if s != nil {
			s.AwaitQuiet(server.Settled)
		}
		p.do(func() {
			p.next = time.Time{} // the facts are new, too
			p.look()
			v = p.view
			v.Lanes = slices.Clone(v.Lanes)
			idle := min(time.Since(began), time.Since(p.stirred))
			done = p.recorder == nil || !more && cond(v) || idle > slow+patience+server.Idle
		})
	}
	return v
}

// sentence says what came of the visitors and of the server, which had other facts before they
// came than with them.
func (v view) sentence(before, with facts) string {
	var parts []string
	// In the order in which they ended; who is still there, with 0, comes last.
	slices.SortStableFunc(v.Lanes, func(a, b lane) int {
		return cmp.Compare(uint64(a.Over-1), uint64(b.Over-1))
	})
	const few = 3 // of whom each one's fate is said
	together, all := 0, v.Here
	for i, l := range v.Lanes {
		if l.Over == 0 {
			l.Kind = "is still there"
		}
		if i < few {
			parts = append(parts, l.Name+" "+string(l.Kind))
		}
		if l.Served > 0 && l.Served < v.Lanes[0].Over {
			together++
		}
	}
	for _, n := range v.Counts {
		all += n
	}
	if all > few {
		parts = []string{fmt.Sprintf("%d visitors came", all)}
		if all == len(v.Lanes) {
			parts[0] += fmt.Sprintf(", and %d of them were being served when the first was done", together)
		}
	}
	if with.Threads > 0 {
		parts = append(parts, "goroutine 1 was "+with.Goroutine1,
			fmt.Sprintf("the server had %d threads more than without visitors", with.Threads-before.Threads))
	}
	if v.State != "running" && v.Says != "" {
		parts = append(parts, strings.ToLower(v.Says[:1])+strings.TrimSuffix(v.Says[1:], "."))
	} else if !v.Interrupted.IsZero() {
		parts = append(parts, "the server goes on")
	}
	return strings.Join(parts, "; ") + "."
}
