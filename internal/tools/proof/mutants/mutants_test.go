package mutants

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

const root = "../../../.."

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "12") // a script mostly waits
	os.Exit(m.Run())
}

// TestMutants runs against each mutant the script that must fail, which has to give the reason
// and the hint of the table. The first mutant of each file of the table stands for the others: all
// scripts that come before have to pass, so that the verdict shows the right one. The
// variants have to pass all scripts of their stage, and the stages themselves the slow scripts.
// With -short the latter two are left out, and so are all scripts but the one that must fail.
func TestMutants(t *testing.T) {
	// Only those that match the second part of -run are built.
	_, pattern, _ := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	wanted := regexp.MustCompile(pattern)
	table := slices.DeleteFunc(readTable(t), func(m *mutant) bool {
		return !wanted.MatchString(strings.ReplaceAll(m.title(), " ", "_")) ||
			testing.Short() && (m.leads == nil || slow(m.scripts[0]))
	})
	programs := build(t, table)
	for i, m := range table {
		t.Run(m.title(), func(t *testing.T) {
			t.Parallel()
			examine(t, m, programs[i])
		})
	}
}

// rows is how many lines of a terminal of 24 a verdict may take.
const rows = 17

func examine(t *testing.T, m *mutant, program *server.Program) {
	runner := &behaviour.Runner{Root: root, Program: program, Strict: true, Deadline: behaviour.Deadline(t)}
	var results []behaviour.Result
	switch {
	case slow(m.scripts[0]):
		runner.Root = "."
		fallthrough
	case len(m.scripts) == 1:
		for _, script := range m.scripts {
			results = append(results, runner.RunAlone(script))
		}
	default:
		results = runner.Run(t.Context(), m.scripts, 8, nil)
	}
	failed := behaviour.Failures(results)
	// A fault that lasts for a moment can be missed while the machine is busy.
	for try := 0; try < 2 && len(failed) == 0 && m.leads != nil; try++ {
		results = append(results, runner.RunAlone(m.leads[0]))
		failed = behaviour.Failures(results)
	}
	if len(failed) == 0 {
		if m.leads != nil {
			t.Errorf("%q should fail, and this came of the scripts: %v", m.leads, results)
		}
		return
	}
	report := &behaviour.Report{Who: m.stage.Folder, Stage: &m.stage, Strict: true, Results: results,
		Again: "go test ./" + m.stage.Folder + " -run /NAME -v"}
	verdict, _ := report.Verdict(rows)
	t.Log(verdict)
	switch first := failed[0]; {
	case !slices.Contains(m.leads, first.Script):
		t.Errorf("%s fails first; want %q", first.Script, m.leads)
	case first.Undecided:
		t.Errorf("it is undecided")
	case !m.because.MatchString(first.Reason):
		t.Errorf("the reason is not %q", m.because)
	case !strings.Contains(first.Hint, m.hint):
		t.Errorf("the hint is not %q", m.hint)
	case strings.Count(verdict, "\n") > rows:
		t.Errorf("the verdict has more than %d lines", rows)
	}
}

const module = "example.com/concurrent-web-server/mutants"

// build returns a program for each mutant. All are packages of one binary, because to link each
// would take most of the time; the first argument says which to run.
func build(t *testing.T, table []*mutant) []*server.Program {
	t.Helper()
	temp := t.TempDir()
	binary := filepath.Join(temp, "server")
	var programs []*server.Program
	var titles, packages, mains []string // titles has the name of each package, and what it stands for
	for i, m := range table {
		name := fmt.Sprintf("m%03d", i)
		// The source is a program of its own as well, for the scripts that build it.
		source := filepath.Join(temp, "source", name, m.stage.Folder)
		for file, text := range m.patched(t) {
			write(t, filepath.Join(source, file), text)
			text = strings.Replace(text, "package main\n", "package "+name+"\n", 1)
			write(t, filepath.Join(temp, name, file), text)
		}
		write(t, filepath.Join(temp, name, "flags.go"), "package "+name+ownFlags)
		write(t, filepath.Join(temp, "source", name, "go.mod"), "module example.com/concurrent-web-server\n\ngo 1.25\n")
		titles = append(titles, name, m.title())
		packages = append(packages, fmt.Sprintf("import %q\n", module+"/"+name))
		mains = append(mains, fmt.Sprintf("\t%q: %s.Main,\n", name, name))
		p := server.Command(binary, name)
		p.Name, p.Go, p.Folder, p.Reports = "The server", true, source, true
		programs = append(programs, p)
	}
	write(t, filepath.Join(temp, "go.mod"), "module "+module+"\n\ngo 1.25\n")
	write(t, filepath.Join(temp, "main.go"), fmt.Sprintf(mainFile, strings.Join(packages, ""), strings.Join(mains, "")))
	write(t, filepath.Join(temp, "selfreport.go"), server.SelfReport)
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-w", "-o", binary)
	build.Dir = temp
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the mutants do not build:\n%s", strings.NewReplacer(titles...).Replace(string(out)))
	}
	return programs
}

// ownFlags is the rest of a file of each mutant, which gives it a set of flags of its own: all
// are packages of one program. It is initialized before main.go is.
const ownFlags = `

import "flag"

var flags = newFlags()

func newFlags() *flag.FlagSet {
	flag.CommandLine = flag.NewFlagSet("server", flag.ExitOnError)
	return flag.CommandLine
}

func Main() {
	flag.CommandLine = flags
	main()
}
`

// mainFile is the main file of the binary, given the imports and the entries of the map.
const mainFile = `package main

import "os"
%s
var mains = map[string]func(){
%s}

func main() {
	name := os.Args[1]
	os.Args = append([]string{"server"}, os.Args[2:]...)
	mains[name]()
}
`

// write writes a file, and makes its folder.
func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
