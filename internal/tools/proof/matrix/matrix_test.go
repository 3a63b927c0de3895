// Package matrix runs the scripts against all stages. Each stage has exactly the behaviours
// of its column, and the ladder that the pages show is the one that was measured.
package matrix

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

const root = "../../../.."

// TestMatrix runs the scripts of the behaviours that some stages lack, and those that the rows of the
// ladder need. All others are run by the stages' own tests.
func TestMatrix(t *testing.T) {
	all := func(b string) bool {
		return !slices.ContainsFunc(behaviour.Stages, func(s behaviour.Stage) bool { return !s.Has(b) })
	}
	scripts := slices.DeleteFunc(behaviour.Scripts(), func(script string) bool {
		folder := path.Dir(script)
		return all(folder) && folder != "pages" && script != "manners/not-found"
	})
	columns := make([][]behaviour.Result, len(behaviour.Stages))
	t.Run("stages", func(t *testing.T) {
		for i, stage := range behaviour.Stages {
			t.Run(stage.Folder, func(t *testing.T) {
				t.Parallel()
				columns[i] = measure(t, stage, scripts)
			})
		}
	})
	if !t.Failed() {
		comparePages(t, ladder(columns))
	}
}

// measure returns the results of the scripts. It checks that all scripts of the stage's behaviours
// pass, and that of each other behaviour a script fails.
func measure(t *testing.T, stage behaviour.Stage, scripts []string) []behaviour.Result {
	program, err := server.Open(filepath.Join(root, stage.Folder), server.Build{})
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	runner := &behaviour.Runner{Root: root, Program: program, Strict: true, Deadline: behaviour.Deadline(t)}
	results := runner.Run(t.Context(), scripts, 8, nil)
	passed, failed := map[string]bool{}, map[string]bool{}
	for _, r := range results {
		passed[r.Behaviour()] = passed[r.Behaviour()] || r.Passed()
		failed[r.Behaviour()] = failed[r.Behaviour()] || r.Failed && !r.Undecided
		if r.Failed && stage.Has(r.Behaviour()) {
			t.Error(r)
		}
	}
	for b := range passed {
		if passed[b] && !failed[b] && !stage.Has(b) {
			t.Errorf("it should not have the behaviour %s, and passes all of its scripts", b)
		}
	}
	return results
}

// ladder returns the ladder as a table in Markdown.
func ladder(columns [][]behaviour.Result) string {
	table := "|"
	for _, stage := range behaviour.Stages {
		table += fmt.Sprintf(" | [%d](%s)", stage.Number, stage.Page())
	}
	table += " |\n|---|" + strings.Repeat(":-:|", len(columns)) + "\n"
	for _, row := range behaviour.Rows {
		table += "| " + row.Text
		for _, results := range columns {
			table += " | " + row.Holds(results)
		}
		table += " |\n"
	}
	return table
}

// comparePages checks that the README shows the ladder, and that other pages show rows of it. The
// stage that a page is about may be bold.
func comparePages(t *testing.T, measured string) {
	if !strings.Contains(read(t, "README.md"), measured) {
		t.Errorf("README.md should show the ladder that was measured:\n%s", measured)
	}
	pages, _ := filepath.Glob(filepath.Join(root, "docs/*.md"))
	for _, file := range pages {
		text := read(t, strings.TrimPrefix(file, root))
		for line := range strings.Lines(strings.ReplaceAll(text, "**", "")) {
			for _, row := range behaviour.Rows {
				if strings.HasPrefix(line, "| "+row.Text+" |") && !strings.Contains(measured, line) {
					t.Errorf("%s shows the row\n%sand this was measured:\n%s", file, line, measured)
				}
			}
		}
	}
}

// Every script is in the list of ladder.go, and every folder is a behaviour of a stage.
func TestScripts(t *testing.T) {
	var scripts []string
	files, _ := filepath.Glob(filepath.Join(root, "testdata/*/*.txtar"))
	for _, file := range files {
		folder := filepath.Base(filepath.Dir(file))
		scripts = append(scripts, path.Join(folder, strings.TrimSuffix(filepath.Base(file), ".txtar")))
		if !slices.ContainsFunc(behaviour.Stages, func(s behaviour.Stage) bool { return s.Has(folder) }) {
			t.Errorf("testdata/%s is a behaviour of no stage: see ladder.go", folder)
		}
	}
	slices.Sort(scripts)
	if listed := slices.Sorted(slices.Values(behaviour.Scripts())); !slices.Equal(scripts, listed) {
		t.Errorf("testdata has the scripts\n%q\nand ladder.go lists\n%q", scripts, listed)
	}
}

// The test of a stage names the behaviours of its column.
func TestStageTests(t *testing.T) {
	for _, stage := range behaviour.Stages {
		want := "behaviour.Test(t,\n\t\t\"" + strings.Join(stage.Behaviours, "\",\n\t\t\"") + "\",\n\t)\n"
		if !strings.Contains(read(t, stage.Folder, "main_test.go"), want) {
			t.Errorf("%s/main_test.go does not name the behaviours of ladder.go:\n%s", stage.Folder, want)
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
