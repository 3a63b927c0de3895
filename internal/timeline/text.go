package timeline

import (
	"strings"
	"time"
)

// A Style says what a drawing in text may use.
type Style struct {
	Width int  // columns
	Color bool // the sixteen colors of every terminal
	ASCII bool // no other characters
}

// A glyph is a character and the color that it is drawn in, as the parameter of
// the escape sequence that selects it.
type glyph struct {
	char  rune
	color string
}

// The shapes differ, so that a drawing needs no color.
var glyphs = map[Kind]struct {
	glyph
	ascii rune
}{
	Arrives:  {glyph{'·', "31"}, '.'}, // and waits
	Served:   {glyph{'━', "32"}, '='},
	Answered: {glyph{'●', "1;32"}, '*'},
	Dropped:  {glyph{'×', "1;35"}, 'x'},
	Leaves:   {glyph{'○', ""}, 'o'},
	Refused:  {glyph{'!', "1;31"}, '!'},
	Lost:     {glyph{'!', "1;31"}, '!'},
	Ignored:  {glyph{'?', "1;31"}, '?'},
}

func (s Style) glyph(k Kind) glyph {
	g := glyphs[k]
	if s.ASCII {
		g.char = g.ascii
	}
	return g.glyph
}

// A row is a line of a drawing. What does not fit is cut off.
type row []glyph

func (r row) put(col int, color string, text string) (next int) {
	for _, char := range text {
		if col < len(r) {
			r[col] = glyph{char, color}
		}
		col++
	}
	return col
}

func (r row) fill(from, to int, g glyph) (next int) {
	for ; from < to; from++ {
		r.put(from, g.color, string(g.char))
	}
	return from
}

const reset = "\x1b[m"

// write ends the row with a newline. There is no space before it.
func (r row) write(b *strings.Builder, s Style) {
	for len(r) > 0 && (r[len(r)-1].char == 0 || r[len(r)-1].char == ' ') {
		r = r[:len(r)-1]
	}
	now := ""
	for _, g := range r {
		if g.char == 0 {
			g = glyph{' ', ""}
		}
		if s.Color && g.color != now {
			b.WriteString(reset)
			if g.color != "" {
				b.WriteString("\x1b[" + g.color + "m")
			}
			now = g.color
		}
		b.WriteRune(g.char)
	}
	if now != "" {
		b.WriteString(reset)
	}
	b.WriteByte('\n')
}

const (
	labelWidth = 9  // "quick 1  "
	wordWidth  = 12 // " ● answered", where the ● was pushed aside
)

// Legend returns a line that explains the drawings that Text makes of recordings
// that are blind, or of those that are not.
func Legend(s Style, blind bool) string {
	r, col := make(row, s.Width), 0
	entry := func(n int, k Kind, text string) {
		col = r.fill(col, col+n, s.glyph(k))
		col = r.put(col+1, "", text) + 2
	}
	if blind {
		entry(3, Arrives, "waiting or being served")
	} else {
		entry(3, Arrives, "waiting")
		entry(3, Served, "being served")
	}
	entry(1, Answered, "answered")
	entry(1, Dropped, "dropped")
	entry(1, Leaves, "left")
	var b strings.Builder
	r.write(&b, s)
	return b.String()
}

// Lines is how many lines Text returns.
var Lines = 1 + len(play) + 1

// Text draws the recording as lines of text. Those of a recording in progress
// end where it has got to.
func Text(r Recording, s Style) string {
	var b strings.Builder
	title := make(row, s.Width)
	col := title.put(0, "1", r.Server)
	title.put(col+2, "2", r.flags())
	title.write(&b, s)

	plot := max(s.Width-labelWidth-wordWidth, 1)
	column := func(t time.Duration) int {
		return labelWidth + int(int64(t)*int64(plot-1)/int64(r.horizon()))
	}
	for _, l := range r.lanes() {
		lane := make(row, s.Width)
		lane.put(0, "", l.visitor)
		end := column(r.Now) + 1
		if l.last != "" {
			end = column(l.over)
		}
		if l.arrived >= 0 {
			// Each part has a column at least, and pushes the next aside.
			col := column(l.arrived)
			switch {
			case l.served < 0:
				col = lane.fill(col, max(end, col+1), s.glyph(Arrives))
			case r.prompt(l):
				col = lane.fill(col, max(end, col+1), s.glyph(Served))
			default:
				col = lane.fill(col, column(l.served), s.glyph(Arrives))
				col = lane.fill(col, max(end, col+1), s.glyph(Served))
			}
			if l.last != "" {
				g := s.glyph(l.last)
				col = lane.put(col, g.color, string(g.char))
				lane.put(col+1, g.color, l.last.word())
			}
		}
		lane.write(&b, s)
	}

	axis := make(row, s.Width)
	mark := "╵"
	if s.ASCII {
		mark = "|"
	}
	for _, t := range r.ticks(max(plot/9, 2)) {
		axis.put(column(t), "2", mark+seconds(t))
	}
	axis.write(&b, s)
	return b.String()
}
