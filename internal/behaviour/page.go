package behaviour

import (
	"fmt"
	"slices"
	"strings"
)

// width is how many columns a verdict has: 80, less the four by which go test indents it.
const width = 76

// A page is text in at most so many rows.
type page struct {
	rows  int // 0 for as many as there are
	tail  int // rows to be kept for what comes after
	lines []string
}

func (p *page) add(paragraphs ...[]string) {
	for _, lines := range paragraphs {
		p.lines = append(p.lines, lines...)
	}
}

// left returns how many rows are left, before the tail.
func (p *page) left() int {
	if p.rows == 0 {
		return 1000
	}
	return p.rows - p.tail - len(p.lines)
}

// String returns the page. What does not fit is left out at its end.
func (p *page) String() string {
	lines := p.lines
	if p.rows > 0 {
		lines = cut(lines, p.rows)
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
}

// explain adds, after some words, which script failed and where, what was seen, and the hint.
// Where the rows are few it leaves out blank lines first, then the earlier sentences of the
// script, and then the end of what was seen.
func (p *page) explain(before string, r Result) {
	where := before + "testdata/" + r.Script + ".txtar"
	if before != "" {
		where = before + r.Script // which fits on a line
	}
	if r.Line > 0 {
		where += fmt.Sprintf(", line %d", r.Line)
	}
	var reason []string
	for line := range strings.SplitSeq(strings.ReplaceAll(r.Reason, "\n\t", "\n    "), "\n") {
		reason = append(reason, wrap(line)...)
	}
	hint := wrap(r.Hint)
	const minSeen = 3 // rows of what was seen
	room := p.left() - 1 - min(len(reason), minSeen) - len(hint)
	var sentences []string
	for _, sentence := range slices.Backward(r.Sentences) {
		lines := wrap("    " + sentence)
		if len(sentences)+len(lines) > room {
			break
		}
		sentences = append(lines, sentences...)
	}
	blank := []string{""}
	if 1+len(sentences)+1+len(reason)+len(hint) > p.left() {
		blank = nil
	}
	seen := max(1, p.left()-1-len(sentences)-len(blank)-len(hint))
	p.add([]string{where + ":"}, sentences, blank, cut(reason, seen), cut(hint, max(1, p.left()-2)))
}

// wrap breaks a text into lines that fit. Lines after the first are indented as the first is.
func wrap(text string) []string {
	if text == "" {
		return nil
	}
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	var lines []string
	line := []rune(indent)
	for _, word := range strings.Fields(text) {
		if len(line) > len(indent) {
			word = " " + word
		}
		for _, letter := range word {
			if len(line) == width || len(line)+len([]rune(word)) > width && letter == ' ' {
				lines, line = append(lines, string(line)), []rune(indent)
			}
			if letter != ' ' || len(line) > len(indent) {
				line = append(line, letter)
			}
		}
	}
	return append(lines, string(line))
}

// cut returns the first lines. If there are more, the last of them ends in dots.
func cut(lines []string, n int) []string {
	if len(lines) <= n {
		return lines
	}
	lines = slices.Clone(lines[:max(n, 0)])
	if n > 0 {
		last := []rune(lines[n-1])
		lines[n-1] = string(last[:min(len(last), width-4)]) + " ..."
	}
	return lines
}

// brief returns the first line of a reason, and the one after it if the first ends in a colon,
// as it does before something that the server has printed.
func brief(reason string) string {
	line, rest, _ := strings.Cut(reason, "\n")
	if strings.HasSuffix(line, ":") {
		next, _, _ := strings.Cut(rest, "\n")
		line += " " + strings.TrimSpace(next)
	}
	return line
}
