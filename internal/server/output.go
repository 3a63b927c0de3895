package server

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Quote returns a sentence with what the server has printed, or the most telling part of it. It
// begins with a blank.
func (s *Server) Quote() string {
	log := strings.TrimSpace(s.Log())
	switch {
	case log == "" && s.Exited():
		return " It printed nothing."
	case log == "":
		return " It printed nothing. (Is the line flushed? Into a pipe, many languages keep it back.)"
	}
	quoted := Excerpt(log, 10)
	if s.Flooded() {
		quoted += "\n\t[and more than a megabyte of it]"
	}
	return " It printed:" + quoted
}

// crash matches the first line of the report of a crash, in the most common languages.
var crash = regexp.MustCompile(`(?m)^(Traceback \(most recent call last\)|Exception in thread|Uncaught |` +
	`thread '.*panicked at|\*\* \(|.*\bError: |panic: |fatal error: |.*[Aa]ssertion .*failed)`)

// Excerpt returns at most maxLines of the lines that a program has printed, each indented. If
// there are more, it begins with the last crash, if there is one, and leaves out the middle: the
// first line or the last ones say what went wrong.
func Excerpt(printed string, maxLines int) string {
	printed = strings.TrimSpace(printed)
	lines := slices.Compact(strings.Split(printed, "\n"))
	if crashes := crash.FindAllStringIndex(printed, -1); len(lines) > maxLines && len(crashes) > 0 {
		printed = printed[crashes[len(crashes)-1][0]:]
		lines = slices.Compact(strings.Split(printed, "\n"))
	}
	if n := len(lines) - maxLines; n > 0 {
		begin := maxLines / 3
		lines = slices.Concat(lines[:begin], []string{fmt.Sprintf("[%d lines]", n)}, lines[begin+n:])
	}
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "\n\t%.300s", strings.TrimRight(line, "\r"))
	}
	return b.String()
}

// Log returns what the server has printed so far, both streams in one, up to a megabyte.
func (s *Server) Log() string {
	text := s.log.String()
	return text[:min(len(text), maxOutput)]
}

// Flooded says whether the server has printed more than Log returns.
func (s *Server) Flooded() bool { return len(s.log.String()) > maxOutput }

// output keeps the first megabyte of what is written to it, and a byte more. It is safe for
// concurrent use.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // receives a value after a write
}

const maxOutput = 1 << 20

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p[:min(len(p), maxOutput+1-o.text.Len())])
	select {
	case o.written <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
