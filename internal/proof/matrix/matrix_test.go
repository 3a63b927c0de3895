// Package matrix tells every story about every stage, held and not held. Each stage
// has exactly the behaviours of its column, and the ladder that the pages show is the
// one that was measured.
package matrix

import (
	"flag"
	"fmt"
	"os"
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

var update = flag.Bool("update", false, "write the ladder that was measured into the pages that show it")

const root = "../../.."

// A column is what came of the stories about one stage, by script.
type column map[string]behaviour.Result

// measure tells all stories about all stages.
func measure(t *testing.T) []column {
	columns := make([]column, len(behaviour.Stages))
	var wg sync.WaitGroup
	for i, stage := range behaviour.Stages {
		wg.Go(func() {
			program, err := server.Open(filepath.Join(root, stage.Folder))
			if err != nil {
				t.Error(err)
				return
			}
			defer program.Close()
			runner := &behaviour.Runner{Root: root, Program: program, Stage: true, Has: stage.Has}
			runner.Deadline, _ = t.Deadline()
			columns[i] = column{}
			for _, r := range runner.Run(t.Context(), behaviour.Scripts(), 8, nil) {
				columns[i][r.Script] = r
				if r.Took > 3*time.Second {
					t.Logf("%s %s %v", stage.Folder, r.Script, r.Took)
				}
			}
		})
	}
	wg.Wait()
	return columns
}

func TestMatrix(t *testing.T) {
	columns := measure(t)
	if t.Failed() {
		return
	}
	for i, stage := range behaviour.Stages {
		for _, b := range behaviour.Behaviours() {
			checkBehaviour(t, stage, b, columns[i])
		}
	}
	ladder := renderLadder(t, columns)
	if !t.Failed() {
		t.Logf("measured:\n%s", ladder)
		comparePages(t, ladder)
	}
}

// Every script is in the order of the stories, and every folder a behaviour of a stage.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "testdata", "*", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	listed := behaviour.Scripts()
	for _, file := range files {
		script := filepath.Base(filepath.Dir(file)) + "/" + strings.TrimSuffix(filepath.Base(file), ".txtar")
		if i := slices.Index(listed, script); i < 0 {
			t.Errorf("testdata/%s.txtar is not in the list of stories, in ladder.go", script)
		} else {
			listed = slices.Delete(listed, i, i+1)
		}
		if !slices.ContainsFunc(behaviour.Stages, func(s behaviour.Stage) bool { return s.Has(behaviour.Folder(script)) }) {
			t.Errorf("testdata/%s is a behaviour of no stage: see ladder.go", behaviour.Folder(script))
		}
	}
	for _, script := range listed {
		t.Errorf("there is no testdata/%s.txtar", script)
	}
}

