package behaviour

import (
	"fmt"
	"slices"
	"strings"
)

// width is how many columns a verdict has: 80, less the four by which go test indents it.
const width = 76

// A page is text in a limited number of rows.
type page struct {
	rows  int // at most; 0 for no limit
	tail  int // rows that are reserved for the end
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

// String returns the page, without the lines at its end that do not fit.
func (p *page) String() string {
	lines := p.lines
	if p.rows > 0 {
		lines = cut(lines, p.rows)
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
}

// explain adds, after the text before, which script failed and where, the reason, and the hint. If
// there are few rows it leaves out blank lines first, then the earlier sentences of the script, and
// then the end of the reason.
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
	const minReason = 3 // rows
	room := p.left() - 1 - min(len(reason), minReason) - len(hint)
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
	reasonRows := max(1, p.left()-1-len(sentences)-len(blank)-len(hint))
	p.add([]string{where + ":"}, sentences, blank, cut(reason, reasonRows), cut(hint, max(1, p.left()-2)))
}

// wrap breaks a text into lines that fit, all with the indentation of the first.
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

// brief returns the first line of a reason, with the next one if the first ends in a colon, as it
// does before output of the server.
func brief(reason string) string {
	line, rest, _ := strings.Cut(reason, "\n")
	if strings.HasSuffix(line, ":") {
		next, _, _ := strings.Cut(rest, "\n")
		line += " " + strings.TrimSpace(next)
	}
	return line
}
