package behaviour

import (
	"fmt"
	"regexp"
	"strings"
)

// A goroutine is one of a dump that the Go runtime prints when it gets SIGQUIT.
type goroutine struct {
	id    string
	state string // as in "chan receive"
	stack string // without the line that says what created it
}

var goroutineHeader = regexp.MustCompile(`^goroutine (\d+) .*\[([^\],]+)[^\]]*\]:`)

// goroutines finds the goroutines in what a program printed.
func goroutines(log string) []goroutine {
	var all []goroutine
	for block := range strings.SplitSeq(log, "\n\n") {
		header, stack, _ := strings.Cut(strings.TrimLeft(block, "\n"), "\n")
		if m := goroutineHeader.FindStringSubmatch(header); m != nil {
			stack, _, _ = strings.Cut(stack, "created by")
			all = append(all, goroutine{m[1], m[2], stack})
		}
	}
	return all
}

// own matches the program's own functions in a stack: package main, or, where
// the program is a test binary that stands in for it, a package of this module.
var own = regexp.MustCompile(`(?m)^(?:main|example\.com/concurrent-web-server/[^.\s]*)\.(.*)\(.*\)$`)

// runs says whether a function whose name contains name is on the stack.
func (g goroutine) runs(name string) bool {
	for line := range strings.Lines(g.stack) {
		isFile := strings.HasPrefix(line, "\t")
		if !isFile && strings.Contains(strings.ToLower(line), strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// function returns the innermost of the program's own functions on the stack, or ""
// if there is none.
func (g goroutine) function() string {
	if m := own.FindStringSubmatch(g.stack); m != nil {
		return m[1]
	}
	return ""
}

// where says where a goroutine is, as in "in Accept [IO wait]".
func (g goroutine) where() string {
	if g.runs(".Accept(") {
		return fmt.Sprintf("in Accept [%s]", g.state)
	}
	function := strings.TrimPrefix(g.function(), "(*blockingListener).")
	if function == "" {
		return fmt.Sprintf("[%s]", g.state)
	}
	return fmt.Sprintf("in %s [%s]", function, g.state)
}

// summary says in a line where the program's own goroutines are.
func summary(all []goroutine) string {
	var sentences, places []string
	others := map[string]int{}
	for _, g := range all {
		where := g.where()
		if g.id == "1" {
			sentences = append(sentences, "Goroutine 1 is "+where+".")
		} else if g.function() != "" {
			if others[where]++; others[where] == 1 {
				places = append(places, where)
			}
		}
	}
	const most = 3
	for _, where := range places[:min(len(places), most)] {
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
