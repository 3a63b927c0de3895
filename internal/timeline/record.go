package timeline

import (
	"fmt"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

// The visitors that are sent to every server. The silent one comes while the slow one is being
// served, and stays longer; two quick ones come after it. So a server that takes one visitor at a
// time lets the first quick one wait for the slow one, and the others for the silent one as well.
var schedule = []struct {
	visitor string
	arrives float64 // its unit is the time that the slow request takes
	request string  // empty for the visitor who stays silent
}{
	{"slow", 0, visitor.Request("GET", "/sleep")},
	{"quick 1", 0.15, visitor.Request("GET", "/")},
	{"silent", 0.30, ""},
	{"quick 2", 0.45, visitor.Request("GET", "/")},
	{"quick 3", 0.60, visitor.Request("GET", "/")},
}

const (
	patience    = 0.9 // of a server that has a flag for it: the silent visitor would leave later
	leaves      = 1.7 // the silent visitor
	giveUpAfter = 3.0 // visitors who are still waiting get no answer
)

// Record starts the program, which takes so long over a slow request, sends it the visitors, and
// returns what happened to them, after at most three times as long. It kills the server in the end.
//
// An error means that the server did not listen, or that it ended before its visitors
// had left, as it does after server.KillAll. The recording has what happened until then.
func Record(p *server.Program, slow time.Duration) (Recording, error) {
	r := Recording{Server: p.Name, Slow: slow}
	scaled := func(x float64) time.Duration { return time.Duration(x * float64(slow)) }
	s, given, err := Start(p, slow, scaled(patience))
	if err != nil {
		return r, err
	}
	defer s.Kill()
	r.Patience = given
	began := time.Now()
	recorder := NewRecorder(s, func() time.Duration { return time.Since(began) },
		func(e Event) { r.Events = append(r.Events, e) })
	defer recorder.Close()

	expected := schedule
	for ; ; time.Sleep(resolution) {
		for len(expected) > 0 && recorder.Now() >= scaled(expected[0].arrives) {
			recorder.Send(expected[0].request, expected[0].visitor)
			expected = expected[1:]
		}
		if recorder.Now() >= scaled(leaves) {
			recorder.LeaveSilent()
		}
		recorder.Look()
		r.Now = recorder.Now()
		switch {
		case s.Exited():
			state, _ := s.Wait(0)
			return r, fmt.Errorf("%s ended (%v) while it had visitors. It printed:\n%s", p.Name, state, s.Log())
		case len(expected) == 0 && recorder.Here() == 0, r.Now >= scaled(giveUpAfter):
			return r, nil
		}
	}
}

// Start starts the program with a patience, or without if it has no such flag, and returns the
// patience, which is 0 then. The caller ends the server with Kill.
func Start(p *server.Program, slow, patience time.Duration) (*server.Server, time.Duration, error) {
	args := []string{"-slow", slow.String(), "-patience", patience.String()}
	if s, err := p.Start(server.Options{Args: args}); err == nil {
		return s, patience, nil
	}
	s, err := p.Start(server.Options{Args: args[:2]})
	return s, 0, err
}
