package behaviour

import (
	"fmt"
	"regexp"
	"strings"
)

// A Goroutine is one of a dump, which the Go runtime prints when it gets SIGQUIT.
type Goroutine struct {
	ID    string
	State string // as in "chan receive"
	Text  string // all that the dump says of it
}

var goroutineHeader = regexp.MustCompile(`^goroutine (\d+) .*\[([^\],]+)[^\]]*\]:`)

// Goroutines finds the goroutines in what a program printed. It leaves out the one that package
// selfreport has started.
func Goroutines(log string) []Goroutine {
	var all []Goroutine
	for block := range strings.SplitSeq(log, "\n\n") {
		block = strings.TrimSpace(block)
		if m := goroutineHeader.FindStringSubmatch(block); m != nil && !strings.Contains(block, ".selfReport(") {
			all = append(all, Goroutine{m[1], m[2], block})
		}
	}
	return all
}

// stack returns the functions that the goroutine is in, without the one that created it.
func (g Goroutine) stack() string {
	_, stack, _ := strings.Cut(g.Text, "\n")
	stack, _, _ = strings.Cut(stack, "created by")
	return stack
}

// Runs says whether a function whose name contains name, in upper or lower case, is
// on the stack.
func (g Goroutine) Runs(name string) bool {
	for line := range strings.Lines(g.stack()) {
		isFile := strings.HasPrefix(line, "\t")
		if !isFile && strings.Contains(strings.ToLower(line), strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// own matches the program's own functions in a stack: package main, or, where
// the program is a test binary that stands in for it, a package of this module.
var own = regexp.MustCompile(`(?m)^(?:main|example\.com/concurrent-web-server/[^.\s]*)\.(.*)\(.*\)$`)

// Function returns the innermost of the program's own functions on the stack, or ""
// if there is none.
func (g Goroutine) Function() string {
	if m := own.FindStringSubmatch(g.stack()); m != nil {
		return m[1]
	}
	return ""
}

// Own says whether a function of the program's own is on the stack.
func (g Goroutine) Own() bool { return g.Function() != "" }

// Where says where the goroutine is, as in "in Accept [IO wait]".
func (g Goroutine) Where() string {
	function := strings.TrimPrefix(g.Function(), "(*blockingListener).")
	switch {
	case g.Runs(".Accept("):
		function = "Accept"
	case function == "":
		return "[" + g.State + "]"
	}
	return fmt.Sprintf("in %s [%s]", function, g.State)
}

// Summary says in a line where the program's own goroutines are.
func Summary(all []Goroutine) string {
	var sentences, places []string
	others := map[string]int{}
	for _, g := range all {
		where := g.Where()
		if g.ID == "1" {
			sentences = append(sentences, "Goroutine 1 is "+where+".")
		} else if g.Own() {
			if others[where]++; others[where] == 1 {
				places = append(places, where)
			}
		}
	}
	const maxPlaces = 3
	for _, where := range places[:min(len(places), maxPlaces)] {
		is := "others are"
		if others[where] == 1 {
			is = "other is"
		}
		sentences = append(sentences, fmt.Sprintf("%d %s %s.", others[where], is, where))
	}
	if len(places) == 0 {
		sentences = append(sentences, "The program has no other.")
	}
	return strings.Join(sentences, " ")
}
