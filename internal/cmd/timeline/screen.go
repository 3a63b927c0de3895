package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/timeline"
)

// A screen shows recordings one under the other: on a terminal while they are
// being made, elsewhere once each is finished.
//
// It leaves the modes of the terminal and its cursor as they are, so that there is
// nothing to restore, however the program ends.
type screen struct {
	out   *os.File
	live  bool
	style timeline.Style

	finished   []timeline.Recording
	begun      bool // the legend has been written
	lines      int  // of the drawing above the cursor, to be drawn again
	cols, rows int
	drawn      time.Time
}

const frame = 40 * time.Millisecond // from one drawing to the next

func newScreen(out *os.File) *screen {
	s := &screen{out: out, style: timeline.Style{Width: 80, ASCII: asciiOnly()}}
	cols, rows, err := windowSize(out)
	if err != nil {
		return s
	}
	s.resize(cols, rows)
	if term := os.Getenv("TERM"); term != "" && term != "dumb" && os.Getenv("NO_COLOR") == "" && rows > timeline.Lines+1 {
		s.live, s.style.Color = true, true
	}
	return s
}

// asciiOnly says whether the locale is one that knows no other characters. None
// at all says nothing: in a container there is none, and the terminal is outside.
func asciiOnly() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := os.Getenv(name); locale != "" {
			return locale == "C" || locale == "POSIX"
		}
	}
	return false
}

func (s *screen) resize(cols, rows int) {
	s.cols, s.rows = cols, rows
	if cols > 0 {
		s.style.Width = cols - 1 // in the last column some terminals begin a new line
	}
}

// draw draws a recording in progress, over its last drawing.
func (s *screen) draw(r timeline.Recording) {
	if s.live && (s.lines == 0 || time.Since(s.drawn) >= frame) {
		s.redraw(r)
	}
}

// finish draws a recording for the last time.
func (s *screen) finish(r timeline.Recording) {
	s.redraw(r)
	s.finished = append(s.finished, r)
	s.lines = 0
}

// redraw writes everything at once, which does not flicker.
func (s *screen) redraw(r timeline.Recording) {
	var b strings.Builder
	if cols, rows, err := windowSize(s.out); s.live && err == nil && (cols != s.cols || rows != s.rows) {
		// What is on the screen has been moved about: clear it and begin anew.
		s.resize(cols, rows)
		b.WriteString("\x1b[H\x1b[2J")
		s.begun, s.lines = false, 0
	}
	if !s.begun {
		b.WriteString(timeline.Legend(s.style, timeline.Blind))
		for _, r := range s.finished {
			b.WriteString("\n" + timeline.Text(r, s.style))
		}
		s.begun = true
	}
	if s.lines == 0 {
		b.WriteByte('\n')
	} else {
		fmt.Fprintf(&b, "\r\x1b[%dA", s.lines)
	}
	text := timeline.Text(r, s.style)
	if s.live {
		text = strings.ReplaceAll(text, "\n", "\x1b[K\n") // over whatever was there
	}
	b.WriteString(text)
	s.lines = timeline.Lines
	s.out.WriteString(b.String())
	s.drawn = time.Now()
}

// interrupted leaves the cursor below the drawing, and wipes away the ^C.
func (s *screen) interrupted() {
	if s.live {
		s.out.WriteString("\r\x1b[K")
	}
}
