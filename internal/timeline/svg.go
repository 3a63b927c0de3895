package timeline

import (
	"fmt"
	"html"
	"strings"
	"time"
)

// The measures of an SVG drawing, in its own units. It should still be readable
// on a phone, at half its size.
const (
	svgWidth  = 600
	svgTop    = 62 // the first lane
	svgPitch  = 30 // from lane to lane
	svgLeft   = 78 // time 0
	svgRight  = 500
	svgMiddle = 6 // from the base line of a text up to its middle
)

// The colors are those of GitHub's two themes. The background is drawn, because
// a reader's theme on GitHub need not be that of the reader's system, which is
// the one that an image is told.
const svgStyle = `
text { font: 17px system-ui, -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; fill: #1f2328 }
.paper { fill: #ffffff; stroke: #d1d9e0 }
.title { font-weight: 600 }
.small { font-size: 15px; fill: #59636e }
.tick { stroke: #d1d9e0 }
.waits { stroke: #bc4c00; stroke-width: 4; stroke-linecap: round; stroke-dasharray: 0 8 }
.served { stroke: #1a7f37; stroke-width: 9 }
.answered { fill: #1a7f37 }
.dropped { fill: none; stroke: #8250df; stroke-width: 4 }
.left { fill: #ffffff; stroke: #59636e; stroke-width: 3 }
.other { fill: #d1242f }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.paper { fill: #0d1117; stroke: #3d444d }
.small { fill: #9198a1 }
.tick { stroke: #3d444d }
.waits { stroke: #f0883e }
.served { stroke: #3fb950 }
.answered { fill: #3fb950 }
.dropped { stroke: #ab7df8 }
.left { fill: #0d1117; stroke: #9198a1 }
.other { fill: #f85149 }
}
`

// SVG draws the recording as an image that stands alone.
func SVG(r Recording) string {
	var b strings.Builder
	axis := svgTop + len(play)*svgPitch
	height := axis + 62
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-labelledby="title desc">`+"\n", svgWidth, height)
	fmt.Fprintf(&b, `<title id="title">%s: who waits, and who is served</title>`+"\n", html.EscapeString(r.Server))
	fmt.Fprintf(&b, `<desc id="desc">%s</desc>`+"\n", html.EscapeString(r.describe()))
	fmt.Fprintf(&b, "<style>%s</style>\n", svgStyle)
	fmt.Fprintf(&b, `<rect class="paper" x="0.5" y="0.5" width="%d" height="%d" rx="6"/>`+"\n", svgWidth-1, height-1)
	fmt.Fprintf(&b, `<text class="title" x="12" y="30">%s</text>`+"\n", html.EscapeString(r.Server))
	fmt.Fprintf(&b, `<text class="small" x="%d" y="30" text-anchor="end">%s</text>`+"\n", svgWidth-12, r.flags())

	x := func(t time.Duration) int {
		return svgLeft + int(int64(t)*(svgRight-svgLeft)/int64(r.horizon()))
	}
	for _, t := range r.ticks(6) {
		fmt.Fprintf(&b, `<path class="tick" d="M%d %dV%d"/>`+"\n", x(t), svgTop-18, axis-8)
		fmt.Fprintf(&b, `<text class="small" x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", x(t), axis+10, seconds(t))
	}
	for i, l := range r.lanes() {
		y := svgTop + i*svgPitch
		fmt.Fprintf(&b, `<text x="12" y="%d">%s</text>`+"\n", y+svgMiddle, l.visitor)
		if l.arrived < 0 {
			continue
		}
		over := x(l.over)
		if l.last == "" {
			over = x(r.Now)
		}
		if l.served < 0 {
			svgLine(&b, Arrives, x(l.arrived), over, y)
		} else {
			served := x(l.arrived)
			if !r.prompt(l) {
				served = x(l.served)
				svgLine(&b, Arrives, x(l.arrived), served, y)
			}
			over = max(over, served+14) // however short it was
			svgLine(&b, Served, served, over, y)
		}
		if l.last != "" {
			svgMark(&b, l.last, over, y)
			fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", over+13, y+svgMiddle, l.last.word())
		}
	}

	y := axis + 40
	legend := func(x int, text string) {
		fmt.Fprintf(&b, `<text class="small" x="%d" y="%d">%s</text>`+"\n", x, y+svgMiddle-1, text)
	}
	svgLine(&b, Arrives, 14, 46, y)
	legend(54, "waiting")
	svgLine(&b, Served, 128, 158, y)
	legend(166, "being served")
	svgMark(&b, Answered, 290, y)
	legend(304, "answered")
	svgMark(&b, Dropped, 404, y)
	legend(418, "dropped")
	svgMark(&b, Leaves, 508, y)
	legend(520, "left")
	b.WriteString("</svg>\n")
	return b.String()
}

func svgLine(b *strings.Builder, k Kind, from, to, y int) {
	class := "served"
	if k == Arrives {
		class = "waits"
		from, to = from+2, to-4 // the dots are round and stand out
	}
	fmt.Fprintf(b, `<path class="%s" d="M%d %dH%d"/>`+"\n", class, from, y, max(to, from))
}

func svgMark(b *strings.Builder, k Kind, x, y int) {
	switch k {
	case Answered:
		fmt.Fprintf(b, `<circle class="answered" cx="%d" cy="%d" r="8"/>`+"\n", x, y)
	case Leaves:
		fmt.Fprintf(b, `<circle class="left" cx="%d" cy="%d" r="6"/>`+"\n", x, y)
	case Dropped:
		fmt.Fprintf(b, `<path class="dropped" d="M%d %dl14 14m0 -14l-14 14"/>`+"\n", x-7, y-7)
	default:
		fmt.Fprintf(b, `<rect class="other" x="%d" y="%d" width="12" height="12"/>`+"\n", x-6, y-6)
	}
}

// describe says in words what the drawing shows.
func (r Recording) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "A lane for each visitor of %s, started with %s; time runs from left to right.", r.Server, r.flags())
	for _, l := range r.lanes() {
		if l.arrived < 0 {
			continue
		}
		fmt.Fprintf(&b, " The visitor %q %s at %s", l.visitor, Arrives, seconds(l.arrived))
		switch {
		case l.served < 0:
			b.WriteString(", waits")
		case r.prompt(l):
			b.WriteString(", " + string(Served) + " at once")
		default:
			fmt.Fprintf(&b, ", waits, %s from %s on", Served, seconds(l.served))
		}
		if l.last != "" {
			fmt.Fprintf(&b, ", and %s at %s", l.last, seconds(l.over))
		}
		b.WriteByte('.')
	}
	return b.String()
}
