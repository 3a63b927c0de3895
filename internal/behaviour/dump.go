package behaviour

import (
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

// functions returns the program's own functions on the stack, innermost first,
// up to main.
func (g goroutine) functions() string {
	var names []string
	for _, m := range own.FindAllStringSubmatch(g.stack, -1) {
		if names = append(names, m[1]); m[1] == "main" {
			break // a test binary has more
		}
	}
	return strings.Join(names, ", called by ")
}
