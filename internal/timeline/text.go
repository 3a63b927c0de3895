package timeline

import (
	"strings"
	"time"
	"unicode/utf8"
)

// A Style says what a drawing in text may use.
type Style struct {
	Width int  // columns
	Color bool // the sixteen colors of every terminal
}

// The characters that stand for a kind of event, and the parameters of the escape sequences that
// select their colors. The shapes differ, so that a drawing needs no color.
var glyphs = map[Kind]struct{ char, color string }{
	Arrives:  {"·", "31"}, // and waits
	Accepted: {"╌", "33"},
	Served:   {"━", "32"},
	Answered: {"●", "1;32"},
	Dropped:  {"×", "1;35"},
	Leaves:   {"○", ""},
	Refused:  {"!", "1;31"},
	Lost:     {"!", "1;31"},
}

// A drawing is written line by line, and each line from left to right.
type drawing struct {
	strings.Builder
	color bool
	col   int // where the line ends
}

// put writes a text at a column, or nothing if the line has got further already.
func (d *drawing) put(col int, color, text string) {
	if col < d.col {
		return
	}
	blank := strings.Repeat(" ", col-d.col)
	d.col = col + utf8.RuneCountInString(text)
	if d.color && color != "" {
		text = "\x1b[" + color + "m" + text + "\x1b[m"
	}
	d.WriteString(blank + text)
}

func (d *drawing) endLine() {
	d.WriteByte('\n')
	d.col = 0
}

// Legend returns lines that explain the drawings that Text makes.
func Legend(s Style) string {
	d := &drawing{color: s.Color}
	for _, row := range LegendKinds {
		for i, k := range row {
			n := 1
			if k.lasts() {
				n = 3
			}
			d.put(d.col+2*min(i, 1), glyphs[k].color, strings.Repeat(glyphs[k].char, n))
			d.put(d.col+1, "", k.Word())
		}
		d.endLine()
	}
	return d.String()
}

// Text draws the recording as lines of text. They are no longer than the style says, unless that is too short
// for a drawing.
func Text(r Recording, s Style) string {
	const (
		bold, dim  = "1", "2"
		labelWidth = 9  // "quick 1  "
		wordWidth  = 12 // " ● answered", where the ● was pushed aside
	)
	plot := max(s.Width-labelWidth-wordWidth, 1)
	column := func(t time.Duration) int {
		return labelWidth + int(int64(t)*int64(plot-1)/int64(r.End()))
	}
	d := &drawing{color: s.Color}
	d.put(0, bold, r.Server)
	d.put(d.col+2, dim, r.Flags())
	d.endLine()
	for _, l := range r.Lanes() {
		d.put(0, "", l.Visitor)
		for _, span := range l.Spans {
			// Each span has a column at least, and pushes the next aside.
			g, from := glyphs[span.Kind], max(column(span.From), d.col)
			d.put(from, g.color, strings.Repeat(g.char, max(column(span.To)-from, 1)))
		}
		if l.End != "" {
			d.put(d.col, glyphs[l.End].color, glyphs[l.End].char+" "+l.End.Word())
		}
		d.endLine()
	}
	for _, t := range r.Ticks() {
		d.put(column(t), dim, "╵"+Seconds(t))
	}
	d.endLine()
	return d.String()
}
