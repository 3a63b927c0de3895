package book

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A segment is one command of a console block, or one key that is pressed, or what
// a command goes on to print; with the output that the page shows.
type segment struct {
	line    int      // of the page
	command []string // the lines that are typed, if any
	key     string   // what is pressed, if anything
	first   int      // of the page, where the output begins
	output  []string
}

// patterns returns the output that the page shows.
func (seg segment) patterns() []pattern {
	var pats []pattern
	for i, text := range seg.output {
		pats = append(pats, newPattern(seg.first+i, text))
	}
	return pats
}

var keys = map[string]string{"^C": "\x03", `^\`: "\x1c"}

// segments takes a console block apart. The first may be one without a command.
func (blk *block) segments() ([]segment, error) {
	var segments []segment
	for i, text := range blk.lines {
		line := blk.line + 1 + i
		var last *segment
		if len(segments) > 0 {
			last = &segments[len(segments)-1]
		}
		switch {
		case text == "$":
			return nil, fmt.Errorf("line %d: a prompt without a command", line)
		case strings.HasPrefix(text, "$ "):
			segments = append(segments, segment{line: line, first: line + 1, command: []string{text[2:]}})
			continue
		case last != nil && len(last.output) == 0 && last.key == "" && incomplete(last.command):
			next, ok := strings.CutPrefix(text, "> ")
			if !ok && text != ">" {
				return nil, fmt.Errorf("line %d: the shell wants more of the command above, and shows its prompt for that, \"> \"", line)
			}
			last.command = append(last.command, next)
			last.first = line + 1
			continue
		}
		for shown, key := range keys {
			if strings.HasPrefix(text, shown) {
				segments = append(segments, segment{line: line, first: line, key: key})
			}
		}
		if len(segments) == 0 {
			segments = append(segments, segment{line: line, first: line})
		}
		last = &segments[len(segments)-1]
		last.output = append(last.output, text)
	}
	if len(segments) == 0 {
		return nil, errors.New("the block is empty")
	}
	return segments, nil
}

var (
	goesOn  = regexp.MustCompile(`(\\|\||&&|\b(do|then|else)|\{|\()$`)
	hereDoc = regexp.MustCompile(`<<-?\s*['"]?(\w+)['"]?`)
	opens   = regexp.MustCompile(`(^|[;&|]\s*)(if|for|while|until|case)\b`)
	closes  = regexp.MustCompile(`(^|[;&|]\s*)(fi|done|esac)\b`)
)

// incomplete says whether a shell would ask for more of the command.
func incomplete(command []string) bool {
	if len(command) == 0 {
		return false
	}
	if m := hereDoc.FindStringSubmatch(command[0]); m != nil {
		return len(command) == 1 || strings.TrimLeft(command[len(command)-1], "\t") != m[1]
	}
	open := 0
	var quote rune
	for _, line := range command {
		open += len(opens.FindAllString(line, -1)) - len(closes.FindAllString(line, -1))
		escaped := false
		for _, r := range line {
			switch {
			case escaped:
				escaped = false
			case r == '\\' && quote != '\'':
				escaped = true
			case quote == 0 && (r == '\'' || r == '"'):
				quote = r
			case r == quote:
				quote = 0
			}
		}
	}
	return quote != 0 || open > 0 || goesOn.MatchString(strings.TrimRight(command[len(command)-1], " "))
}

var (
	terminalName = regexp.MustCompile(`(?i)\*\*terminal (\d+)\*\*`)
	testAll      = regexp.MustCompile(`\bgo test\b.*(\.\.\.|internal/book)|\bmake (test|race)\b`)
)

// terminal returns the terminal that a console block belongs to: "" if none is
// named. The error says that there are several.
func (blk *block) terminal() (string, error) {
	name := ""
	if blk.caption == nil {
		return "", nil
	}
	for _, m := range terminalName.FindAllStringSubmatch(blk.caption.masked, -1) {
		if name != "" && name != m[1] {
			return "", fmt.Errorf("the paragraph before the block names terminal %s and terminal %s: which is it?", name, m[1])
		}
		name = m[1]
	}
	return name, nil
}

// checkConsole checks what can be seen of a session without running it.
func (b *Book) checkConsole(p *page, blk *block) {
	segments, err := blk.segments()
	if err != nil {
		b.problemf(p.name, blk.line, "%v", err)
	}
	for _, seg := range segments {
		command := strings.Join(seg.command, "\n")
		if testAll.MatchString(command) && !simulated(command) {
			b.problemf(p.name, seg.line, "%q would run itself: only `go test ./...` and `make test` may stand here, whose output is checked without running them", command)
		}
	}
	name, err := blk.terminal()
	if err != nil {
		b.problemf(p.name, blk.line, "%v", err)
		return
	}
	if name != "" {
		return
	}
	for _, other := range p.blocks {
		if other.lang != "console" || other.unchecked {
			continue
		}
		if n, _ := other.terminal(); n != "" {
			b.problemf(p.name, blk.line, "which terminal is this? The page has more than one: the paragraph before the block has to name it in bold, **terminal %s** or another", n)
			return
		}
	}
}

func simulated(command string) bool { return command == "go test ./..." || command == "make test" }
