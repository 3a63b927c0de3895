package timeline

import (
	"fmt"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

// The visitors that are sent to every server. Its unit of time is what the slow
// request takes. The silent visitor comes while the slow one is being served, and
// stays longer; two quick ones come after it. So a server that takes one visitor
// at a time lets the first quick one wait for the slow one, and the others for the
// silent one as well.
var schedule = []struct {
	visitor string
	arrives float64
	request string // empty for the one who stays silent
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
	drawn       = 1.8 // by a drawing, at least
	giveUpAfter = 3.0 // those who are still waiting get no answer
)

func scaled(x float64, slow time.Duration) time.Duration {
	return time.Duration(x * float64(slow))
}

// Record starts the program, sends it the visitors, and returns what happened to
// them, at the latest 3*slow after the first has come. It kills the server in the end.
//
// An error means that the server did not listen, or that it ended before its visitors
// had left, as it does after server.KillAll. The recording has what happened until then.
func Record(p *server.Program, slow time.Duration) (Recording, error) {
	r := Recording{Server: p.Name, Slow: slow, Blind: !p.Sees("requests")}
	s, given, err := Start(p, slow, scaled(patience, slow), server.Options{})
	if err != nil {
		return r, err
	}
	defer s.Kill()
	r.Patience = given
	began := time.Now()
	recorder := NewRecorder(s, func() time.Duration { return time.Since(began) },
		func(e Event) { r.Events = append(r.Events, e) })
	defer recorder.Close(Ignored)

	expected := schedule
	for ; ; time.Sleep(resolution) {
		for len(expected) > 0 && recorder.Now() >= scaled(expected[0].arrives, slow) {
			recorder.Send(expected[0].request, expected[0].visitor)
			expected = expected[1:]
		}
		if recorder.Now() >= scaled(leaves, slow) {
			recorder.LeaveSilent()
		}
		recorder.Look()
		if recorder.Now() >= scaled(giveUpAfter, slow) {
			recorder.Close(Ignored)
		}
		r.Now = recorder.Now()
		switch {
		case s.Exited():
			state, _ := s.Wait(0)
			return r, fmt.Errorf("%s ended (%v) while it had visitors. It printed:\n%s", p.Name, state, s.Log())
		case len(expected) == 0 && recorder.Here() == 0:
			return r, nil
		}
	}
}

// Start starts the program with a patience, or without if it has no such flag, and
// returns which it was.
func Start(p *server.Program, slow, patience time.Duration, opt server.Options) (*server.Server, time.Duration, error) {
	args := []string{"-slow", slow.String()}
	opt.Args = append(args, "-patience", patience.String())
	if s, err := p.Start(opt); err == nil {
		return s, patience, nil
	}
	opt.Args = args
	s, err := p.Start(opt)
	return s, 0, err
}
