package mutants

import (
	"flag"
	"fmt"
	"maps"
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
	os.Setenv("GORACE", "atexit_sleep_ms=10")
	flag.Set("test.parallel", "12") // a story mostly waits
	os.Exit(m.Run())
}

// TestMutants tells every mutant the stories of its stage, in their order, up to the one
// that is to lead. All before it have to hold, and it has to fail for the reason
// named, with the hint named. With -short a mutant is told the story that is to lead alone, and
// those of the slow stories and of the race detector are left out, and so are the variants.
func TestMutants(t *testing.T) {
	t.Parallel()
	table, err := readTable()
	if err != nil {
		t.Fatal(err)
	}
	// No other than those that match the second part of -run is built.
	_, pattern, _ := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	wanted := regexp.MustCompile(pattern)
	table = slices.DeleteFunc(table, func(m *mutant) bool {
		return !wanted.MatchString(strings.ReplaceAll(m.title(), " ", "_")) ||
			testing.Short() && (m.leads == "nothing" || slow(m.leads) || m.how == "race")
	})
	programs := build(t, table)
	for _, m := range table {
		t.Run(m.title(), func(t *testing.T) {
			t.Parallel()
			if programs[m] == nil {
				t.Skip("there is no race detector here")
			}
			examine(t, m, programs[m])
		})
	}
}

// costly are the stories that take most of the table's time, with hundreds of visitors or
// megabytes. Before the one that is to lead they are told only of the mutants of which all
// stories are told.
var costly = []string{
	"manners/too-long", "manners/visitors-leave", "manners/accept-fails",
	"many-at-once/many-slow-requests", "manners/no-descriptors-left",
	"thread-per-visitor/silent-visitors", "waiting-is-free/silent-visitors",
}

// rows is how many a verdict has of a terminal of 24.
const rows = 17

func examine(t *testing.T, m *mutant, program *server.Program) {
	runner := newRunner(t, m, program)
	leads := strings.Split(m.leads, "|")
	var results []behaviour.Result
	if m.how == "alone" || slow(m.leads) {
		results = append(results, runner.RunAlone(leads[0]))
	} else {
		results = runner.Run(t.Context(), scripts(t, m, leads), 8, nil)
	}
	failed := behaviour.Failures(results)
	// What is wrong for a moment only is not seen by a machine that is busy elsewhere for as long.
	for try := 0; try < 5 && len(failed) == 0 && m.leads != "nothing"; try++ {
		results = append(results, runner.RunAlone(leads[0]))
		failed = behaviour.Failures(results)
	}
	if len(failed) == 0 {
		if m.leads != "nothing" {
			t.Errorf("no story up to %s fails: %v", m.leads, results)
		}
		return
	}
	report := &behaviour.Report{Who: m.stage.Folder, Stage: &m.stage, Strict: true, Results: results,
		Again: "go test ./" + m.stage.Folder + " -run /NAME -v"}
	verdict, _ := report.Verdict(rows)
	t.Log(verdict)
	switch lead := failed[0]; {
	case !slices.Contains(leads, lead.Script):
		t.Errorf("%s leads, and %s should", lead.Script, m.leads)
	case lead.Undecided:
		t.Errorf("it is undecided")
	case !m.because.MatchString(lead.Reason):
		t.Errorf("the reason is not %q", m.because)
	case !strings.Contains(lead.Hint, m.hint):
		t.Errorf("the hint is not %q", m.hint)
	case strings.Count(verdict, "\n") > rows:
		t.Errorf("the verdict has more than %d lines", rows)
	}
}

// scripts returns the stories that a mutant is told, which are those up to the one that
// is to lead.
func scripts(t *testing.T, m *mutant, leads []string) []string {
	all := behaviour.Scripts(m.stage.Behaviours...)
	if m.leads == "nothing" {
		return all
	}
	last := slices.Index(all, leads[len(leads)-1])
	if last < 0 {
		t.Fatalf("%s has no story %s", m.stage.Folder, m.leads)
	}
	switch {
	case testing.Short():
		return leads
	case m.how == "all":
		return all
	}
	return slices.DeleteFunc(all[:last+1], func(script string) bool {
		return slices.Contains(costly, script) && !slices.Contains(leads, script)
	})
}

// slow says whether a story is one of testdata/slow, which takes longer than a reader
// wants to wait, so that no stage's own test has it.
func slow(script string) bool { return strings.HasPrefix(script, "slow/") }

func newRunner(t *testing.T, m *mutant, program *server.Program) *behaviour.Runner {
	runner := &behaviour.Runner{Root: root, Program: program, Strict: true,
		Deadline: behaviour.Deadline(t)}
	if slow(m.leads) {
		runner.Root = "."
	}
	return runner
}

