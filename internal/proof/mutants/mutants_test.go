package mutants

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

const root = "../../.."

func TestMain(m *testing.M) {
	flag.Parse()
	os.Setenv("GORACE", "atexit_sleep_ms=10")
	flag.Set("test.parallel", "12") // a story mostly waits
	os.Exit(m.Run())
}

// TestMutants tells every mutant the stories of its stage, in their order, up to the one
// that is to lead. All before it have to pass, and it has to fail for the reason
// named, with the hint named.
func TestMutants(t *testing.T) {
	table, err := readTable("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	table = slices.DeleteFunc(table, func(m *mutant) bool { return !wanted(m) })
	programs := build(t, table)
	var mu sync.Mutex
	lines := make([]string, len(table))
	t.Cleanup(func() {
		t.Logf("%d mutants; what led:\n%s", len(table), strings.Join(lines, "\n"))
	})
	for i, m := range table {
		t.Run(m.title(), func(t *testing.T) {
			t.Parallel()
			if programs[i] == nil {
				t.Skip("there is no race detector here")
			}
			led, took := examine(t, m, programs[i])
			mu.Lock()
			defer mu.Unlock()
			lines[i] = fmt.Sprintf("%d  %-60s %-45s %4.1fs", m.stage.Number, m.name, led, took.Seconds())
		})
	}
}

func (m *mutant) title() string { return fmt.Sprintf("stage%d %s", m.stage.Number, m.name) }

// wanted says whether a mutant matches the second part of -run, so that no other is built.
func wanted(m *mutant) bool {
	_, pattern, _ := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	return regexp.MustCompile(pattern).MatchString(strings.ReplaceAll(m.title(), " ", "_"))
}

// costly are the stories that take most of the table's time, with hundreds of visitors or
// megabytes. Before the one that is to lead they are told only of the mutants of which all
// stories are told.
var costly = []string{
	"pages/too-long", "pages/visitors-leave", "pages/accept-fails", "many-at-once/no-descriptors-left",
	"many-at-once/fifty-slow-requests", "waiting-holds-a-thread/silent-visitors", "waiting-is-free/silent-visitors",
}

// examine returns the story that led, and how long the telling took.
func examine(t *testing.T, m *mutant, program *server.Program) (string, time.Duration) {
	runner := &behaviour.Runner{Root: root, Program: program, Stage: true, Has: m.stage.Has}
	runner.Deadline, _ = t.Deadline()
	scripts := behaviour.Scripts(m.stage.Behaviours...)
	leads := strings.Split(m.leads, "|")
	if strings.HasPrefix(m.leads, "slow/") {
		return examineSlow(t, m, program)
	}
	if m.alone {
		scripts = leads
	} else if n := slices.Index(scripts, leads[len(leads)-1]); n >= 0 && !m.all {
		scripts = slices.DeleteFunc(scripts[:n+1], func(script string) bool {
			return slices.Contains(costly, script) && !slices.Contains(leads, script)
		})
	} else if n < 0 && m.leads != "nothing" {
		t.Fatalf("%s has no story %s", m.stage.Folder, m.leads)
	}
	began := time.Now()
	results := runner.Run(context.Background(), scripts, 8, nil)
	took := time.Since(began)
	failed := behaviour.Failures(results)
	// What a server does wrong within a second nobody sees who is kept from looking for
	// as long, by a machine that is busy elsewhere.
	for try := 0; try < 3 && len(failed) == 0 && m.leads != "nothing"; try++ {
		t.Logf("%s passes; once more", leads[0])
		results = append(results, runner.RunAlone(leads[0]))
		failed = behaviour.Failures(results)
	}
	if len(failed) == 0 {
		if m.leads != "nothing" {
			t.Errorf("no story up to %s fails", m.leads)
		}
		return "nothing", took
	}
	lead := failed[0]
	switch {
	case !slices.Contains(leads, lead.Script):
		t.Errorf("%s leads, and %s should:\n%v", lead.Script, m.leads, lead)
	case !m.because.MatchString(lead.Reason):
		t.Errorf("the reason is not %q:\n%v", m.because, lead)
	case !strings.Contains(lead.Hint, m.hint):
		t.Errorf("the hint is not %q:\n%v", m.hint, lead)
	}
	verdict := behaviour.Verdict(results, "go test ./"+m.stage.Folder+" -run /NAME -v")
	// go test adds a line before the verdict, and three after it.
	if n := strings.Count(verdict, "\n") + 2 + 4; n > mostLines {
		t.Errorf("the verdict has %d lines; want at most %d:\n%s", n, mostLines, verdict)
	}
	t.Logf("%s %s.\n\n%s", m.stage.Folder, behaviour.Lost(results), verdict)
	return lead.Script, took
}

// examineSlow is examine for a story under testdata/slow, which takes longer than
// a reader wants to wait, so that no stage's own test has it.
func examineSlow(t *testing.T, m *mutant, program *server.Program) (string, time.Duration) {
	r := tellSlow(t, program, m.stage, m.leads)
	for try := 0; try < 3 && !r.Failed; try++ { // see examine
		r = tellSlow(t, program, m.stage, m.leads)
	}
	switch {
	case r.Skipped != "":
		t.Errorf("%s was left out: %s", m.leads, r.Skipped)
	case !r.Failed:
		t.Errorf("%s passes", m.leads)
	case !m.because.MatchString(r.Reason) || !strings.Contains(r.Hint, m.hint):
		t.Errorf("the reason is not %q, or the hint not %q:\n%v", m.because, m.hint, r)
	}
	t.Log(r)
	return m.leads, r.Took
}

func tellSlow(t *testing.T, program *server.Program, stage behaviour.Stage, script string) behaviour.Result {
	runner := &behaviour.Runner{Root: ".", Program: program, Stage: true, Has: stage.Has}
	runner.Deadline, _ = t.Deadline()
	return runner.RunAlone(script)
}

// TestSlowStories tells the stages themselves the stories that only mutants are told
// otherwise. They have to pass.
func TestSlowStories(t *testing.T) {
	scripts, err := filepath.Glob("testdata/slow/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range behaviour.Stages {
		t.Run(stage.Folder, func(t *testing.T) {
			t.Parallel()
			program, err := server.Open(filepath.Join(root, stage.Folder))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { program.Close() })
			for _, script := range scripts {
				script = strings.TrimSuffix(strings.TrimPrefix(script, "testdata/"), ".txtar")
				t.Run(script, func(t *testing.T) {
					t.Parallel()
					if r := tellSlow(t, program, stage, script); r.Failed {
						t.Error(r)
					} else if r.Skipped != "" {
						t.Log(r.Skipped)
					}
				})
			}
		})
	}
}

