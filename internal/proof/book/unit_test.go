package book

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestUpdate(t *testing.T) {
	archives, err := filepath.Glob("testdata/update/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("testdata/update/*.txtar: %d archives, %v", len(archives), err)
	}
	for _, name := range archives {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			dir, _ := unpack(t, name)
			b, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			b.Check()
			s, err := b.Sessions(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			s.update, s.patience = true, 500
			var results []*Result
			for _, p := range b.pages {
				r := s.Run(p)
				switch {
				case r.Skipped != "":
					t.Skip(r.Skipped)
				case r.Problem != nil:
					t.Fatal(r.Problem)
				}
				results = append(results, r)
			}
			if _, err := b.Update(results); err != nil {
				t.Fatal(err)
			}
			for _, p := range b.pages {
				got, err := os.ReadFile(filepath.Join(dir, p.name))
				if err != nil {
					t.Fatal(err)
				}
				want, err := os.ReadFile(filepath.Join(dir, "want", p.name))
				if err != nil {
					t.Fatal(err)
				}
				if string(got) != string(want) {
					t.Errorf("-update makes %s\n%s\nwant\n%s", p.name, got, want)
				}
			}
		})
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		page, real  string // lines, separated by |
		full        bool
		stuck, next int
	}{
		{"", "", true, -1, 0},
		{"a", "a", true, -1, 1},
		{"a|b", "a", false, -1, 1},
		{"a", "a|b", false, 1, 1},
		{"a|c", "a|b", false, 1, 1},
		{"...", "", true, -1, 1},
		{"...", "a|b", true, -1, 1},
		{"...|b", "a|b|b", true, -1, 2},
		{"a|...|c", "a|c", true, -1, 3},
		{"a|...|c", "a|b", false, -1, 2},
		{"a...c", "abc", true, -1, 1},
		{"a...c", "abcd", false, 0, 0},
		{"a.c", "abc", false, 0, 0},
		{"a  ", "a", true, -1, 1},
		{"ok      m", "ok  \tm", true, -1, 1},
		{"100%", "  1%\r100%", true, -1, 1},
	} {
		split := func(s string) []string {
			if s == "" {
				return nil
			}
			return strings.Split(s, "|")
		}
		var pats []pattern
		for _, text := range split(tt.page) {
			pats = append(pats, newPattern(0, text))
		}
		got := match(pats, split(tt.real))
		if want := (matching{tt.full, tt.stuck, tt.next}); got != want {
			t.Errorf("match(%q, %q) = %+v, want %+v", tt.page, tt.real, got, want)
		}
	}
}

func TestIncomplete(t *testing.T) {
	for command, want := range map[string]bool{
		"echo":                     false,
		`echo \`:                   true,
		"echo |":                   true,
		"echo &&":                  true,
		"echo 'a":                  true,
		"echo 'a\nb'":              false,
		`echo "it's"`:              false,
		"cat <<END":                true,
		"cat <<END\na":             true,
		"cat <<END\na\nEND":        false,
		"for i in 1; do":           true,
		"for i in 1; do\necho":     true,
		"for i in 1; do echo done": true, // to the shell as well
		"if a; then b; fi":         false,
	} {
		if got := incomplete(strings.Split(command, "\n")); got != want {
			t.Errorf("incomplete(%q) = %v, want %v", command, got, want)
		}
	}
}

func TestLocal(t *testing.T) {
	s := &session{port: "20001"}
	for command, want := range map[string]string{
		"make stage3":                          "make stage3 ARGS='-addr=127.0.0.1:20001'",
		"make stage3 ARGS='-slow 1s'":          "make stage3 ARGS='-addr=127.0.0.1:20001 -slow 1s'",
		"make stage3 ARGS=-h":                  "make stage3 ARGS='-addr=127.0.0.1:20001 -h'",
		"make stage3 ARGS='-addr :7878'":       "make stage3 ARGS='-addr :20001'",
		"go run ./stage3-spawned -slow 1s":     "go run ./stage3-spawned -addr=127.0.0.1:20001 -slow 1s",
		"GODEBUG=x=1 bin/stage3-spawned":       "GODEBUG=x=1 bin/stage3-spawned -addr=127.0.0.1:20001",
		"ulimit -n 9; ./bin/stage3-spawned":    "ulimit -n 9; ./bin/stage3-spawned -addr=127.0.0.1:20001",
		"go build -o bin/ ./stage3-spawned":    "go build -o bin/ ./stage3-spawned",
		"go test ./stage3-spawned":             "go test ./stage3-spawned",
		"make diff A=2 B=3":                    "make diff A=2 B=3",
		"curl http://127.0.0.1:7878/sleep":     "curl http://127.0.0.1:20001/sleep",
		"go run ./internal/nethttp":            "go run ./internal/nethttp -addr=127.0.0.1:20001",
		"python3 mine.py -addr 127.0.0.1:7878": "python3 mine.py -addr 127.0.0.1:20001",
	} {
		got := s.local(command)
		if got != want {
			t.Errorf("local(%q) = %q, want %q", command, got, want)
		}
		if back := s.plain(got); back != command && !strings.Contains(command, "ARGS") {
			t.Errorf("plain(%q) = %q, want %q", got, back, command)
		}
	}
}

func TestGeneralize(t *testing.T) {
	for line, want := range map[string]string{
		"goroutine 1 gp=0xc00 m=nil [sleep]:":                                    "goroutine 1 gp=0x... m=nil [sleep]:",
		"goroutine 18 [IO wait]:":                                                "goroutine ... [IO wait]:",
		"\texample.com/concurrent-web-server/stage1-blocking/main.go:62 +0x1d":   "\t.../stage1-blocking/main.go:62 +0x...",
		"\t/tmp/x/concurrent-web-server/stage1-blocking/main.go:62 +0x1d":        "\t.../stage1-blocking/main.go:62 +0x...",
		"\truntime/time.go:363 +0x165":                                           "\t...runtime/time.go:... +0x...",
		"ok  \tm\t0.123s":                                                        "ok  \tm\t...s",
		"bin/stage1-blocking -slow 1s":                                           "bin/stage1-blocking -slow 1s",
		"curl: (28) Operation timed out after 1003 milliseconds with 0 bytes":    "curl: (28) Operation timed out after ... milliseconds with 0 bytes",
		"curl: (7) Failed to connect to 127.0.0.1 port 7878 after 0 ms: Refused": "curl: (7) Failed to connect to 127.0.0.1 port 7878 after ... ms: Refused",
	} {
		if got := generalize(line); got != want {
			t.Errorf("generalize(%q) = %q, want %q", line, got, want)
		}
	}
}

func TestSlugs(t *testing.T) {
	p := parse("a.md", "# Where is goroutine 1?\n\n## `go vet` & [friends](x), in *italics*\n\n## Run it\n\n## Run it\n")
	for _, want := range []string{"where-is-goroutine-1", "go-vet--friends-in-italics", "run-it", "run-it-1"} {
		if !p.anchors[want] {
			t.Errorf("no anchor %q among %v", want, p.anchors)
		}
	}
	if n := len(p.anchors); n != 4 {
		t.Errorf("%d anchors, want 4: %v", n, p.anchors)
	}
}

// TestEveryRuleHasItsMistake holds testdata against the book's messages: each of
// them has an archive that brings it about.
func TestEveryRuleHasItsMistake(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var wants []string
	for _, name := range archives {
		_, w := unpack(t, name)
		wants = append(wants, w...)
	}
	for _, rule := range []string{
		"does not print what the page shows", "prints a line that the page does not show", "does not end",
		"which terminal", "would run itself", "go list",
		"the excerpt", "the diff has", "not the whole of what has changed", "does not make one into the other",
		"leads nowhere", "no heading whose anchor", "no text for those who do not see it", "uses this figure",
		"no chain of links", "the alphabet", "none links to glossary.md",
		"nothing checks the line number", "quotes nothing", "is nowhere in the file",
		"nothing checks this block", "has no fenced block that begins", "indented line", "never closed",
		"does not fit", "go vet", "no session further down", "the heading", "has no page",
	} {
		if !slices.ContainsFunc(wants, func(want string) bool { return strings.Contains(want, rule) }) {
			t.Errorf("no archive in testdata has the problem %q", rule)
		}
	}
}
