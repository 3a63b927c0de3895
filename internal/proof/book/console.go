package book

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A segment is one command of a console block, or one key that is pressed, or what
// an earlier command goes on to print; with the output that the page shows.
type segment struct {
	line    int    // of the page
	command string // what is typed, if anything
	key     string // what is pressed, if anything
	output  []shownLine
}

// A shownLine is a line of output as a page shows it, in which "..." stands for any
// text; alone, for any number of lines.
type shownLine struct {
	line int // of the page
	text string
	blk  *block
}

var keys = map[string]string{"^C": "\x03", `^\`: "\x1c"}

// segments takes a console block apart. Only the first segment may have neither a
// command nor a key.
func (blk *block) segments() []*segment {
	var segments []*segment
	continued := false
	for i, text := range blk.lines {
		line := blk.line + 1 + i
		if continued {
			last := segments[len(segments)-1]
			last.command += strings.TrimPrefix(text, "> ")
			last.command, continued = strings.CutSuffix(last.command, `\`)
			continue
		}
		if command, ok := strings.CutPrefix(text, "$ "); ok {
			command, continued = strings.CutSuffix(command, `\`)
			segments = append(segments, &segment{line: line, command: command})
			continue
		}
		key := keys[text[:min(2, len(text))]]
		if key != "" || len(segments) == 0 {
			segments = append(segments, &segment{line: line, key: key})
		}
		last := segments[len(segments)-1]
		last.output = append(last.output, shownLine{line, text, blk})
	}
	return segments
}

var terminalName = regexp.MustCompile(`(?i)\*\*terminal (\d+)\*\*`)

// terminals returns the names of the terminals, "1" and so on, that the paragraph
// before the block has.
func (blk *block) terminals() []string {
	var names []string
	for _, m := range terminalName.FindAllStringSubmatch(blk.caption, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

// terminal returns the terminal that the block belongs to.
func (blk *block) terminal() string { return append(blk.terminals(), "1")[0] }

// checkConsole checks what can be seen of a session without running it.
func (b *Book) checkConsole(p *page, blk *block) {
	if len(blk.lines) == 0 {
		b.problemf(p.name, blk.line, "the block is empty")
	}
	switch names := blk.terminals(); {
	case len(names) > 1:
		b.problemf(p.name, blk.line, "the paragraph before the block names terminal %s: which is it?", strings.Join(names, " and terminal "))
	case len(names) == 0 && slices.ContainsFunc(p.blocks, func(other *block) bool { return other.lang == "console" && len(other.terminals()) > 0 }):
		b.problemf(p.name, blk.line, "which terminal is this? The page has more than one: the paragraph before the block has to name it in bold, as in **terminal 1**")
	}
}

// An output is what a page shows of the output of one command, in one block or more.
type output []shownLine

// pattern returns a regular expression for the lines, each complete. If loose, the
// number of a line of Go may be any, and is a group.
func (o output) pattern(loose bool) string {
	var b strings.Builder
	for _, l := range o {
		if strings.TrimSpace(l.text) == "..." {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		quoted := regexp.QuoteMeta(strings.TrimRight(l.text, " "))
		if loose {
			quoted = goLine.ReplaceAllString(quoted, `$1(\d+)`)
		}
		b.WriteString(strings.ReplaceAll(quoted, `\.\.\.`, `.*`) + `\n`)
	}
	return b.String()
}

var goLine = regexp.MustCompile(`(\.go:)\d+`)

// endLine ends a text's last line, if it is not empty and has no end.
func endLine(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// matches says whether text is what the page shows.
func (o output) matches(text string, loose bool) bool {
	return regexp.MustCompile(`^` + o.pattern(loose) + `$`).MatchString(endLine(text))
}

// begins says whether all that the page shows has appeared in text, which may go on.
func (o output) begins(text string, loose bool) bool {
	return regexp.MustCompile(`^` + o.pattern(loose)).MatchString(endLine(text))
}

// possible says whether text can still become what the page shows, once more is
// printed.
func (o output) possible(text string, loose bool) bool {
	complete := text[:strings.LastIndexByte(text, '\n')+1] // the last line may get longer
	for n := range len(o) + 1 {
		if o[:n].matches(complete, loose) {
			return true
		}
	}
	return o.begins(text, loose)
}

// difference says, of a text that is not what the page shows, where the two part.
func (o output) difference(text string) (line int, message string) {
	n := 0
	for n < len(o) && o[:n+1].begins(text, false) {
		n++
	}
	rest := strings.SplitAfter(text, "\n")
	real := "nothing more"
	for i := range rest {
		if o[:n].matches(strings.Join(rest[:i], ""), false) && i < len(rest)-1 {
			real = strings.TrimSuffix(rest[i], "\n")
		}
	}
	if n == len(o) {
		return o.line(), fmt.Sprintf("prints a line that the page does not show:\n\treal: %s", real)
	}
	return o[n].line, fmt.Sprintf("does not print what the page shows:\n\tpage: %s\n\treal: %s", o[n].text, real)
}

// line returns the number of the last line.
func (o output) line() int {
	if len(o) == 0 {
		return 0
	}
	return o[len(o)-1].line
}
