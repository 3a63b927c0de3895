// Package screen writes to a terminal, or into a file, which gets plain text only.
package screen

import (
	"cmp"
	"os"
	"syscall"
	"unsafe"
)

// A Screen is a terminal, or a file that stands in for one. It does not change the modes of
// the terminal, so there is nothing to restore. It is not safe for concurrent use.
type Screen struct {
	Live  bool // the output is a terminal on which text can be replaced
	Width int  // how many columns can be used

	out *os.File
}

// New returns the screen that writes to out. A file has 80 columns.
func New(out *os.File) *Screen {
	s := &Screen{Width: 80, out: out}
	if _, columns := size(out); columns > 0 {
		s.Width = columns - 1 // in the last column some terminals begin a new line
		s.Live = os.Getenv("TERM") != "" && os.Getenv("TERM") != "dumb"
	}
	return s
}

// Rows returns the height of the terminal that the process was started from, wherever its
// output goes. Without a terminal it is 24.
func Rows() int {
	terminal, _ := os.Open("/dev/tty") // nil has no size
	defer terminal.Close()
	rows, _ := size(terminal)
	return cmp.Or(rows, 24)
}

// size returns zeros if the file is not a terminal.
func size(terminal *os.File) (rows, columns int) {
	var size struct{ rows, columns, x, y uint16 }
	syscall.Syscall(syscall.SYS_IOCTL, terminal.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	return int(size.rows), int(size.columns)
}

// Print writes a text in the place of the line that Show wrote.
func (s *Screen) Print(text string) {
	if s.Live {
		text = "\r\x1b[K" + text
	}
	s.out.WriteString(text)
}

// Show writes a line on a terminal, and nothing into a file. Print and Show replace the line.
func (s *Screen) Show(line string) {
	if s.Live {
		s.Print(line)
	}
}

// Clear clears a terminal.
func (s *Screen) Clear() { s.Show("\x1b[H\x1b[2J") }
