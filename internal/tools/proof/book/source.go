package book

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// checkSource checks that the lines of an excerpt or a diff are those of the files that it names.
func (b *book) checkSource(p *page, blk *block) {
	var source string
	var err error
	switch files := strings.Fields(blk.args); {
	case blk.kind != "excerpt" && blk.kind != "diff":
		return
	case blk.kind == "excerpt" && len(files) == 1 && len(blk.lines) > 0:
		source = b.read(files[0])
	case blk.kind == "diff" && len(files) == 2 && len(blk.lines) > 0:
		source, err = b.diff(files[0], files[1])
	default:
		err = errors.New("want: excerpt FILE, or diff OLD NEW, and lines of them")
	}
	if err != nil {
		b.problemf(p, blk.line, "%s %s: %v", blk.kind, blk.args, err)
		return
	}
	n := len(blk.lines)
	for n > 0 && !shows(source, blk.lines[:n]) {
		n--
	}
	if n < len(blk.lines) {
		b.problemf(p, blk.line+1+n, "this line is not in %s, or not in this place: %q", blk.args, blk.lines[n])
	}
}

var (
	gap       = regexp.MustCompile(`(?m)^[ \t]*(// \\\.\\\.\\\.|@@)\n`) // quoted, as a regular expression
	lineStart = regexp.MustCompile(`(?m)^(.)`)
)

// shows says whether a text has these lines, each indented by as much more as the first. A line
// "// ..." or "@@" stands for any number of lines.
func shows(text string, lines []string) bool {
	quoted := regexp.QuoteMeta(strings.Join(lines, "\n") + "\n")
	for line := range strings.Lines(text) {
		outer, ok := strings.CutSuffix(line, lines[0]+"\n")
		if !ok || strings.TrimSpace(outer) != "" {
			continue
		}
		pattern := gap.ReplaceAllLiteralString(lineStart.ReplaceAllString(quoted, outer+"$1"), `(?:.*\n)*`)
		if regexp.MustCompile("(?m)^" + pattern).MatchString(text) {
			return true
		}
	}
	return false
}

// diff returns all lines of two Go files from the package clause on, each with its sign.
func (b *book) diff(from, to string) (string, error) {
	cmd := exec.Command("diff", "-U", "9999", from, to)
	cmd.Dir = b.root
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() == 1 { // they differ
		err = nil
	}
	_, code, _ := strings.Cut(string(out), "\n package ")
	return code, err
}

var changed = regexp.MustCompile(`^[-+].`)

// checkWhole checks that the diffs of two files on a page show every line that has changed, other
// than empty lines.
func (b *book) checkWhole(p *page) {
	shown := make(map[string][]string) // by the names of the files
	for _, blk := range p.blocks {
		if blk.kind == "diff" {
			shown[blk.args] = append(shown[blk.args], blk.lines...)
		}
	}
	for args, lines := range shown {
		from, to, _ := strings.Cut(args, " ")
		code, _ := b.diff(from, to)
		for line := range strings.SplitSeq(code, "\n") {
			if i := slices.Index(lines, line); i >= 0 {
				lines = slices.Delete(lines, i, i+1)
			} else if changed.MatchString(line) {
				b.problemf(p, 1, "the diffs from %s to %s do not show every change: %q is missing", from, to, line)
				break
			}
		}
	}
}

var goSource = regexp.MustCompile(`^https://github\.com/golang/go/blob/(go[0-9.]+)/(.+)$`)

// lineNumber returns the number of the only line of a file that has the text; blanks do not
// count. The file is in the repository, or in the source of Go, if dest leads there.
func (b *book) lineNumber(name, dest, text string) (int, error) {
	file := filepath.Join(b.root, name)
	if m := goSource.FindStringSubmatch(dest); m != nil {
		cmd := exec.Command("go", "env", "GOROOT")
		cmd.Env = append(os.Environ(), "GOTOOLCHAIN="+m[1], "GOROOT=")
		root, err := cmd.Output()
		if err != nil {
			return 0, fmt.Errorf("the source of %s is not to be had: %v", m[1], err)
		}
		name, file = dest, filepath.Join(strings.TrimSpace(string(root)), filepath.FromSlash(m[2]))
	}
	data, err := os.ReadFile(file)
	var lines []int
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	for i, line := range strings.Split(string(data), "\n") {
		if strings.Contains(squeeze(line), squeeze(text)) {
			lines = append(lines, i+1)
		}
	}
	if len(lines) != 1 || err != nil {
		return 0, fmt.Errorf("%d lines of %s have %q; a link to a line quotes that line alone", len(lines), name, text)
	}
	return lines[0], nil
}
