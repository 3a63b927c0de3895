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

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
)

var update = flag.Bool("update", false, "record the stages anew, and draw the figures: make figures")

const root = "../../../.."

// TestFigures compares the figures with what is drawn from the recordings in testdata.
func TestFigures(t *testing.T) {
	for _, stage := range behaviour.Stages {
		recording := filepath.Join("testdata", stage.Folder+".json")
		if *update {
			write(t, recording, record(t, stage.Folder))
		}
		var r timeline.Recording
		if err := json.Unmarshal([]byte(read(t, recording)), &r); err != nil {
			t.Fatal(err)
		}
		style := timeline.Style{Width: 80}
		for ext, want := range map[string]string{
			".svg": drawSVG(t, r),
			".txt": timeline.Legend(style) + "\n" + timeline.Text(r, style),
		} {
			file := filepath.Join(root, "docs/figures", stage.Folder+ext)
			if *update {
				write(t, file, want)
			}
			if got := read(t, file); got != want {
				t.Errorf("%s is not what is drawn from the recording; make figures. It is\n%s\nand would be\n%s", file, got, want)
			}
		}
	}
}

// record returns a recording of a stage.
func record(t *testing.T, stage string) string {
	t.Helper()
	program, err := server.Open(filepath.Join(root, stage), server.Build{})
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if !program.Sees("requests") {
		t.Fatal("on this system it cannot be seen who is being served; draw the figures on Linux")
	}
	r, err := timeline.Record(program, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	r.Server = stage
	for i := range r.Events {
		r.Events[i].At = r.Events[i].At.Round(10 * time.Millisecond)
		r.Now = r.Events[i].At
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

//go:embed figure.svg.tmpl
var figure string

// drawSVG draws a recording as an image that stands alone.
func drawSVG(t *testing.T, r timeline.Recording) string {
	t.Helper()
	const left, right = 78, 500
	tmpl := template.Must(template.New("figure").Funcs(template.FuncMap{
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
		"legend":  func() [2][]timeline.Kind { return timeline.LegendKinds },
		"columns": func() [2][]int { return [2][]int{{12, 120, 450}, {0, 108, 216}} },
	}).Parse(figure))
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
