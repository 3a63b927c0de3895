// Package screen writes to a terminal, where a text can take the place of the one
// before, or into a file, which gets plain text and only what is final.
package screen

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

// A Screen is a terminal, or else a file. It leaves the modes of the terminal and its
// cursor as they are: there is nothing to restore, however the program ends.
type Screen struct {
	// Live says that it is a terminal that can be written over.
	Live bool
	// Color says that it has colors, and that nobody has asked for none (NO_COLOR).
	Color bool
	// Width is how many columns can be used.
	Width int

	out   *os.File
	size  windowSize
	shown int // lines of what Show has written, above the cursor
}

// New returns the screen that writes to out.
func New(out *os.File) *Screen {
	s := &Screen{out: out, Width: 80}
	term := os.Getenv("TERM")
	s.Live = s.Resized() && term != "" && term != "dumb"
	s.Color = s.Live && os.Getenv("NO_COLOR") == ""
	return s
}

// Resized says whether the terminal has another size than at the last call, and sets
// Width. What is on the terminal has then been moved about.
func (s *Screen) Resized() bool {
	var now windowSize // stays zero if out is no terminal, or one that knows no size
	syscall.Syscall(syscall.SYS_IOCTL, s.out.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&now)))
	if now == s.size || now.rows == 0 || now.cols == 0 {
		return false
	}
	s.size = now
	s.Width = int(now.cols) - 1 // in the last column some terminals begin a new line
	return true
}

type windowSize struct{ rows, cols, x, y uint16 }

// usualRows is how many rows a terminal has that says nothing else.
const usualRows = 24

// Rows returns how many rows the screen has.
func (s *Screen) Rows() int { return int(cmp.Or(s.size.rows, usualRows)) }

// Rows returns how many rows the terminal has that the process was started from, wherever its
// output goes.
func Rows() int {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return usualRows
	}
	defer tty.Close()
	return New(tty).Rows()
}

// Show writes a text that the next one takes the place of. Its lines are no longer
// than Width. It writes nothing into a file, and nothing that does not fit on the terminal.
func (s *Screen) Show(text string) {
	lines := strings.Count(text, "\n")
	if !s.Live || lines >= int(s.size.rows) {
		return
	}
	// All at once, and each line over the one before: so it does not flicker.
	s.out.WriteString(s.back() + strings.ReplaceAll(text, "\n", "\x1b[K\n") + "\x1b[J")
	s.shown = lines
}

// Print writes a text that stays, in the place of what Show has written.
func (s *Screen) Print(text string) {
	if s.Live {
		text = s.back() + "\x1b[J" + text
	}
	s.out.WriteString(text)
	s.shown = 0
}

// Clear clears a terminal.
func (s *Screen) Clear() {
	if s.Live {
		s.out.WriteString("\x1b[H\x1b[2J")
		s.shown = 0
	}
}

// back returns what moves the cursor to the beginning of what Show has written.
func (s *Screen) back() string {
	if s.shown == 0 {
		return "\r"
	}
	return fmt.Sprintf("\r\x1b[%dA", s.shown)
}
