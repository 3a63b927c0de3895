package main

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/server"
)

// A question is answered by what a server does: its visitors are sent, and then each
// choice is held against what came of them. No answer is written down.
type question struct {
	ID      int      `json:"id"`
	Stage   int      `json:"stage"`
	Stages  []int    `json:"stages,omitempty"` // in the file: who is asked
	Asks    string   `json:"asks"`
	Steps   []string `json:"steps"` // what is done, each when the server has come to rest
	Choices []choice `json:"choices"`
	Page    string   `json:"page"` // where the book speaks of it, in the stage's page
}

// A choice is right when all that follows, between commas, is so: see seen.is.
type choice struct {
	Says string `json:"says"`
	When string `json:"when"`
}

//go:embed questions.json
var questionsFile []byte

// questions are all questions, stage by stage.
var questions = func() (all []question) {
	var file []question
	if err := json.Unmarshal(questionsFile, &file); err != nil {
		panic(err)
	}
	for stage := range 6 {
		for _, q := range file {
			if slices.Contains(q.Stages, stage) {
				q.ID, q.Stage, q.Stages = len(all), stage, nil
				all = append(all, q)
			}
		}
	}
	return all
}()

// What was seen of a server.
type seen struct {
	view               // when all was over
	before, while view // before the visitors came, and at the step "look"
	size          int  // how many came in the largest group
}

func (s seen) holds(when string) bool {
	for part := range strings.SplitSeq(when, ", ") {
		part, negated := strings.CutPrefix(part, "not ")
		if s.is(part) == negated {
			return false
		}
	}
	return true
}

// is says whether one thing was so, such as "quick before slow".
func (s seen) is(what string) bool {
	subject, rest, _ := strings.Cut(what, " ")
	l := s.visit(subject)
	answered := l.Kind == "is answered"
	switch predicate, object, _ := strings.Cut(rest, " "); {
	case subject == "server" && rest == "runs":
		return s.State == "running"
	case subject == "server": // succeeds
		return strings.Contains(s.Says, "exit status 0")
	case subject == "goroutine1": // and where it was
		return strings.Contains(s.while.Facts.Goroutine1, predicate+" "+object)
	case subject == "threads": // at least one for two visitors
		return s.while.Facts.Threads-s.before.Facts.Threads >= s.size/2
	case predicate == "before": // is answered when the other's visit has not ended
		other := s.visit(object)
		return answered && (other.Over == 0 || l.Over < other.Over)
	case predicate == "together": // the last is being served before the first is answered
		served, over := int64(0), l.Over
		for _, l := range s.Lanes {
			answered = answered && l.Kind == "is answered" && l.Served > 0
			served, over = max(served, l.Served), min(over, l.Over)
		}
		return answered && served < over
	}
	return l.Kind == "is "+rest
}

// visit returns the lane of the first visitor of a kind.
func (s seen) visit(kind string) lane {
	i := slices.IndexFunc(s.Lanes, func(l lane) bool { return strings.HasPrefix(l.Name, kind+" ") })
	if i < 0 {
		return lane{}
	}
	return s.Lanes[i]
}

// A prediction is a question that has been answered, or is being.
type prediction struct {
	Question int    `json:"question"`
	Chosen   int    `json:"chosen"`
	Done     bool   `json:"done"`
	Right    []int  `json:"right"` // the choices that hold
	Seen     string `json:"seen"`  // in a sentence
}

// predict has a question answered by its stage, if it is there and no other one is
// being answered.
func (l *lab) predict(n, chosen int) error {
	if n < 0 || n >= len(questions) || chosen < 0 || chosen >= len(questions[n].Choices) {
		return fmt.Errorf("there is no such question, or no such choice")
	}
	p := l.stage(questions[n].Stage)
	if p == nil {
		return fmt.Errorf("stage %d is not in this lab", questions[n].Stage)
	}
	var busy bool
	l.change(func() {
		if busy = l.view.Prediction != nil && !l.view.Prediction.Done; !busy {
			l.view.Prediction = &prediction{Question: n, Chosen: chosen, Right: []int{}}
			l.version++
		}
	})
	if busy {
		return fmt.Errorf("another question is being answered")
	}
	go func() {
		s := p.play(questions[n])
		result := &prediction{Question: n, Chosen: chosen, Done: true, Right: []int{}, Seen: s.sentence()}
		for c, choice := range questions[n].Choices {
			if s.holds(choice.When) {
				result.Right = append(result.Right, c)
			}
		}
		l.change(func() { l.view.Prediction = result; l.version++ })
	}()
	return nil
}

