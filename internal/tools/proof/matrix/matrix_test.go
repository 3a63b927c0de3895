// Package matrix tells every story about every stage, held and not held. Each stage
// has exactly the behaviours of its column, and the ladder that the pages show is the
// one that was measured.
package matrix

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

var update = flag.Bool("update", false, "write the ladder that was measured into the pages that show it")

const root = "../../../.."

func TestMatrix(t *testing.T) {
	columns := make([]column, len(behaviour.Stages))
	var all sync.WaitGroup
	for i, stage := range behaviour.Stages {
		all.Go(func() { columns[i] = measure(t, stage) })
	}
	all.Wait()
	if t.Failed() {
		return
	}
	for i, stage := range behaviour.Stages {
		checkBehaviours(t, stage, columns[i])
	}
	measured := renderLadder(t, columns)
	if !t.Failed() {
		t.Logf("measured:\n%s", measured)
		comparePages(t, measured)
	}
}

// A column is what came of all stories about one stage, by script.
type column map[string]behaviour.Result

func measure(t *testing.T, stage behaviour.Stage) column {
	program, err := server.Open(filepath.Join(root, stage.Folder), server.Build{})
	if err != nil {
		t.Error(err)
		return nil
	}
	defer program.Close()
	runner := &behaviour.Runner{Root: root, Program: program, Strict: true,
		Deadline: behaviour.Deadline(t)}
	results := column{}
	for _, r := range runner.Run(t.Context(), behaviour.Scripts(), 8, nil) {
		results[r.Script] = r
	}
	return results
}

// checkBehaviours sees to it that all stories of the stage's behaviours hold, and of each
// other behaviour one does not.
func checkBehaviours(t *testing.T, stage behaviour.Stage, results column) {
	passed, failed := map[string]bool{}, map[string]bool{}
	for _, r := range results {
		passed[r.Behaviour()] = passed[r.Behaviour()] || r.Passed()
		failed[r.Behaviour()] = failed[r.Behaviour()] || r.Failed && !r.Undecided
		if r.Failed && stage.Has(r.Behaviour()) {
			t.Errorf("%s fails %v", stage.Folder, r)
		}
	}
	for b := range passed {
		if passed[b] && !failed[b] && !stage.Has(b) {
			t.Errorf("%s should not have the behaviour %s, and passes all of its scripts", stage.Folder, b)
		}
	}
}

// Every script is in the order of the stories, and every folder a behaviour of a stage.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "testdata/*/*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	listed := behaviour.Scripts()
	var scripts []string
	for _, file := range files {
		folder := filepath.Base(filepath.Dir(file))
		script := path.Join(folder, strings.TrimSuffix(filepath.Base(file), ".txtar"))
		scripts = append(scripts, script)
		if !slices.Contains(listed, script) {
			t.Errorf("testdata/%s.txtar is not in the list of stories, in ladder.go", script)
		}
		if !slices.ContainsFunc(behaviour.Stages, func(s behaviour.Stage) bool { return s.Has(folder) }) {
			t.Errorf("testdata/%s is a behaviour of no stage: see ladder.go", folder)
		}
	}
	for _, script := range listed {
		if !slices.Contains(scripts, script) {
			t.Errorf("there is no testdata/%s.txtar", script)
		}
	}
}

// The test of a stage names the behaviours of its column.
func TestStageTests(t *testing.T) {
	for _, stage := range behaviour.Stages {
		var named []string
		source := read(t, stage.Folder, "main_test.go")
		for _, m := range regexp.MustCompile(`(?m)^\t\t"(.*)",$`).FindAllStringSubmatch(source, -1) {
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
		first := behaviour.Stages[0].Folder
		for _, stage := range behaviour.Stages {
			if read(t, stage.Folder, name) != read(t, first, name) {
				t.Errorf("%s/%s is not that of %s", stage.Folder, name, first)
			}
		}
	}
}

// read returns the text of a file of the workbook.
func read(t *testing.T, elem ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.Join(elem...)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// renderLadder returns the ladder as a table in Markdown.
func renderLadder(t *testing.T, columns []column) string {
	var b strings.Builder
	b.WriteString("|")
	for _, stage := range behaviour.Stages {
		fmt.Fprintf(&b, " | [%d](%s)", stage.Number, stage.Page())
	}
	b.WriteString(" |\n|---|" + strings.Repeat(":-:|", len(behaviour.Stages)) + "\n")
	for _, row := range behaviour.Rows {
		fmt.Fprintf(&b, "| %s", row.Text)
		for i, stage := range behaviour.Stages {
			holds := row.Holds(slices.Collect(maps.Values(columns[i])))
			if holds == behaviour.Unseen {
				t.Errorf("%s: %q cannot be seen", stage.Folder, row.Text)
			}
			b.WriteString(" | " + holds)
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

var shownLadder = regexp.MustCompile(`(?s)(<!-- ladder -->\n\n).*?(\n<!-- /ladder -->)`)

// comparePages compares the ladder of every page that shows it, which is between
// <!-- ladder --> and <!-- /ladder -->, with the one that was measured. A page may also
// show single rows, in which the stage that the page is about may be bold.
func comparePages(t *testing.T, measured string) {
	pages, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := false
	for _, file := range append(pages, filepath.Join(root, "README.md")) {
		text := read(t, strings.TrimPrefix(file, root))
		want := measured
		if filepath.Base(filepath.Dir(file)) == "docs" {
			want = strings.ReplaceAll(measured, "](docs/", "](")
		}
		written := shownLadder.ReplaceAllString(text, "${1}"+want+"${2}")
		shown = shown || shownLadder.MatchString(text)
		if written != text && !*update {
			t.Errorf("%s shows another ladder than was measured; -update writes this into it:\n%s", file, want)
		} else if written != text {
			if err := os.WriteFile(file, []byte(written), 0o666); err != nil {
				t.Error(err)
			}
		}
		for line := range strings.Lines(strings.ReplaceAll(written, "**", "")) {
			for _, row := range behaviour.Rows {
				if strings.HasPrefix(line, "| "+row.Text+" |") && !strings.Contains(measured, line) {
					t.Errorf("%s shows the row\n%sand this was measured:\n%s", file, line, measured)
				}
			}
		}
	}
	if !shown {
		t.Error("no page shows the ladder, between <!-- ladder --> and <!-- /ladder -->")
	}
}
