package main

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
)

// A question is answered by what a server does: its visitors are sent, and then each
// choice is held against what came of them. No answer is written down.
type question struct {
	Stage   int
	Asks    string
	Steps   []string // what is done, each when the server has done all it had to; see play
	Choices []choice
	Page    string // where the book speaks of it, in the stage's page
}

// A choice holds or does not hold of what has been seen.
type choice struct {
	Says  string
	holds func(seen) bool
}

// What was seen of a server.
type seen struct {
	view               // when all was over
	before, while view // before the visitors came, and at the step "look"
	size          int  // how many came in the largest group
}

// visit returns the lane of the first visitor of a kind.
func (s seen) visit(kind string) lane {
	for _, l := range s.Lanes {
		if strings.HasPrefix(l.Name, kind+" ") {
			return l
		}
	}
	return lane{}
}

// came says what happened last to the visitors of a kind.
func came(visitor string, kind timeline.Kind) func(seen) bool {
	return func(s seen) bool { return s.visit(visitor).Kind == string(kind) }
}

// sooner says that one visitor is answered, and when another's visit has not ended yet.
func sooner(one, other string) func(seen) bool {
	return func(s seen) bool {
		a, b := s.visit(one), s.visit(other)
		return a.Kind == string(timeline.Answered) && (b.Over == 0 || a.Over < b.Over)
	}
}

// notSooner says that one visitor is answered, and another's visit has ended by then.
func notSooner(one, other string) func(seen) bool {
	return func(s seen) bool {
		return s.visit(one).Kind == string(timeline.Answered) && !sooner(one, other)(s)
	}
}

func not(f func(seen) bool) func(seen) bool { return func(s seen) bool { return !f(s) } }

func both(f, g func(seen) bool) func(seen) bool {
	return func(s seen) bool { return f(s) && g(s) }
}

// mainIs says where goroutine 1 was: what it says contains each of the words.
func mainIs(words ...string) func(seen) bool {
	return func(s seen) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(s.while.Facts.Goroutine1, w) })
	}
}

// threadEach says that there were more threads by half the visitors at least.
func threadEach(s seen) bool {
	return s.while.Facts.Threads-s.before.Facts.Threads >= s.size/2
}

// together says that all slow visitors were being served before the first was answered.
func together(s seen) bool {
	served, over := int64(0), int64(0)
	for _, l := range s.Lanes {
		if l.Served == 0 || l.Kind != string(timeline.Answered) {
			return false
		}
		served = max(served, l.Served)
		if over == 0 || l.Over < over {
			over = l.Over
		}
	}
	return len(s.Lanes) > 1 && served < over
}

func runs(s seen) bool     { return s.State == "running" }
func exits0(s seen) bool   { return strings.Contains(s.Says, "exit status 0") }
func isKilled(s seen) bool { return s.State == "ended" && !exits0(s) }

var (
	order = func(stage int) question {
		return question{stage, "A slow visitor comes, and then a quick one. When is the quick one answered?",
			[]string{"slow", "quick"}, []choice{
				{"Before the slow one is", sooner("quick", "slow")},
				{"Not before the slow one is", notSooner("quick", "slow")},
				{"Never", not(came("quick", timeline.Answered))},
			}, "run-it"}
	}
	behindSilence = func(stage int) question {
		return question{stage, "A silent visitor comes, and then a quick one; later the silent one leaves. When is the quick one answered?",
			[]string{"silent", "quick", "the silent leave"}, []choice{
				{"While the silent one is still there", sooner("quick", "silent")},
				{"When the silent one is gone", notSooner("quick", "silent")},
				{"Never", not(came("quick", timeline.Answered))},
			}, "what-goes-wrong"}
	}
	whereIsMain = func(stage int) question {
		return question{stage, "Where is goroutine 1 while a slow visitor is being served?",
			[]string{"slow", "look"}, []choice{
				{"In the handler, asleep", mainIs("handleConnection", "[sleep]")},
				{"Awaiting the handler", mainIs("await", "[chan receive]")},
				{"In Accept, and it holds a thread", mainIs("in Accept [syscall]")},
				{"In Accept, parked, and it holds nothing", mainIs("in Accept [IO wait]")},
			}, "where-is-goroutine-1"}
	}
	threads = func(stage int) question {
		return question{stage, "100 visitors come and say nothing. How many threads does the server need for them?",
			[]string{"100 silent", "look", "the silent leave"}, []choice{
				{"About 100", threadEach},
				{"A few at most", not(threadEach)},
			}, "what-goes-wrong"}
	}
	interrupted = func(stage int) question {
		return question{stage, "A slow visitor is being served, and somebody presses Ctrl-C. What then?",
			[]string{"slow", "ctrl-c"}, []choice{
				{"The slow one is still answered, and the server ends with status 0", both(came("slow", timeline.Answered), exits0)},
				{"The server ends at once, and the slow one gets no answer", both(not(came("slow", timeline.Answered)), not(runs))},
				{"The server goes on", runs},
			}, "what-goes-wrong"}
	}
	staysSilent = func(stage int) question {
		return question{stage, "A visitor comes, says nothing, and stays. What becomes of them?",
			[]string{"silent"}, []choice{
				{"The server drops them after a while", came("silent", timeline.Dropped)},
				{"They stay as long as they like", not(came("silent", timeline.Dropped))},
			}, "what-goes-wrong"}
	}
)

// questions are asked in this order.
var questions = []question{
	order(1), behindSilence(1), whereIsMain(1), interrupted(1),
	order(2), whereIsMain(2),
	order(3), behindSilence(3), threads(3), interrupted(3),
	{3, "Twenty slow visitors come at the same moment. Who of them is being served when the first is answered?",
		[]string{"20 slow"}, []choice{
			{"All of them", together},
			{"That one alone, or some of them", not(together)},
		}, "run-it"},
	threads(4), staysSilent(4), interrupted(4),
	whereIsMain(5),
	{5, "A silent visitor is there, and somebody presses Ctrl-C. What then?",
		[]string{"silent", "ctrl-c"}, []choice{
			{"The silent one is dropped, and the server ends with status 0", both(came("silent", timeline.Dropped), exits0)},
			{"The server is ended by it, and the silent one is lost", isKilled},
			{"The server goes on", runs},
		}, "what-goes-wrong"},
	{5, "A visitor sends half a request, and then nothing more. What becomes of them?",
		[]string{"half"}, []choice{
			{"The server answers, with an error", came("half", timeline.Answered)},
			{"The server drops them after a while", came("half", timeline.Dropped)},
			{"They stay as long as they like", func(s seen) bool { return s.visit("half").Over == 0 }},
		}, "what-goes-wrong"},
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
	i := slices.IndexFunc(l.panels, func(p *panel) bool { return p.stage != nil && p.stage.Number == questions[n].Stage })
	if i < 0 {
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
		s := l.panels[i].play(questions[n])
		result := &prediction{Question: n, Chosen: chosen, Done: true, Right: []int{}, Seen: s.sentence()}
		for c, choice := range questions[n].Choices {
			if choice.holds(s) {
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
	if len(s.Lanes) <= 3 {
		for _, l := range s.Lanes {
			kind := l.Kind
			if l.Over == 0 {
				kind = "is still there"
			}
			parts = append(parts, l.Name+" "+kind)
		}
	} else {
		parts = append(parts, fmt.Sprintf("%d visitors came", len(s.Lanes)))
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
