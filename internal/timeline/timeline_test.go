package timeline

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// recorded reads the recordings that the figures are drawn from.
func recorded(t *testing.T) map[string]Recording {
	t.Helper()
	files, err := filepath.Glob("testdata/stage*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings in testdata (%v); make figures", err)
	}
	recordings := make(map[string]Recording)
	for _, file := range files {
		r, err := Parse(read(t, file))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		recordings[strings.TrimSuffix(filepath.Base(file), ".txt")] = r
	}
	return recordings
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestStringAndParse(t *testing.T) {
	r := Recording{Server: "./_mine -v", Slow: 50 * time.Millisecond, Patience: 45 * time.Millisecond, Blind: true, Now: 30 * time.Millisecond}
	for i, k := range kinds {
		r.Events = append(r.Events, Event{time.Duration(i) * 5 * time.Millisecond, "quick 1", k})
	}
	written := r.String()
	back, err := Parse(written)
	if err != nil {
		t.Fatalf("Parse(%q): %v", written, err)
	}
	if got := back.String(); got != written {
		t.Errorf("written, read and written again:\n%s\nwant\n%s", got, written)
	}
	if back.Order() != r.Order() {
		t.Errorf("order = %q, want %q", back.Order(), r.Order())
	}

	for _, bad := range []string{
		"mood: sunny\n\n",
		"slow: ages\n\n",
		"slow: 1s\n\nsoon  slow  arrives\n",
		"slow: 1s\n\n0.00s  late  arrives\n",
		"slow: 1s\n\n0.00s  slow  dawdles\n",
	} {
		if r, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) = %v; want an error", bad, r)
		}
	}
}

// The figures in docs are those of the recordings.
func TestFigures(t *testing.T) {
	const figures = "../../docs/figures"
	recordings := recorded(t)
	for name, r := range recordings {
		style := Style{Width: 80}
		for ext, want := range map[string]string{
			".svg": SVG(r),
			".txt": Legend(style, r.Blind) + "\n" + Text(r, style),
		} {
			if got := read(t, filepath.Join(figures, name+ext)); got != want {
				t.Errorf("docs/figures/%s is not what is drawn from the recording; make figures. It is\n%s\nand would be\n%s", name+ext, got, want)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(figures, "*.svg"))
	if err != nil || len(files) != len(recordings) {
		t.Errorf("docs/figures has %d drawings for %d recordings (%v)", len(files), len(recordings), err)
	}
	stages, err := filepath.Glob("../../stage*-*")
	if err != nil || len(stages) != len(recordings) {
		t.Errorf("there are %d recordings for %d stages (%v)", len(recordings), len(stages), err)
	}
}

func TestSVG(t *testing.T) {
	recordings := recorded(t)
	recordings["markup"] = Recording{Server: `sh -c "a < b && c > d"`, Slow: time.Second}
	recordings["everything"] = everything
	for name, r := range recordings {
		svg := SVG(r)
		if len(svg) > 20_000 {
			t.Errorf("%s: %d bytes; want 20 kB at most", name, len(svg))
		}
		elements := make(map[string]int)
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v in\n%s", name, err, svg)
			}
			if e, ok := token.(xml.StartElement); ok {
				elements[e.Name.Local]++
			}
		}
		if elements["title"] != 1 || elements["desc"] != 1 || elements["script"] != 0 || elements["text"] < len(play) {
			t.Errorf("%s: elements %v; want a title, a desc, no script and text for every visitor", name, elements)
		}
	}
}

// everything has a visitor for each way in which a visit can end, or has not yet.
var everything = Recording{
	Server: "mine",
	Slow:   time.Second,
	Now:    2 * time.Second,
	Events: []Event{
		{0, "slow", Arrives},
		{0, "slow", Served},
		{150 * time.Millisecond, "quick 1", Arrives},
		{150 * time.Millisecond, "quick 1", Refused},
		{300 * time.Millisecond, "silent", Arrives},
		{450 * time.Millisecond, "quick 2", Arrives},
		{500 * time.Millisecond, "quick 2", Served},
		{600 * time.Millisecond, "quick 3", Arrives},
		{1200 * time.Millisecond, "quick 2", Dropped},
		{2 * time.Second, "quick 3", Ignored},
	},
}

func TestText(t *testing.T) {
	const want = `
mine  -slow 1s
slow     ========================================
quick 1    .! refused
silent        ...................................
quick 2          .==============x dropped
quick 3             ............................? ignored
         |0s                |1s                 |2s
`
	if got := "\n" + Text(everything, Style{Width: 61, ASCII: true}); got != want {
		t.Errorf("drawn:%s\nwant:%s", got, want)
	}
}

func TestTextFits(t *testing.T) {
	for _, r := range recorded(t) {
		for width := range 200 {
			style := Style{Width: width}
			text := Text(r, style)
			if got := strings.Count(text, "\n"); got != Lines {
				t.Fatalf("%d lines; want %d:\n%s", got, Lines, text)
			}
			for line := range strings.Lines(Legend(style, false) + text) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%d columns are too many for %d:\n%s", n, width, line)
				}
				if width >= 80 && strings.HasPrefix(line, "quick") && !strings.HasSuffix(line, "● answered\n") {
					t.Errorf("at %d columns the end of a lane is cut off:\n%s", width, line)
				}
			}
		}
	}
}

// Take the color away and the drawing is the plain one.
func TestColor(t *testing.T) {
	for _, r := range recorded(t) {
		plain, color := Text(r, Style{Width: 80}), Text(r, Style{Width: 80, Color: true})
		if strings.Contains(plain, "\x1b") || !strings.Contains(color, "\x1b[32m━") {
			t.Errorf("plain:\n%q\nin color:\n%q", plain, color)
		}
		var bare strings.Builder
		for i, part := range strings.Split(color, "\x1b[") {
			if i > 0 {
				_, part, _ = strings.Cut(part, "m")
			}
			bare.WriteString(part)
		}
		if got := bare.String(); got != plain {
			t.Errorf("in color:\n%s\nplain:\n%s", color, plain)
		}
		for line := range strings.Lines(color) {
			if i := strings.LastIndex(line, "\x1b["); i >= 0 && !strings.HasPrefix(line[i:], reset) {
				t.Errorf("the color of a line is not ended: %q", line)
			}
		}
	}
}

func TestTicks(t *testing.T) {
	for _, slow := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond, time.Second, 7 * time.Second, time.Hour} {
		for n := 2; n < 12; n++ {
			ticks := Recording{Slow: slow}.ticks(n)
			if len(ticks) < 1 || len(ticks) > n || ticks[0] != 0 {
				t.Errorf("slow %v: ticks(%d) = %v", slow, n, ticks)
			}
		}
	}
}
