package mutants

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

const root = "../../.."

// TestMain lets the test binary be each of the servers as well: it is when its
// first argument is a server's name.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if s := find(os.Args[1]); s != nil {
			s.main(os.Args[2:])
			return
		}
	}
	flag.Parse()
	flag.Set("test.parallel", "32") // a story mostly waits
	os.Exit(m.Run())
}

var rightServers = []struct {
	stage int // whose behaviours it has
	make  func(name string) *site
}{
	{1, stage1},
	{3, stage3},
	{4, stage4},
}

// find returns the server with the name, which can be "right" and a stage.
func find(name string) *site {
	for _, r := range rightServers {
		if name == rightName(r.stage) {
			return r.make(name)
		}
	}
	for _, w := range wrongServers {
		if w.name == name {
			s := w.right(name)
			w.change(s)
			return s
		}
	}
	return nil
}

func rightName(stage int) string { return "right, as stage " + string(rune('0'+stage)) }

func program(t *testing.T, name string) *server.Program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := server.Command(exe, name)
	p.Name, p.Go = name, true
	return p
}

// TestWrongServers runs every wrong server, and fails if it passes the script
// named for it, or fails it for another reason than the one named.
func TestWrongServers(t *testing.T) {
	for _, w := range wrongServers {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			has := func(behaviour string) bool { return true } // so that nothing is left out
			r := behaviour.Tell(root, program(t, w.name), w.caughtBy, has)
			// What a server does wrong within a second nobody sees who is kept
			// from looking for as long, by a machine that is busy elsewhere.
			for try := 0; try < 3 && !r.Failed && r.Skipped == ""; try++ {
				t.Logf("it passes %s; once more", w.caughtBy)
				r = behaviour.Tell(root, program(t, w.name), w.caughtBy, has)
			}
			switch {
			case r.Skipped != "":
				t.Skip(r.Skipped)
			case !r.Failed:
				t.Errorf("it passes %s", w.caughtBy)
			case !regexp.MustCompile(w.because).MatchString(r.Reason):
				t.Errorf("it fails, but for another reason than %q: %v", w.because, r)
			default:
				t.Log(r)
			}
		})
	}
}

// TestNeedsAConnection has a handler that asks for a reader and a writer, and
// is content with a connection only: it compiles, and cannot be tested without a network.
func TestNeedsAConnection(t *testing.T) {
	p, err := server.Open("testdata/needs-a-connection")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := behaviour.Tell(root, p, "without-a-network/handler", func(string) bool { return true })
	if !r.Failed || !strings.Contains(r.Reason, "interface conversion") {
		t.Errorf("want a failure because of an interface conversion, got %v", r)
	}
	t.Log(r)
}

// TestRightServers is the control: what the wrong servers are made from passes
// all that they are caught by.
func TestRightServers(t *testing.T) {
	for _, right := range rightServers {
		t.Run(rightName(right.stage), func(t *testing.T) {
			t.Parallel()
			var scripts []string
			for _, b := range behaviour.Stages[right.stage-1].Behaviours {
				if b == "where-is-goroutine-1" {
					continue
				}
				s, err := behaviour.Scripts(root, b)
				if err != nil {
					t.Fatal(err)
				}
				scripts = append(scripts, s...)
			}
			for _, r := range behaviour.Examine(root, program(t, rightName(right.stage)), scripts, 8, nil) {
				if r.Failed {
					t.Error(r)
				}
			}
			for _, w := range wrongServers {
				if right.stage == 4 && !slices.Contains(scripts, w.caughtBy) && !behaviour.Stages[2].Has(folder(w)) && !behaviour.Stages[0].Has(folder(w)) {
					t.Errorf("%s: no right server passes %s", w.name, w.caughtBy)
				}
			}
		})
	}
}

func folder(w wrongServer) string {
	return regexp.MustCompile(`/.*`).ReplaceAllString(w.caughtBy, "")
}
