package behaviour

import "strings"

// A Goroutine is one of a dump, as in "goroutine 1 [syscall]:" and what follows.
type Goroutine struct {
	ID    string
	State string // as in "syscall"
	Text  string // all that the dump says of it
	found goroutine
}

// Goroutines finds the goroutines in a dump of the Go runtime.
func Goroutines(dump string) []Goroutine {
	var all []Goroutine
	for block := range strings.SplitSeq(dump, "\n\n") {
		for _, g := range goroutines(block) {
			all = append(all, Goroutine{g.id, g.state, strings.TrimSpace(block), g})
		}
	}
	return all
}

// Where says where the goroutine is, as in "in Accept [syscall]".
func (g Goroutine) Where() string { return g.found.where() }

// Own says whether a function of the program's own is on its stack.
func (g Goroutine) Own() bool { return g.found.function() != "" }