// asks names the behaviour that a stage has to have for a slow story to be about it.
var asks = map[string]string{
	"slow/crowd": "many-at-once", "slow/patience": "waiting-is-free",
	"slow/await": "one-at-a-time", "slow/stop": "waiting-is-free",
}

// TestSlowStories tells the stages themselves the stories that only mutants are told
// otherwise. They have to hold. With -short they are not told.
func TestSlowStories(t *testing.T) {
	if testing.Short() {
		return
	}
	t.Parallel() // with TestMutants
	files, err := filepath.Glob("testdata/slow/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var stages []*mutant
	for _, stage := range behaviour.Stages {
		stages = append(stages, &mutant{stage: stage, leads: "slow/nothing"})
	}
	programs := build(t, stages)
	for _, m := range stages {
		for _, file := range files {
			script := "slow/" + strings.TrimSuffix(filepath.Base(file), ".txtar")
			if asks[script] != "" && !m.stage.Has(asks[script]) {
				continue
			}
			t.Run(m.stage.Folder+"/"+script, func(t *testing.T) {
				t.Parallel()
				if m.stage.Number == 3 && script == "slow/leaks" {
					t.Skip("the threads of the largest crowd stay, and each has stacks")
				}
				if r := newRunner(t, m, programs[m]).RunAlone(script); r.Failed {
					t.Error(r)
				}
			})
		}
	}
}

// build returns a program for each mutant. All of them are packages of one binary,
// because to link each would take most of the time; the first argument says which to run. A
// second binary has those that want the race detector, where there is one.
func build(t *testing.T, table []*mutant) map[*mutant]*server.Program {
	t.Helper()
	temp := t.TempDir()
	write(t, filepath.Join(temp, "go.mod"), "module "+module+"\n\ngo 1.25\n")
	programs := map[*mutant]*server.Program{}
	packages := map[bool][]string{} // with the race detector, and without
	for i, m := range table {
		files, err := m.patched()
		if err != nil {
			t.Fatalf("%s: %v", m.title(), err)
		}
		name, race := fmt.Sprintf("m%03d", i), m.how == "race"
		// The source is a program of its own as well, for the stories that build it.
		source := filepath.Join(temp, "source", name, m.stage.Folder)
		for file, text := range files {
			write(t, filepath.Join(source, file), text)
			text = strings.Replace(text, "package main\n", "package "+name+"\n", 1)
			write(t, filepath.Join(temp, name, file), text)
		}
		write(t, filepath.Join(temp, name, "flags.go"), "package "+name+ownFlags)
		write(t, filepath.Join(temp, "source", name, "go.mod"), "module example.com/concurrent-web-server\n\ngo 1.25\n")
		packages[race] = append(packages[race], name)
		p := server.Command(filepath.Join(temp, binary(race)), name)
		p.Name, p.Go, p.Folder, p.Reports = "server", true, source, true
		programs[m] = p
	}
	for race, names := range packages {
		out, err := link(t, temp, names, race)
		switch {
		case race && strings.Contains(out, "-race"): // is not supported, or requires cgo
			maps.DeleteFunc(programs, func(m *mutant, _ *server.Program) bool { return m.how == "race" })
		case err != nil:
			for i, m := range table {
				out = strings.ReplaceAll(out, fmt.Sprintf("m%03d", i), m.title())
			}
			t.Fatalf("the mutants do not build:\n%s", out)
		}
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

const module = "example.com/concurrent-web-server/mutants"

func binary(race bool) string { return fmt.Sprintf("race-%v", race) }

// link builds the binary that has the packages, and returns what the compiler says.
func link(t *testing.T, temp string, packages []string, race bool) (out string, err error) {
	imports, mains := "import \"os\"\n", ""
	for _, name := range packages {
		imports += fmt.Sprintf("import %q\n", module+"/"+name)
		mains += fmt.Sprintf("\t%q: %s.Main,\n", name, name)
	}
	file := filepath.Join(temp, binary(race)+".go")
	write(t, file, "package main\n\n"+imports+"\nvar mains = map[string]func(){\n"+mains+`}

func main() {
	name := os.Args[1]
	os.Args = append([]string{"server"}, os.Args[2:]...)
	mains[name]()
}
`)
	report := filepath.Join(temp, "selfreport.go")
	write(t, report, server.SelfReport)
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-w", fmt.Sprintf("-race=%v", race), file, report)
	build.Dir = temp
	output, err := build.CombinedOutput()
	return string(output), err
}

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
