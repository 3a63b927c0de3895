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
	// Reports says that package selfreport is in the program.
	Reports bool

	argv []string
	temp string // the folder of the built program, removed by Close
}

// A BuildError is what the compiler says of a folder that does not build.
type BuildError struct {
	Folder string
	Output string // of go build
}

func (e *BuildError) Error() string {
	// The compiler says ./main.go, seen from the folder.
	said := strings.ReplaceAll("\n"+e.Output, "\n./", "\n"+filepath.Clean(e.Folder)+"/")
	return fmt.Sprintf("%s does not build:%s", e.Folder, strings.ReplaceAll(said, "\n", "\n\t"))
}

// Open makes a Program of a folder that holds a Go main package, which it
// builds, with more flags for go build if there are any; or else of a command
// line, which the shell takes apart and replaces itself with. Close the
// Program when done. The error is a *BuildError if the compiler has found it.
func Open(spec string, buildFlags ...string) (*Program, error) {
	if spec == "" {
		return nil, errors.New("no server: name a folder with a Go main package, or a command line")
	}
	if info, err := os.Stat(spec); err == nil && info.IsDir() {
		return build(spec, buildFlags)
	}
	// exec: there is no shell between a signal and the server.
	p := Command("sh", "-c", "exec "+spec+` "$@"`, spec)
	p.Name = spec
	if info, err := buildinfo.ReadFile(spec); err == nil {
		p.Go = info.GoVersion != ""
	}
	return p, nil
}

func build(spec string, flags []string) (*Program, error) {
	folder, err := filepath.Abs(spec)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "server")
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(temp, filepath.Base(folder))
	goBuild := func(flags []string) (output []byte, err error) {
		build := exec.CommandContext(alive, "go", append(append([]string{"build"}, flags...), "-o", binary, ".")...)
		build.Dir = folder
		build.Cancel = func() error { return build.Process.Signal(os.Interrupt) } // it cleans up
		return build.CombinedOutput()
	}
	reports := false
	if needsReports() {
		with, err := addReports(folder, temp, flags)
		if err == nil {
			_, err = goBuild(with)
		}
		reports = err == nil // otherwise the compiler is to speak of the package as it is
	}
	if !reports {
		if out, err := goBuild(flags); err != nil {
			os.RemoveAll(temp)
			return nil, &BuildError{spec, strings.TrimSpace(string(out))}
		}
	}
	if info, err := os.Stat(binary); err != nil || info.Mode()&0o111 == 0 {
		os.RemoveAll(temp)
		return nil, fmt.Errorf("%s is a Go package, but not a main package that builds into a program", spec)
	}
	p := Command(binary)
	p.Name, p.Go, p.Folder, p.Reports, p.temp = spec, true, folder, reports, temp
	return p, nil
}

// Command makes a Program of a command and its first arguments.
func Command(argv ...string) *Program {
	return &Program{Name: argv[0], argv: argv}
}

// Close removes what Open built.
func (p *Program) Close() error {
	if p.temp == "" {
		return nil
	}
	return os.RemoveAll(p.temp)
}

// ShellQuote returns a text as one word of a shell's command line.
func ShellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
