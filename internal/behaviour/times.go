package behaviour

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/visitor"
)

// What differs for a program that is run as it stands, and cannot be told how long its slow
// page takes, or how long its patience is.

// setTimes notes the times of the flags, and returns the flags with these times scaled. A
// program that cannot be told how long its slow page takes has a time of its own. Where it
// cannot be told its patience, a script that waits for the end of that is not run.
func (s *story) setTimes(flags []string) (scaled []string) {
	times := map[string]time.Duration{"-slow": s.long(), "-patience": 0}
	for i := 1; i < len(flags); i += 2 {
		d, err := time.ParseDuration(flags[i])
		s.ts.Check(err)
		times[flags[i-1]] = d * s.scale
		scaled = append(scaled, flags[i-1], fmt.Sprintf("%dms", (d*s.scale).Milliseconds()))
	}
	s.slow, s.patience = times["-slow"], times["-patience"]
	if !s.program.CanTell("slow") {
		s.slow = s.program.SlowTakes
	}
	if !s.program.CanTell("patience") {
		if s.patience > 0 && s.patience < s.long() {
			s.skipf("the patience of the server cannot be set")
		}
		s.patience = 0
	}
	return scaled
}

// slowPage is the path of the slow page. If there is none, the script is not run.
func (s *story) slowPage() string {
	switch {
	case s.program.CanTell("slow"):
	case s.slow == 0:
		s.skipf("the server has no slow page")
	case s.manners:
		s.skipf("it needs a slow page that can be told how long it takes")
	}
	return s.program.SlowPage
}

// wantsSlowPage says whether the visitor has asked for the slow page.
func (s *story) wantsSlowPage(v *visitor.Visitor) bool {
	return strings.HasPrefix(v.Said(), "GET "+s.program.SlowPage+" ")
}

// slowPageIsOver says whether a slow request has been in progress for as long as the slow page
// takes, of a program that cannot be told to take longer.
func (s *story) slowPageIsOver() bool {
	return s.slow > 0 && !s.program.CanTell("slow") && slices.ContainsFunc(s.visitors, func(v *visitor.Visitor) bool {
		return s.wantsSlowPage(v) && time.Since(v.Asked()) > s.slow
	})
}

// skipf ends the script, which cannot be run against this server, and says why.
func (s *story) skipf(format string, args ...any) {
	s.skipped = fmt.Sprintf(format, args...)
	s.ts.Fatalf("%s", s.skipped)
}

// maxTogether is how many visitors connect at once, of servers whose queue has room for them.
const maxTogether = 100

// together is how many visitors may connect at once: as many as the queue of those who wait
// to be accepted has room for.
func (s *story) together() int {
	if backlog, err := s.srv.Backlog(); err == nil && backlog > 0 {
		return min(backlog, maxTogether)
	}
	return maxTogether
}

// roomInQueue says how much room there is in the queue of those who wait to be accepted, if
// it is little.
func (s *story) roomInQueue() string {
	if n := s.together(); n < maxTogether {
		return fmt.Sprintf(" It has room for %d, which is the second argument of listen, or what its language gives for it.", n)
	}
	return ""
}
