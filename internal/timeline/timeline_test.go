package timeline

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// everything has a visitor for each way in which a visit can end, or has not yet.
var everything = Recording{
	Server: "mine",
	Slow:   time.Second,
	Now:    2 * time.Second,
	Events: []Event{
		{0, "slow", Arrives},
		{0, "slow", Served},
		{150 * time.Millisecond, "quick 1", Arrives},
		{150 * time.Millisecond, "quick 1", Refused},
		{300 * time.Millisecond, "silent", Arrives},
		{400 * time.Millisecond, "silent", Accepted},
		{450 * time.Millisecond, "quick 2", Arrives},
		{500 * time.Millisecond, "quick 2", Served},
		{600 * time.Millisecond, "quick 3", Arrives},
		{1200 * time.Millisecond, "quick 2", Dropped},
		{1300 * time.Millisecond, "quick 3", Served},
		{1300 * time.Millisecond, "quick 3", Answered},
	},
}

func TestText(t *testing.T) {
	const want = `
mine  -slow 1s
slow     ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
quick 1    ·! refused
silent        ··╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌
quick 2          ·━━━━━━━━━━━━━━× dropped
quick 3             ··············━● answered
         ╵0s      ╵0.5s     ╵1s       ╵1.5s     ╵2s
`
	if got := "\n" + Text(everything, Style{Width: 61}); got != want {
		t.Errorf("drawn:%s\nwant:%s", got, want)
	}
}

// Take the color away and the drawing is the plain one.
func TestColor(t *testing.T) {
	plain, color := Text(everything, Style{Width: 80}), Text(everything, Style{Width: 80, Color: true})
	bare := regexp.MustCompile(`\x1b\[[\d;]+m(.*?)\x1b\[m`).ReplaceAllString(color, "$1")
	if bare != plain || !strings.Contains(color, "\x1b[32m━") {
		t.Errorf("in color:\n%q\nplain:\n%q", color, plain)
	}
}
