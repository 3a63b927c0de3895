package timeline_test

import (
	_ "embed"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
)

var update = flag.Bool("update", false, "record the stages anew, and draw the figures: make figures")

const root = "../../../.."

// TestFigures compares the figures with what is drawn from the recordings in testdata.
func TestFigures(t *testing.T) {
	figures := filepath.Join(root, "docs/figures")
	for _, stage := range stages(t) {
		if *update {
			record(t, stage)
		}
		r := recorded(t, stage)
		style := timeline.Style{Width: 80}
		for ext, want := range map[string]string{
			".svg": drawSVG(t, r),
			".txt": timeline.Legend(style, false) + "\n" + timeline.Text(r, style),
		} {
			file := filepath.Join(figures, stage+ext)
			if *update {
				write(t, file, want)
			}
			if got := read(t, file); got != want {
				t.Errorf("%s is not what is drawn from the recording; make figures. It is\n%s\nand would be\n%s", file, got, want)
			}
		}
	}
	drawings, err := filepath.Glob(filepath.Join(figures, "*.svg"))
	if err != nil || len(drawings) != len(stages(t)) {
		t.Errorf("docs/figures has %d drawings for %d stages (%v)", len(drawings), len(stages(t)), err)
	}
}

// stages returns the names of the stages' folders.
func stages(t *testing.T) []string {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join(root, "stage[0-9]*-*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("there are no stages (%v)", err)
	}
	for i, folder := range folders {
		folders[i] = filepath.Base(folder)
	}
	return folders
}

// record writes a recording of a stage into testdata.
func record(t *testing.T, stage string) {
	t.Helper()
	program, err := server.Open(filepath.Join(root, stage))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	r, err := timeline.Record(program, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if r.Server = stage; r.Blind {
		t.Fatal("on this system it cannot be seen who is being served; draw the figures on Linux")
	}
	for i := range r.Events {
		r.Events[i].At = r.Events[i].At.Round(10 * time.Millisecond)
		r.Now = r.Events[i].At
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	write(t, recording(stage), string(text)+"\n")
}

// recorded reads what record has written.
func recorded(t *testing.T, stage string) (r timeline.Recording) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, recording(stage))), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func recording(stage string) string { return filepath.Join("testdata", stage+".json") }

//go:embed figure.svg.tmpl
var figure string

// drawSVG draws the recording of a stage as an image that stands alone.
func drawSVG(t *testing.T, r timeline.Recording) string {
	t.Helper()
	const left, right = 78, 500
	tmpl, err := template.New("figure").Funcs(template.FuncMap{
		"x": func(t time.Duration) int {
			return left + int(int64(t)*(right-left)/int64(r.End()))
		},
		"seconds": timeline.Seconds,
		"add":     func(a, b int) int { return a + b },
		"mul":     func(a, b int) int { return a * b },
		"max":     func(a, b int) int { return max(a, b) },
		"mark": func(k timeline.Kind, from, to, y int) map[string]any {
			return map[string]any{"Kind": k, "From": from, "To": to, "Y": y}
		},
		"meanings": func() [2][]timeline.Meaning { return timeline.Meanings(false) },
		"columns":  func() [2][]int { return [2][]int{{12, 120, 450}, {0, 108, 216}} },
	}).Parse(figure)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := tmpl.Execute(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}
