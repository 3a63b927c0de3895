package timeline

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
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
		{2 * time.Second, "quick 3", Ignored},
	},
}

func TestText(t *testing.T) {
	const want = `
mine  -slow 1s
slow     =======================================
quick 1    .! refused
silent        ..--------------------------------
quick 2          .==============x dropped
quick 3             ............................? ignored
         |0s                |1s                 |2s
`
	if got := "\n" + Text(everything, Style{Width: 61, ASCII: true}); got != want {
		t.Errorf("drawn:%s\nwant:%s", got, want)
	}
}

// inTurn is a recording of a server that serves one visitor at a time.
var inTurn = Recording{
	Server:   "stage2-sequential-async",
	Slow:     time.Second,
	Patience: 900 * time.Millisecond,
	Now:      1710 * time.Millisecond,
	Events: []Event{
		{0, "slow", Arrives},
		{10 * time.Millisecond, "slow", Served},
		{150 * time.Millisecond, "quick 1", Arrives},
		{300 * time.Millisecond, "silent", Arrives},
		{450 * time.Millisecond, "quick 2", Arrives},
		{600 * time.Millisecond, "quick 3", Arrives},
		{1010 * time.Millisecond, "slow", Answered},
		{1010 * time.Millisecond, "quick 1", Served},
		{1010 * time.Millisecond, "quick 1", Answered},
		{1010 * time.Millisecond, "silent", Accepted},
		{1700 * time.Millisecond, "silent", Leaves},
		{1710 * time.Millisecond, "quick 2", Served},
		{1710 * time.Millisecond, "quick 2", Answered},
		{1710 * time.Millisecond, "quick 3", Served},
		{1710 * time.Millisecond, "quick 3", Answered},
	},
}

func TestTextFits(t *testing.T) {
	for _, r := range []Recording{everything, inTurn} {
		for width := range 200 {
			style := Style{Width: width}
			text := Text(r, style)
			if got := strings.Count(text, "\n"); got != 1+len(schedule)+1 {
				t.Fatalf("%d lines; want a title, one for each visitor and the axis:\n%s", got, text)
			}
			for line := range strings.Lines(Legend(style, false) + text) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%d columns are too many for %d:\n%s", n, width, line)
				}
				if width >= 80 && strings.HasPrefix(line, "quick") && !strings.HasSuffix(line, "ed\n") {
					t.Errorf("at %d columns the end of a lane is cut off:\n%s", width, line)
				}
			}
		}
	}
}

// Take the color away and the drawing is the plain one.
func TestColor(t *testing.T) {
	for _, r := range []Recording{everything, inTurn} {
		plain, color := Text(r, Style{Width: 80}), Text(r, Style{Width: 80, Color: true})
		if strings.Contains(plain, "\x1b") || !strings.Contains(color, "\x1b[32m━") {
			t.Errorf("plain:\n%q\nin color:\n%q", plain, color)
		}
		var bare strings.Builder
		for i, part := range strings.Split(color, "\x1b[") {
			if i > 0 {
				_, part, _ = strings.Cut(part, "m")
			}
			bare.WriteString(part)
		}
		if got := bare.String(); got != plain {
			t.Errorf("in color:\n%s\nplain:\n%s", color, plain)
		}
		for line := range strings.Lines(color) {
			if i := strings.LastIndex(line, "\x1b["); i >= 0 && !strings.HasPrefix(line[i:], "\x1b[m") {
				t.Errorf("the color of a line is not ended: %q", line)
			}
		}
	}
}

func TestTicks(t *testing.T) {
	for _, slow := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond, time.Second, 7 * time.Second, time.Hour} {
		for n := 2; n < 12; n++ {
			ticks := Recording{Slow: slow}.Ticks(n)
			if len(ticks) < 1 || len(ticks) > n || ticks[0] != 0 {
				t.Errorf("slow %v: Ticks(%d) = %v", slow, n, ticks)
			}
		}
	}
}