// The test of a stage names the behaviours of its column.
func TestStageTests(t *testing.T) {
	for _, stage := range behaviour.Stages {
		source, err := os.ReadFile(filepath.Join(root, stage.Folder, "main_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		var named []string
		for _, m := range regexp.MustCompile(`(?m)^\t\t"(.*)",$`).FindAllStringSubmatch(string(source), -1) {
			named = append(named, m[1])
		}
		if !slices.Equal(named, stage.Behaviours) {
			t.Errorf("%s/main_test.go names %q; want %q, as in ladder.go", stage.Folder, named, stage.Behaviours)
		}
	}
}

// http.go is the same in all stages, and the pages are.
func TestSameFiles(t *testing.T) {
	for _, name := range []string{"http.go", "hello.html", "404.html"} {
		want, err := os.ReadFile(filepath.Join(root, behaviour.Stages[0].Folder, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, stage := range behaviour.Stages[1:] {
			if got, err := os.ReadFile(filepath.Join(root, stage.Folder, name)); err != nil || string(got) != string(want) {
				t.Errorf("%s/%s (%v) is not that of %s", stage.Folder, name, err, behaviour.Stages[0].Folder)
			}
		}
	}
}

func checkBehaviour(t *testing.T, stage behaviour.Stage, b string, results column) {
	failed, passed := 0, 0
	for _, script := range behaviour.Scripts(b) {
		switch r := results[script]; {
		case r.Skipped != "":
		case r.Failed:
			failed++
			if stage.Has(b) {
				t.Errorf("%s fails %v", stage.Folder, r)
			}
		default:
			passed++
		}
	}
	if !stage.Has(b) && failed == 0 && passed > 0 {
		t.Errorf("%s should not have the behaviour %s, and passes all of its scripts", stage.Folder, b)
	}
}

// holds decides a row for a stage.
func holds(row behaviour.Row, results column) (holds bool, err error) {
	yes, reasons := passAll(row.Yes, results)
	no, reasonsNot := passAll(row.No, results)
	if row.No == nil {
		no = regexp.MustCompile(row.Reason).MatchString(reasons)
	}
	if yes == no {
		return false, fmt.Errorf("the scripts for yes and for no say %v and %v:\n%s%s", yes, no, reasons, reasonsNot)
	}
	return yes, nil
}

// passAll says whether all scripts pass, of which one can be several with a | between
// them, one of which has to. The reasons are those of all that fail.
func passAll(scripts []string, results column) (pass bool, reasons string) {
	pass = true
	for _, alternatives := range scripts {
		one := false
		for script := range strings.SplitSeq(alternatives, "|") {
			r, ok := results[script]
			if r.Failed {
				reasons += r.String()
			}
			one = one || ok && !r.Failed && r.Skipped == ""
		}
		pass = pass && one
	}
	return pass, reasons
}

// renderLadder returns the ladder as a table in Markdown.
func renderLadder(t *testing.T, columns []column) string {
	var b strings.Builder
	b.WriteString("|")
	for _, stage := range behaviour.Stages {
		fmt.Fprintf(&b, " | [%d](%s)", stage.Number, stage.Page())
	}
	b.WriteString(" |\n|---|" + strings.Repeat(":-:|", len(behaviour.Stages)) + "\n")
	for _, row := range behaviour.Ladder {
		fmt.Fprintf(&b, "| %s", row.Says)
		for i, stage := range behaviour.Stages {
			holds, err := holds(row, columns[i])
			if err != nil {
				t.Errorf("%s: %q: %v", stage.Folder, row.Says, err)
			}
			b.WriteString(map[bool]string{true: " | yes", false: " | no"}[holds])
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

var shownLadder = regexp.MustCompile(`(?s)(<!-- ladder -->\n\n).*?(\n<!-- /ladder -->)`)

// comparePages compares the ladder of every page that shows it, which is between
// <!-- ladder --> and <!-- /ladder -->, with the one that was measured. A page may also
// show single rows.
func comparePages(t *testing.T, ladder string) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, file := range append(pages, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		compareRows(t, file, string(text), ladder)
		if shownLadder.Match(text) {
			shown++
		}
		want := ladder
		if filepath.Base(filepath.Dir(file)) == "docs" {
			want = strings.ReplaceAll(ladder, "](docs/", "](")
		}
		written := shownLadder.ReplaceAll(text, []byte("${1}"+want+"${2}"))
		switch {
		case string(written) == string(text):
		case *update:
			if err := os.WriteFile(file, written, 0o666); err != nil {
				t.Error(err)
			}
		default:
			t.Errorf("%s shows another ladder than was measured; -update writes this into it:\n%s", file, want)
		}
	}
	if shown == 0 {
		t.Error("no page shows the ladder, between <!-- ladder --> and <!-- /ladder -->")
	}
}

// compareRows compares the rows of the ladder that a page shows by themselves. The
// stage that the page is about may be bold.
func compareRows(t *testing.T, file, text, ladder string) {
	measured := map[string]string{} // the row, by what it says
	for line := range strings.Lines(ladder) {
		for _, row := range behaviour.Ladder {
			if strings.HasPrefix(line, "| "+row.Says+" |") {
				measured[" "+row.Says+" "] = line
			}
		}
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		row := strings.ReplaceAll(line, "**", "")
		if !strings.HasPrefix(row, "| ") {
			continue
		}
		if want := measured[strings.Split(row, "|")[1]]; want != "" && row != want {
			t.Errorf("%s:%d shows the row\n%sand this was measured:\n%s", file, n, row, want)
		}
	}
}
