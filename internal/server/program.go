// Package server runs a web server as a process of its own: one of the stages, or a program
// that a reader has written. In the order of their work: program.go names and builds the program,
// start.go starts it and waits until it listens, output.go keeps what it prints, view.go observes it
// (by the kernel in proc_linux.go and sockdiag_linux.go, or by report.go, which asks the server itself),
// wait.go waits for it, server.go ends it, and cleanup.go leaves nothing behind.
package server

import (
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Program is a server that can be started, any number of times. Its methods are safe for
// concurrent use; set the fields before the first call.
type Program struct {
	// Name is what the caller called it.
	Name string
	// Go says whether the program is known to be written in Go, so that its
	// goroutines can be looked at.
	Go bool
	// Folder is the folder that its source is in, if it was built from one.
	Folder string
	// Reports says that package selfreport is linked into the program.
	Reports bool

	// At is the address of a program that has one of its own, as in "127.0.0.1:7878", or "".
	// Such a program is started as it stands, with no flags.
	At string
	// SlowPage is the path of the page that takes long.
	SlowPage string
	// SlowTakes is how long that page takes, if this cannot be set; see CanTell.
	SlowTakes time.Duration

	asked   bool // see Build.Reports
	argv    []string
	command string // the shell command of which argv is made, or ""
	temp    string // the folder of the built program, removed by Close
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

// Build says how to build a folder. The zero Build is an ordinary one.
type Build struct {
	Flags []string // for go build
	// Replace maps files of the folder, which need not exist, to files that are compiled in their
	// place: see go help build on -overlay.
	Replace map[string]string
	// Reports links package selfreport into the program, so that Server.Goroutines has an answer.
	Reports bool
}

// Open makes a Program of a folder that holds a Go main package, or of a command line for the
// shell, whose first word may be such a folder. Close the Program when done. If the source does not
// compile the error is a *BuildError.
//
// Where the command line names {port} or {addr}, {slow} or {patience}, {slow-seconds} or
// {patience-seconds}, Start puts the values there, and adds no flags.
func Open(spec string, how Build) (*Program, error) {
	if spec == "" {
		return nil, errors.New("no server: name a folder with a Go main package, or a command line")
	}
	if isFolder(spec) {
		return build(spec, how)
	}
	if folder, args, _ := strings.Cut(spec, " "); isFolder(folder) {
		p, err := build(folder, how)
		if err == nil {
			p.setCommand(ShellQuote(p.argv[0]) + " " + args)
		}
		return p, err
	}
	p := Command("")
	p.Name = spec
	p.setCommand(spec)
	if info, err := buildinfo.ReadFile(spec); err == nil {
		p.Go = info.GoVersion != ""
	}
	return p, nil
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

var assignment = regexp.MustCompile(`^\w+=`)

func (p *Program) setCommand(command string) {
	if assignment.MatchString(command) {
		command = "env " + command
	}
	p.command = command
	// exec: there is no shell between a signal and the server.
	p.argv = []string{"sh", "-c", "exec " + command + ` "$@"`, p.Name}
}

var placeholder = regexp.MustCompile(`\{(port|addr|(slow|patience)(-seconds)?)\}`)

// CanTell says whether the caller can set the value of a flag of the stages: addr, slow or
// patience. If not, the program has a value of its own.
func (p *Program) CanTell(flag string) bool {
	switch {
	case flag == "addr" && strings.Contains(p.command, "{port}"):
		return p.At == ""
	case placeholder.MatchString(p.command):
		return strings.Contains(p.command, "{"+flag)
	}
	return p.At == ""
}

// arguments returns the command line of a server that listens on addr, with flags such as
// "-slow", "300ms".
func (p *Program) arguments(addr string, flags []string) []string {
	if !placeholder.MatchString(p.command) {
		if p.At != "" {
			return p.argv
		}
		return slices.Concat(p.argv, []string{"-addr", addr}, flags)
	}
	_, port, _ := net.SplitHostPort(addr)
	values := map[string]string{"addr": addr, "port": port, "slow": "5s", "patience": "10s"} // as in the stages
	for i := 1; i < len(flags); i += 2 {
		values[strings.TrimPrefix(flags[i-1], "-")] = flags[i]
	}
	command := placeholder.ReplaceAllStringFunc(p.argv[2], func(name string) string {
		name, inSeconds := strings.CutSuffix(strings.Trim(name, "{}"), "-seconds")
		if d, err := time.ParseDuration(values[name]); inSeconds && err == nil {
			return fmt.Sprint(d.Seconds())
		}
		return values[name]
	})
	return []string{"sh", "-c", command, p.Name}
}

func build(spec string, how Build) (*Program, error) {
	folder, err := filepath.Abs(spec)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "server")
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(temp, filepath.Base(folder))
	goBuild := func(reports bool) (output []byte, err error) {
		replace := map[string]string{}
		maps.Copy(replace, how.Replace)
		if reports {
			replace[filepath.Join(folder, "zz_selfreport.go")] = filepath.Join(temp, "selfreport.go")
		}
		overlay := filepath.Join(temp, "overlay.json")
		data, err := json.Marshal(map[string]any{"Replace": replace})
		if err := cmp.Or(err, os.WriteFile(overlay, data, 0o666),
			os.WriteFile(filepath.Join(temp, "selfreport.go"), []byte(SelfReport), 0o666)); err != nil {
			return nil, err
		}
		args := slices.Concat([]string{"build", "-overlay", overlay, "-o", binary}, how.Flags)
		build := exec.CommandContext(alive, "go", args...)
		build.Dir, build.Env = folder, buildEnvironment()
		build.Cancel = func() error { return build.Process.Signal(os.Interrupt) } // it cleans up
		return build.CombinedOutput()
	}
	reports := how.Reports || needsReports()
	out, err := goBuild(reports)
	if err != nil && reports { // report the errors of the package as it is
		reports = false
		out, err = goBuild(reports)
	}
	if err != nil {
		os.RemoveAll(temp)
		return nil, &BuildError{spec, strings.TrimSpace(string(out))}
	}
	if info, err := os.Stat(binary); err != nil || info.Mode()&0o111 == 0 {
		os.RemoveAll(temp)
		return nil, fmt.Errorf("%s is a Go package, but not a main package that builds into a program", spec)
	}
	p := Command(binary)
	p.Name, p.Go, p.Folder, p.Reports, p.asked, p.temp = spec, true, folder, reports, how.Reports, temp
	return p, nil
}

// Command makes a Program of a command and its first arguments.
func Command(argv ...string) *Program {
	return &Program{Name: argv[0], SlowPage: "/sleep", argv: argv}
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