// mostLines is how many lines go test may print of a broken stage.
const mostLines = 25

// build returns a program for each mutant. All of them are packages of one binary,
// because to link each would take most of the time; the first argument says which to run. A
// second binary has those that want the race detector.
func build(t *testing.T, table []*mutant) []*server.Program {
	t.Helper()
	temp := t.TempDir()
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(temp, "go.mod"), "module example.com/concurrent-web-server/mutants\n\ngo 1.25\n")
	imports, cases := map[bool]string{}, map[bool]string{}
	for i, m := range table {
		name := fmt.Sprintf("m%03d", i)
		if err := m.write(filepath.Join(temp, name), name, "Main"); err != nil {
			t.Fatalf("%s: %v", m.title(), err)
		}
		// The source as a program of its own, for the stories that build it.
		if err := m.write(filepath.Join(temp, "source", name, m.stage.Folder), "main", "main"); err != nil {
			t.Fatal(err)
		}
		write(filepath.Join(temp, "source", name, "go.mod"), "module example.com/concurrent-web-server\n\ngo 1.25\n")
		imports[m.race] += fmt.Sprintf("\t%q\n", "example.com/concurrent-web-server/mutants/"+name)
		cases[m.race] += fmt.Sprintf("\tcase %q:\n\t\t%s.Main()\n", name, name)
	}
	programs := make([]*server.Program, len(table))
	for _, race := range []bool{false, true} {
		if cases[race] == "" {
			continue
		}
		folder := filepath.Join(temp, fmt.Sprintf("race-%v", race))
		if err := os.Mkdir(folder, 0o777); err != nil {
			t.Fatal(err)
		}
		write(filepath.Join(folder, "main.go"), "package main\n\nimport (\n\t\"os\"\n"+imports[race]+")\n\n"+
			"func main() {\n\tname := os.Args[1]\n\tos.Args = append([]string{\"server\"}, os.Args[2:]...)\n\tswitch name {\n"+cases[race]+"\t}\n}\n")
		binary := filepath.Join(folder, "server")
		args := []string{"build", "-trimpath", "-ldflags=-w", "-o", binary}
		if race {
			args = append(args, "-race")
		}
		command := exec.Command("go", append(args, ".")...)
		command.Dir = folder
		if out, err := command.CombinedOutput(); race && strings.Contains(string(out), "-race") {
			t.Logf("%s", out)
			continue
		} else if err != nil {
			t.Fatalf("the mutants do not build:\n%s", explain(string(out), table))
		}
		for i, m := range table {
			if m.race == race {
				p := server.Command(binary, fmt.Sprintf("m%03d", i))
				p.Name, p.Go, p.Folder = "server", true, filepath.Join(temp, "source", fmt.Sprintf("m%03d", i), m.stage.Folder)
				programs[i] = p
			}
		}
	}
	return programs
}

// explain names the mutants in what the compiler says.
func explain(out string, table []*mutant) string {
	for i, m := range table {
		out = strings.ReplaceAll(out, fmt.Sprintf("mutants/m%03d", i), m.title())
	}
	return out
}
