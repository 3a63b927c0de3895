package book

import (
	"regexp"
	"slices"
	"strings"
)

// A pattern is a line of output as a page shows it, in which "..." stands for
// any text; alone, for any number of lines.
type pattern struct {
	line int // of the page
	text string
	re   *regexp.Regexp // nil for "..." alone
}

func newPattern(line int, text string) pattern {
	pat := pattern{line: line, text: text}
	shown := shownLine(text)
	if strings.TrimSpace(shown) == "..." {
		return pat
	}
	parts := strings.Split(shown, "...")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	pat.re = regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
	return pat
}

func (pat pattern) any() bool { return pat.re == nil }

// shownLine returns a line of output as a screen shows it: tabs widened to columns of
// eight, what a carriage return has overwritten gone, no blanks at the end.
func shownLine(text string) string {
	if i := strings.LastIndexByte(text, '\r'); i >= 0 {
		text = text[i+1:]
	}
	var b strings.Builder
	column := 0
	for _, r := range text {
		if r != '\t' {
			b.WriteRune(r)
			column++
			continue
		}
		for {
			b.WriteByte(' ')
			if column++; column%8 == 0 {
				break
			}
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// A matching says how far lines of output agree with patterns.
type matching struct {
	full  bool // all lines, and all patterns
	stuck int  // the index of the first line that no pattern is left for, or -1
	next  int  // the index of the pattern that was the furthest to be waited for, when stuck or at the end
}

// match compares lines of output with the patterns that they should agree with.
func match(pats []pattern, lines []string) matching {
	n := len(pats)
	at := make([]bool, n+1) // at[i]: the lines so far agree with the patterns before i
	furthest := 0
	reach := func(set []bool, i int) {
		for set[i] = true; i < n && pats[i].any(); {
			i++
			set[i] = true
		}
		furthest = max(furthest, i)
	}
	reach(at, 0)
	for l, line := range lines {
		shown := shownLine(line)
		next := make([]bool, n+1)
		before := furthest
		some := false
		for i := range n {
			if !at[i] {
				continue
			}
			switch {
			case pats[i].any():
				reach(next, i)
				some = true
			case pats[i].re.MatchString(shown):
				reach(next, i+1)
				some = true
			}
		}
		if !some {
			return matching{stuck: l, next: before}
		}
		at = next
	}
	return matching{full: at[n], stuck: -1, next: furthest}
}

// merge returns the lines that a page should show for what was printed, keeping of
// its old lines those that still agree, with their "...". A stretch that has a line
// "..." and no longer agrees is left to the writer.
func merge(old []string, lines []string) []string {
	pats := make([]pattern, len(old))
	for i, text := range old {
		pats[i] = newPattern(0, text)
	}
	// length[i][j]: as many of old[i:] and lines[j:] can be paired.
	length := make([][]int, len(old)+1)
	for i := range length {
		length[i] = make([]int, len(lines)+1)
	}
	pairs := func(i, j int) bool { return !pats[i].any() && pats[i].re.MatchString(shownLine(lines[j])) }
	for i := len(old) - 1; i >= 0; i-- {
		for j := len(lines) - 1; j >= 0; j-- {
			length[i][j] = max(length[i+1][j], length[i][j+1])
			if pairs(i, j) {
				length[i][j] = max(length[i][j], length[i+1][j+1]+1)
			}
		}
	}
	var merged, stretch, fresh []string // stretch: old lines since the last pair
	flush := func() {
		if slices.ContainsFunc(stretch, func(text string) bool { return strings.TrimSpace(text) == "..." }) {
			// What the "..." stood for, and what the other lines now are,
			// is not for us to guess.
			merged = append(merged, stretch...)
		} else {
			merged = append(merged, fresh...)
		}
		stretch, fresh = nil, nil
	}
	i, j := 0, 0
	for i < len(old) || j < len(lines) {
		switch {
		case i < len(old) && j < len(lines) && pairs(i, j) && length[i][j] == length[i+1][j+1]+1:
			flush()
			merged = append(merged, old[i])
			i, j = i+1, j+1
		case i < len(old) && (j == len(lines) || length[i+1][j] == length[i][j]):
			stretch = append(stretch, old[i])
			i++
		default:
			fresh = append(fresh, generalize(lines[j]))
			j++
		}
	}
	flush()
	return merged
}

var varying = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`0x[0-9a-f]+`), "0x..."},
	{regexp.MustCompile(`\bgoroutine ([2-9]|\d\d+)\b`), "goroutine ..."},
	{regexp.MustCompile(`\b\d+\.\d+s\b`), "...s"},
	{regexp.MustCompile(`\b\d+(?:\.\d+)?( ?ms| milliseconds)\b`), "...$1"},
	{regexp.MustCompile(`\b\d+\.\d{6}\b`), "..."}, // curl's times
	{regexp.MustCompile(`(^|[\s"'(])/(?:[\w.@-]+/)*` + copyName + `/`), "$1.../"},
	{regexp.MustCompile(`^(\s+)example\.com/concurrent-web-server/(\S+\.go:\d+)`), "$1.../$2"},
	{regexp.MustCompile(`^(\s+)([a-z]\w*/[\w/]+\.go):\d+`), "$1...$2:..."}, // Go's own
}

// generalize puts "..." for what is known to differ from run to run.
func generalize(line string) string {
	line = strings.TrimRight(line, " \t")
	for _, v := range varying {
		line = v.re.ReplaceAllString(line, v.by)
	}
	return line
}
