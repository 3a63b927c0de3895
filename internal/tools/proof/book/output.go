package book

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A step is one command of a console block, or one key that is pressed, or what an
// earlier command goes on to print; with the output that the page shows.
type step struct {
	line    int    // of the page
	command string // what is typed, if anything
	key     string // what is pressed, if anything
	output  []shownLine
}

// A shownLine is a line of output as a page shows it, in which "..." stands for any
// text; alone, for any number of lines.
type shownLine struct {
	blk  *block
	line int // of the page
	text string
}

var keys = map[string]string{"^C": "\x03", `^\`: "\x1c"}

// steps takes a console block apart. Only the first step may have neither a command
// nor a key.
func (blk *block) steps() (steps []*step) {
	last := &step{}
	for i, text := range blk.lines {
		line := blk.line + 1 + i
		command, typed := strings.CutPrefix(text, "$ ")
		key := keys[text[:min(2, len(text))]]
		begun, goesOn := strings.CutSuffix(last.command, `\`)
		switch {
		case goesOn:
			last.command = begun + strings.TrimPrefix(text, "> ")
			continue
		case typed:
			last = &step{line: line, command: command}
			steps = append(steps, last)
			continue
		case key != "" || i == 0:
			last = &step{line: line, key: key}
			steps = append(steps, last)
		}
		last.output = append(last.output, shownLine{blk, line, text})
	}
	return steps
}

// checkConsoles checks what can be seen of the page's sessions without running them.
func (p *page) checkConsoles() {
	several := slices.ContainsFunc(p.blocks, func(blk *block) bool { return len(blk.terminals) > 0 })
	for _, blk := range p.blocks {
		switch {
		case blk.kind != "console":
		case len(blk.lines) == 0:
			p.problemf(blk.line, "the block is empty")
		case len(blk.terminals) > 1:
			p.problemf(blk.line, "the paragraph before the block names %s: which is it?",
				strings.Join(blk.terminals, " and "))
		case len(blk.terminals) == 0 && several:
			p.problemf(blk.line, "which terminal is this? The page has more than one: "+
				"the paragraph before the block has to name it in bold, as in **terminal 1**")
		}
	}
}

// An output is what a page shows of the output of one command, in one block or more.
type output struct {
	lines    []shownLine
	all      *regexp.Regexp // all that is shown, and no more
	begin    *regexp.Regexp // all that is shown, and what more there is
	possible *regexp.Regexp // complete lines, to which may come what is missing
}

var goLine = regexp.MustCompile(`(\.go:)\d+`)

func newOutput(lines []shownLine) output {
	var all, some strings.Builder
	for _, l := range lines {
		all.WriteString(l.pattern())
		some.WriteString(`(?:` + l.pattern())
	}
	some.WriteString(strings.Repeat(`)?`, len(lines)) + `$`)
	// What is waited for may have the number of another line of Go: it is told in the end.
	loose := func(b *strings.Builder) *regexp.Regexp {
		return regexp.MustCompile(`^` + goLine.ReplaceAllString(b.String(), `$1\d+`))
	}
	return output{lines, regexp.MustCompile(`^` + all.String() + `$`), loose(&all), loose(&some)}
}

// pattern returns a regular expression for what a line of the page stands for.
func (l shownLine) pattern() string {
	if strings.TrimSpace(l.text) == "..." {
		return `(?:.*\n)*`
	}
	return wildcards(strings.TrimRight(l.text, " ")) + `\n`
}

// wildcards returns a regular expression for a text in which "..." stands for any text.
func wildcards(text string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(text), `\.\.\.`, `.*`)
}

// appeared says whether all that the page shows has been printed. What more there is does
// not matter.
func (o output) appeared(text string) bool { return o.begin.MatchString(endLine(text)) }

// canAppear says whether all that the page shows has been printed, or may still be. The
// last line of text may get longer.
func (o output) canAppear(text string) bool {
	return o.appeared(text) || o.possible.MatchString(text[:strings.LastIndexByte(text, '\n')+1])
}

// endLine ends a text's last line, if it is not empty and has no end.
func endLine(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// difference says where a text and what the page shows part, and the page's line, which is
// 0 if the page shows nothing.
func (o output) difference(text string) (line int, message string) {
	text = endLine(text)
	pattern := "^"
	n, end := 0, 0 // the lines that have been printed, and where in text they end
	for n < len(o.lines) {
		pattern += o.lines[n].pattern()
		m := regexp.MustCompile(pattern).FindStringIndex(text)
		if m == nil {
			break
		}
		line, n, end = o.lines[n].line, n+1, m[1]
	}
	real, _, more := strings.Cut(text[end:], "\n")
	if n < len(o.lines) {
		if !more {
			real = "nothing more"
		}
		return o.lines[n].line, fmt.Sprintf("does not print what the page shows:\n\tpage: %s\n\treal: %s",
			o.lines[n].text, real)
	}
	if more {
		return line, "prints a line that the page does not show:\n\treal: " + real
	}
	return line, "prints what the page shows, and goes on, and is no visitor who waits; is a ^C missing?"
}

// varying is what is known to differ from run to run, and what the page shows for it.
var varying = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`0x[0-9a-f]+`), "0x..."},
	{regexp.MustCompile(`\bgoroutine ([2-9]|\d\d+)\b`), "goroutine ..."},
	{regexp.MustCompile(`\b\d+(?:\.\d+)?( ?m?s| milliseconds)\b`), "...$1"},
}

// edits returns the edits that make the page show what a terminal's last command has
// printed. If all but the numbers of lines of Go agrees, it writes these alone. It returns
// nil if the page shows parts, in several blocks.
func (o output) edits(t *terminal, text string) (edits []edit) {
	loose := goLine.ReplaceAllString(o.all.String(), `$1(\d+)`)
	if numbers := regexp.MustCompile(loose).FindStringSubmatch(text); numbers != nil {
		for _, l := range o.lines {
			real := goLine.ReplaceAllStringFunc(l.text, func(string) string {
				numbers = numbers[1:]
				return ".go:" + numbers[0]
			})
			edits = append(edits, l.blk.edit(l.line, 1, []string{real}))
		}
		return edits
	}
	blk, first := t.blk, t.line+1
	if n := len(o.lines); n > 0 {
		blk, first = o.lines[0].blk, o.lines[0].line
		if o.lines[n-1].line != first+n-1 {
			return nil
		}
	}
	for _, v := range varying {
		text = v.re.ReplaceAllString(text, v.by)
	}
	lines := strings.Split(text, "\n")
	return []edit{blk.edit(first, len(o.lines), lines[:len(lines)-1])}
}