// play starts the server anew and does the steps of a question. Each is done when the one
// before has come to rest: nothing depends on how fast that is.
func (p *panel) play(q question) seen {
	p.do(p.restart)
	p.rest(server.Settled)
	p.freshFacts()
	s := seen{before: p.look()}
	for _, step := range q.Steps {
		var n int
		kind := step
		if _, err := fmt.Sscanf(step, "%d %s", &n, &kind); err != nil {
			n = 1
		}
		switch {
		case step == "look":
			p.freshFacts()
			s.while = p.look()
		case step == "the silent leave":
			p.leave("silent", false)
		case step == "ctrl-c":
			p.signal(syscall.SIGINT)
		default:
			s.size = max(s.size, n)
			p.send(p.lab.guests(kind, n))
		}
		p.do(func() {}) // done, and seen
		p.rest(server.Settled)
	}
	slow, patience := p.lab.times()
	p.await(slow+patience+server.Idle, func(v view) bool { return v.Here == 0 && (v.State != "running" || !slices.Contains(q.Steps, "ctrl-c")) })
	s.view = p.look()
	return s
}

// rest waits until all who are to come have come, and the server has been quiet.
func (p *panel) rest(quiet time.Duration) {
	for more := true; more && p.lab.ctx.Err() == nil; {
		p.do(func() { more = len(p.expected) > 0 })
	}
	if s := p.running(); s != nil {
		s.AwaitQuiet(quiet)
	}
	p.do(func() {}) // what has come of it is in the view
	p.do(func() {})
}

func (p *panel) await(quiet time.Duration, cond func(view) bool) {
	if s := p.running(); s != nil {
		s.Await(quiet, func() bool { return cond(p.look()) || p.lab.ctx.Err() != nil })
	}
	p.do(func() {})
	p.do(func() {})
}

func (p *panel) running() (s *server.Server) {
	p.do(func() { s = p.server })
	return s
}

// freshFacts waits until the server has been looked at from now on.
func (p *panel) freshFacts() {
	looks := p.look().Facts.Looks
	for v := p.look(); v.Facts.Looks < looks+2 && v.State == "running" && p.lab.ctx.Err() == nil; v = p.look() {
		select {
		case p.stirred <- struct{}{}:
		default:
		}
		time.Sleep(resolution)
	}
}

// sentence says what came of the visitors, and of the server.
func (s seen) sentence() string {
	var parts []string
	lanes := slices.Clone(s.Lanes)
	slices.SortStableFunc(lanes, func(a, b lane) int { return cmp.Compare(uint64(a.Over-1), uint64(b.Over-1)) }) // who is there comes last
	for i, l := range lanes {
		switch {
		case len(lanes) > 3:
			parts = []string{fmt.Sprintf("%d visitors came", len(lanes))}
		case l.Over == 0:
			parts = append(parts, l.Name+" is still there")
		case i > 0:
			parts = append(parts, "then "+l.Name+" "+l.Kind)
		default:
			parts = append(parts, l.Name+" "+l.Kind)
		}
	}
	if s.while.Facts.Goroutine1 != "" && len(s.Lanes) == 1 {
		parts = append(parts, "goroutine 1 was "+s.while.Facts.Goroutine1)
	} else if s.while.Facts.Threads > 0 {
		parts = append(parts, fmt.Sprintf("there were %d threads with them, and %d without", s.while.Facts.Threads, s.before.Facts.Threads))
	}
	if s.State != "running" && s.Says != "" {
		parts = append(parts, strings.ToLower(s.Says[:1])+strings.TrimSuffix(s.Says[1:], "."))
	}
	return strings.Join(parts, "; ") + "."
}
