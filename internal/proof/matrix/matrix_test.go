package matrix

import (
	"bytes"
	"flag"
	"fmt"
	"os"
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

const root = "../../.."

// TestMatrix tells every story about every stage, held and not held. Each stage
// has exactly the behaviours of its column, and the ladder that the pages show is
// the one that was measured.
func TestMatrix(t *testing.T) {
	var scripts []string
	for _, b := range behaviour.Behaviours {
		s, err := behaviour.Scripts(root, b)
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, s...)
	}
	checkFolders(t)

	columns := make([]map[string]behaviour.Result, len(behaviour.Stages)) // by script
	var wg sync.WaitGroup
	for i, stage := range behaviour.Stages {
		wg.Go(func() {
			program, err := server.Open(filepath.Join(root, stage.Folder))
			if err != nil {
				t.Error(err)
				return
			}
			defer program.Close()
			column := map[string]behaviour.Result{}
			for _, r := range behaviour.Examine(root, program, scripts, 8, nil) {
				column[r.Script] = r
			}
			columns[i] = column
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for i, stage := range behaviour.Stages {
		for _, b := range behaviour.Behaviours {
			checkBehaviour(t, stage, b, scripts, columns[i])
		}
	}
	if t.Failed() {
		return // what the stage's own test says is what matters
	}
	ladder := renderLadder(t, columns)
	t.Logf("measured:\n%s", ladder)
	if !t.Failed() {
		comparePages(t, ladder)
	}
}

// checkFolders says if a folder of testdata is nowhere in the ladder.
func checkFolders(t *testing.T) {
	folders, err := os.ReadDir(filepath.Join(root, "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		known := false
		for _, stage := range behaviour.Stages {
			known = known || stage.Has(f.Name())
		}
		if !known {
			t.Errorf("testdata/%s is a behaviour of no stage: see ladder.go", f.Name())
		}
	}
}

func checkBehaviour(t *testing.T, stage behaviour.Stage, b string, scripts []string, column map[string]behaviour.Result) {
	var passed, failed []behaviour.Result
	for _, script := range scripts {
		r := column[script]
		if r.Behaviour != b || r.Skipped != "" {
			continue
		}
		if b == "where-is-goroutine-1" && script != b+"/"+stage.Folder {
			// The other stages' stories. Those of 4 and 5 are the same.
			if !r.Failed && stage.Number < 4 {
				t.Errorf("%s passes %s, which is another stage's", stage.Folder, script)
			}
			continue
		}
		if r.Failed {
			failed = append(failed, r)
		} else {
			passed = append(passed, r)
		}
	}
	switch {
	case stage.Has(b):
		for _, r := range failed {
			reason, _, _ := strings.Cut(r.Reason, "\n")
			t.Errorf("%s fails %s, which go test ./%[1]s tells in full: %s", stage.Folder, r.Script, reason)
		}
	case len(failed) == 0 && len(passed) > 0:
		t.Errorf("%s should not have the behaviour %s, and passes all of its scripts", stage.Folder, b)
	}
}

// holds decides a row for a stage.
func holds(row behaviour.Row, column map[string]behaviour.Result) (holds bool, err error) {
	yes, no := true, true
	var reasons []string
	for _, script := range row.Yes {
		if r := column[script]; r.Failed {
			yes = false
			reasons = append(reasons, r.String())
		} else if r.Script == "" {
			return false, fmt.Errorf("there is no script %s", script)
		}
	}
	for _, script := range row.No {
		if r := column[script]; r.Failed {
			no = false
			reasons = append(reasons, r.String())
		} else if r.Script == "" {
			return false, fmt.Errorf("there is no script %s", script)
		}
	}
	if row.No == nil {
		no = regexp.MustCompile(row.Reason).MatchString(strings.Join(reasons, "\n"))
	}
	if yes == no {
		return false, fmt.Errorf("the scripts for yes and for no say %v and %v:\n%s", yes, no, strings.Join(reasons, "\n"))
	}
	return yes, nil
}

// renderLadder returns the ladder as a table in Markdown.
func renderLadder(t *testing.T, columns []map[string]behaviour.Result) string {
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

const (
	ladderBegin = "<!-- ladder -->\n"
	ladderEnd   = "<!-- /ladder -->\n"
)

// comparePages compares the ladder of every page that shows it, which is between
// <!-- ladder --> and <!-- /ladder -->, with the one that was measured. A page
// may also show single rows.
func comparePages(t *testing.T, ladder string) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	inReadme := false
	for _, file := range append(pages, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		compareRows(t, file, string(text), ladder)
		before, rest, found := bytes.Cut(text, []byte(ladderBegin))
		shown, after, closed := bytes.Cut(rest, []byte(ladderEnd))
		if !found {
			continue
		}
		page, _ := filepath.Rel(root, file)
		if !closed {
			t.Errorf("%s: the ladder has no end: %s", page, ladderEnd)
			continue
		}
		inReadme = inReadme || page == "README.md"
		want := ladder
		if filepath.Dir(page) == "docs" {
			want = strings.ReplaceAll(want, "](docs/", "](")
		}
		if strings.Trim(string(shown), "\n") == strings.Trim(want, "\n") {
			continue
		}
		if !*update {
			t.Errorf("%s shows another ladder than was measured. It shows\n%s\nand this was measured (go test ./matrix -update writes it there):\n%s", page, shown, want)
			continue
		}
		text = slices.Concat(before, []byte(ladderBegin+"\n"+want+"\n"+ladderEnd), after)
		if err := os.WriteFile(file, text, 0o666); err != nil {
			t.Error(err)
		}
	}
	if !inReadme {
		t.Errorf("README.md does not show the ladder, between %q and %q", ladderBegin, ladderEnd)
	}
}

// compareRows compares the rows of the ladder that a page shows by themselves.
// The one that the page is about may be bold.
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
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		row := strings.ReplaceAll(line, "**", "")
		if want := measured[strings.Split(row, "|")[1]]; want != "" && row != want {
			page, _ := filepath.Rel(root, file)
			t.Errorf("%s:%d shows the row\n%sand this was measured:\n%s", page, n, row, want)
		}
	}
}
