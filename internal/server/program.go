// Package server runs a web server as a process of its own: one of the stages,
// or whatever a reader has written. It starts it, waits until it listens, looks
// at it from outside as the operating system sees it, and ends it.
//
// The contract with the server is the stages' own: it is started with the flags
// -addr host:port and -slow duration, and once it accepts visitors it prints a
// line with "listening on http://host:port".
package server

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Program is a server that can be started, any number of times.
type Program struct {
	// Name is what the caller called it.
	Name string
	// Go says whether the program is known to be written in Go, so that its
	// goroutines can be looked at.
	Go bool
	// Folder is the folder that its source is in, if it was built from one.
	Folder string

	argv []string
	temp string // the folder of the built program, removed by Close
}

// Open makes a Program of a folder that holds a Go main package, which it
// builds, or else of a command line, which it leaves to the shell. Of several
// commands in that line the last is the server, which the shell hands the flags.
// Close the Program when done.
func Open(spec string) (*Program, error) {
	if info, err := os.Stat(spec); err != nil || !info.IsDir() {
		if spec == "" {
			return nil, errors.New("no server: name a folder with a Go main package, or a command line")
		}
		p := Command("sh", "-c", replaceShell(spec)+` "$@"`, spec).named(spec)
		if info, err := buildinfo.ReadFile(spec); err == nil {
			p.Go = info.GoVersion != ""
		}
		return p, nil
	}
	temp, err := os.MkdirTemp("", "server")
	if err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(spec)
	if err != nil {
		return nil, err
	}
	readSources(folder)
	binary := filepath.Join(temp, filepath.Base(folder))
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = folder
	if out, err := build.CombinedOutput(); err != nil {
		os.RemoveAll(temp)
		return nil, fmt.Errorf("%s is a folder, and go build does not make a program of it:\n\t%s", spec, strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", "\n\t"))
	}
	if info, err := os.Stat(binary); err != nil || info.Mode()&0o111 == 0 {
		os.RemoveAll(temp)
		return nil, fmt.Errorf("%s is a Go package, but not a main package that builds into a program", spec)
	}
	p := Command(binary).named(spec)
	p.Go, p.Folder, p.temp = true, folder, temp
	return p, nil
}

var (
	assignments = regexp.MustCompile(`^\s*([A-Za-z_][A-Za-z_0-9]*=[^\s'"\x60\\$]*\s+)*`)
	command     = regexp.MustCompile(`^[\w./~$"'-][^=\s]*(\s|$)`)
)

// replaceShell has the shell replaced by the server, which is the last command of the
// line: there is one process less then between a signal and the server. A line that it
// does not understand it leaves as it is.
func replaceShell(line string) string {
	at := lastCommand(line)
	at += len(assignments.FindString(line[at:]))
	words := strings.Fields(line[at:])
	keywords := []string{"exec", "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "time"}
	if !command.MatchString(line[at:]) || slices.Contains(keywords, words[0]) {
		return line
	}
	return line[:at] + "exec " + line[at:]
}

// lastCommand returns where the last command of a line of shell begins: after the
// last && or semicolon that is not quoted. If there is anything else about
// the line, such as a pipe, a background job or an alternative, that is the end of the line.
func lastCommand(line string) int {
	last := 0
	var quote byte
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == ';':
			last = i + 1
		case strings.HasPrefix(line[i:], "&&"):
			i++
			last = i + 1
		case c == '&' && i > 0 && (line[i-1] == '>' || line[i-1] == '<'): // as in 2>&1
		case strings.ContainsRune("|&\n#", rune(c)):
			return len(line)
		}
	}
	return last
}

// readSources opens every file of a folder, for the sake of go test: it takes a
// test to have the same result as the last time, and says (cached), unless a
// file that the test process itself has opened has changed. What go build opens
// does not count. An error is left for go build to report.
func readSources(folder string) {
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		if entry.Type().IsRegular() {
			os.ReadFile(filepath.Join(folder, entry.Name()))
		}
	}
}

// Command makes a Program of a command and its first arguments.
func Command(argv ...string) *Program {
	return &Program{Name: argv[0], argv: argv}
}

func (p *Program) named(name string) *Program {
	p.Name = name
	return p
}

// Close removes what Open built.
func (p *Program) Close() error {
	if p.temp == "" {
		return nil
	}
	return os.RemoveAll(p.temp)
}
