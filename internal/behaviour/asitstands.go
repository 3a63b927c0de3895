package behaviour

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/visitor"
)

// This file is about programs that are run as they stand: how long the slow page takes, and how
// long the patience is, cannot be set.

// setTimes notes the times in the flags, and returns the flags with these times scaled. If the time
// of the slow page cannot be set, it notes the time that was measured. If the patience cannot be set,
// it skips scripts that wait for its end.
func (r *run) setTimes(flags []string) (scaled []string) {
	times := map[string]time.Duration{"-slow": r.long(), "-patience": 0}
	for i := 1; i < len(flags); i += 2 {
		d, err := time.ParseDuration(flags[i])
		r.ts.Check(err)
		times[flags[i-1]] = d * r.scale
		scaled = append(scaled, flags[i-1], fmt.Sprintf("%dms", (d*r.scale).Milliseconds()))
	}
	r.slow, r.patience = times["-slow"], times["-patience"]
	if !r.program.CanTell("slow") {
		r.slow = r.program.SlowTakes
	}
	if !r.program.CanTell("patience") {
		if r.patience > 0 && r.patience < r.long() {
			r.skipf("the patience of the server cannot be set")
		}
		r.patience = 0
	}
	return scaled
}

// slowPage returns the path of the slow page. If there is none, it skips the script.
func (r *run) slowPage() string {
	switch {
	case r.program.CanTell("slow"):
	case r.slow == 0:
		r.skipf("the server has no slow page")
	case r.manners:
		r.skipf("it needs a slow page whose time can be set")
	}
	return r.program.SlowPage
}

// wantsSlowPage says whether the visitor has asked for the slow page.
func (r *run) wantsSlowPage(v *visitor.Visitor) bool {
	return strings.HasPrefix(v.Said(), "GET "+r.program.SlowPage+" ")
}

// slowPageIsOver says whether a slow request has been in progress for as long as the slow page
// takes, if that time cannot be set.
func (r *run) slowPageIsOver() bool {
	return r.slow > 0 && !r.program.CanTell("slow") && slices.ContainsFunc(r.visitors, func(v *visitor.Visitor) bool {
		return r.wantsSlowPage(v) && time.Since(v.Times().Asked) > r.slow
	})
}

// skipf ends the run because the script cannot be run against this server.
func (r *run) skipf(format string, args ...any) {
	r.Skipped = fmt.Sprintf(format, args...)
	r.ts.Fatalf("%s", r.Skipped)
}

// maxTogether is how many visitors connect at once if the server's queue has room for them.
const maxTogether = 100

// together returns how many visitors may connect at once: as many as fit into the queue of
// connections that wait to be accepted.
func (r *run) together() int {
	if backlog, err := r.srv.Backlog(); err == nil && backlog > 0 {
		return min(backlog, maxTogether)
	}
	return maxTogether
}

// roomInQueue returns a sentence on the size of that queue if it is small.
func (r *run) roomInQueue() string {
	if n := r.together(); n < maxTogether {
		return fmt.Sprintf(" It has room for %d, which is the second argument of listen, or what its language gives for it.", n)
	}
	return ""
}
