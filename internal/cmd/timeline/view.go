package main

import (
	"os"
	"time"

	"example.com/concurrent-web-server/internal/screen"
	"example.com/concurrent-web-server/internal/timeline"
)

// A view draws recordings one under the other: on a terminal while they are
// being made, elsewhere once each is finished.
type view struct {
	*screen.Screen
	finished []timeline.Recording
	drawn    time.Time
}

const frame = 40 * time.Millisecond // from one drawing to the next

// draw draws a recording in progress, over its last drawing. One that begins is drawn at
// once, any other no more often than once in a frame.
func (v *view) draw(r timeline.Recording) {
	if r.Now > 0 && time.Since(v.drawn) < frame {
		return
	}
	v.drawn = time.Now()
	if v.Resized() && v.Live {
		v.Clear()
		for i, r := range v.finished {
			v.Print(v.text(r, i == 0))
		}
	}
	v.Show(v.text(r, len(v.finished) == 0))
}

// finish draws a recording for the last time.
func (v *view) finish(r timeline.Recording) {
	v.Print(v.text(r, len(v.finished) == 0))
	v.finished = append(v.finished, r)
}

// text draws a recording, the first one with the legend above it.
func (v *view) text(r timeline.Recording, first bool) string {
	style := timeline.Style{Width: v.Width, Color: v.Color, ASCII: asciiOnly()}
	text := "\n" + timeline.Text(r, style)
	if first {
		text = timeline.Legend(style, r.Blind) + text
	}
	return text
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
