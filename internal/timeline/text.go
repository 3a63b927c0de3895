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

// The characters that stand for a kind of event. Their shapes differ, so that a
// drawing needs no color, which is the parameter of the escape sequence that selects it.
var glyphs = map[Kind]struct{ char, ascii, color string }{
	Arrives:  {"·", ".", "31"}, // and waits
	Accepted: {"╌", "-", "33"},
	Served:   {"━", "=", "32"},
	Answered: {"●", "*", "1;32"},
	Dropped:  {"×", "x", "1;35"},
	Leaves:   {"○", "o", ""},
	Refused:  {"!", "!", "1;31"},
	Lost:     {"!", "!", "1;31"},
	Ignored:  {"?", "?", "1;31"},
}

const (
	bold = "1"
	dim  = "2"
)

// A drawing is written line by line, and each line from left to right.
type drawing struct {
	Style
	text strings.Builder
	col  int // where the line ends
}

// put writes a text at a column, or nothing if the line has got further already. What
// is beyond the width is cut off.
func (d *drawing) put(col int, color, text string) {
	if col < d.col {
		return
	}
	chars, blank := []rune(text), col-d.col
	d.col = col + len(chars)
	if col >= d.Width {
		return
	}
	text = string(chars[:min(len(chars), d.Width-col)])
	if d.Color && color != "" {
		text = "\x1b[" + color + "m" + text + "\x1b[m"
	}
	d.text.WriteString(strings.Repeat(" ", blank) + text)
}

// mark writes the character of a kind n times, and a text behind it.
func (d *drawing) mark(col int, k Kind, n int, text string) {
	g := glyphs[k]
	if d.ASCII {
		g.char = g.ascii
	}
	d.put(col, g.color, strings.Repeat(g.char, n)+text)
}

func (d *drawing) endLine() {
	d.text.WriteByte('\n')
	d.col = 0
}

// Legend returns lines that explain the drawings that Text makes, of recordings that are
// Blind or of others.
func Legend(s Style, blind bool) string {
	d := &drawing{Style: s}
	for _, row := range Meanings(blind) {
		for i, m := range row {
			n := 1
			if m.Kind.lasts() {
				n = 3
			}
			d.mark(d.col+2*min(i, 1), m.Kind, n, "")
			d.put(d.col+1, "", m.Text)
		}
		d.endLine()
	}
	return d.text.String()
}

const (
	labelWidth = 9  // "quick 1  "
	wordWidth  = 12 // " ● answered", where the ● was pushed aside
	tickWidth  = 9  // "╵0.025s  "
)

// Text draws the recording as lines of text.
func Text(r Recording, s Style) string {
	plot := max(s.Width-labelWidth-wordWidth, 1)
	column := func(t time.Duration) int {
		return labelWidth + int(int64(t)*int64(plot-1)/int64(r.End()))
	}
	d := &drawing{Style: s}
	d.put(0, bold, r.Server)
	d.put(d.col+2, dim, r.Flags())
	d.endLine()
	for _, l := range r.Lanes() {
		d.put(0, "", l.Visitor)
		for _, span := range l.Spans {
			// Each span has a column at least, and pushes the next aside.
			from := max(column(span.From), d.col)
			d.mark(from, span.Kind, max(column(span.To)-from, 1), "")
		}
		if l.End != "" {
			d.mark(d.col, l.End, 1, " "+l.End.Word())
		}
		d.endLine()
	}
	tick := "╵"
	if s.ASCII {
		tick = "|"
	}
	for _, t := range r.Ticks(max(plot/tickWidth, 2)) {
		d.put(column(t), dim, tick+Seconds(t))
	}
	d.endLine()
	return d.text.String()
}
