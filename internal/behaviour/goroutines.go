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
	Text  string // its part of the dump
}

var goroutineHeader = regexp.MustCompile(`^goroutine (\d+) .*\[([^\],]+)[^\]]*\]:`)

// Goroutines finds the goroutines in the output of a program, except for that of package
// selfreport.
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

// stack returns the lines of the goroutine's stack, without the function that created it.
func (g Goroutine) stack() string {
	_, stack, _ := strings.Cut(g.Text, "\n")
	stack, _, _ = strings.Cut(stack, "created by")
	return stack
}

// Runs says whether a function whose name contains name, in upper or lower case, is on the stack.
func (g Goroutine) Runs(name string) bool {
	for line := range strings.Lines(g.stack()) {
		isFile := strings.HasPrefix(line, "\t")
		if !isFile && strings.Contains(strings.ToLower(line), strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// own matches the program's own functions in a stack: those of package main, or of a package of this
// module if the program is a test binary.
var own = regexp.MustCompile(`(?m)^(?:main|example\.com/concurrent-web-server/[^.\s]*)\.(.*)\(.*\)$`)

// Function returns the innermost function of the program's own on the stack, or "" if there is none.
func (g Goroutine) Function() string {
	if m := own.FindStringSubmatch(g.stack()); m != nil {
		return m[1]
	}
	return ""
}

// Own says whether a function of the program's own is on the stack.
func (g Goroutine) Own() bool { return g.Function() != "" }

// Where returns where the goroutine is, as in "in Accept [IO wait]".
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

// Summary returns a line that says where the program's own goroutines are.
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
