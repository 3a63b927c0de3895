package timeline_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
)

// A right server is right at every speed, and a machine that is busy elsewhere
// makes the order of events doubtful at a high one. So a recording that differs
// is made again, slower. A wrong server does not become right: where a visitor
// waits for another, that holds however long the other takes.
var speeds = []time.Duration{150 * time.Millisecond, 600 * time.Millisecond, 4 * time.Second}

// recordUntil records at one speed after the other until the order is right, and
// returns the last recording.
func recordUntil(t *testing.T, p *server.Program, right func(timeline.Recording) bool) timeline.Recording {
	t.Helper()
	var r timeline.Recording
	for _, slow := range speeds {
		var err error
		if r, err = timeline.Record(t.Context(), p, slow, nil); err != nil {
			t.Fatal(err)
		}
		if right(r) {
			break
		}
		t.Logf("not as expected with -slow %v", slow)
	}
	return r
}

// What happens to the visitors of a stage happens in the order that was recorded
// for the figures.
func TestOrder(t *testing.T) {
	for name, want := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, err := server.Open(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			defer program.Close()

			want := want.Order()
			if timeline.Blind {
				want = withoutServed(want)
			}
			got := recordUntil(t, program, func(r timeline.Recording) bool { return r.Order() == want })
			if got.Order() != want {
				got.Server = name
				t.Errorf("%s does not treat its visitors as docs/figures/%s.svg shows. It was\n\n%s\nand now it is\n\n%s\nDoes one visitor wait for another who did not, or no longer? If that is what was meant: make figures",
					name, name, read(t, filepath.Join(root, "docs/figures", name+".txt")), timeline.Text(got, timeline.Style{Width: 80}))
			}
		})
	}
}

func withoutServed(order string) string {
	var b strings.Builder
	for line := range strings.Lines(order) {
		if !strings.HasSuffix(line, string(timeline.Served)+"\n") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// This test binary is also a server, of a kind that the stages are not, if the
// first argument says which.
var odd = map[string]func(net.Listener){
	"deaf": func(net.Listener) { select {} },
	"rude": func(l net.Listener) {
		for {
			if conn, err := l.Accept(); err == nil {
				conn.Close()
			}
		}
	},
	"short": func(l net.Listener) { // promises more than it sends
		for {
			if conn, err := l.Accept(); err == nil {
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nHello")
				conn.(*net.TCPConn).CloseWrite()
			}
		}
	},
	"gone": func(net.Listener) { // but its process is still there; see TestMain
		select {}
	},
	"dying": func(l net.Listener) {
		l.Accept()
		log.Fatal("I have had enough")
	},
	"impatient": func(l net.Listener) { // has the flag -patience, see TestMain
		select {}
	},
}

func TestMain(m *testing.M) {
	if len(os.Args) < 2 || odd[os.Args[1]] == nil {
		os.Exit(m.Run())
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	addr := flags.String("addr", "", "")
	flags.Duration("slow", 0, "")
	if os.Args[1] == "impatient" {
		flags.Duration("patience", 0, "")
	}
	flags.Parse(os.Args[2:])
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	if os.Args[1] == "gone" {
		l.Close() // before the first visitor can come
	}
	log.Printf("listening on http://%s", l.Addr())
	odd[os.Args[1]](l)
}

func oddServer(t *testing.T, name string) *server.Program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return server.Command(exe, name)
}

func TestOddServers(t *testing.T) {
	for _, tt := range []struct {
		name  string
		asked timeline.Kind // what it comes to for those who ask for something
		other timeline.Kind // for the one who does not
	}{
		{"deaf", timeline.Ignored, timeline.Leaves},
		{"rude", timeline.Dropped, timeline.Dropped},
		{"short", timeline.Dropped, timeline.Dropped},
		{"gone", timeline.Refused, timeline.Refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			as := func(r timeline.Recording) bool {
				last := map[string]timeline.Kind{}
				for _, e := range r.Events {
					last[e.Visitor] = e.Kind
				}
				for visitor, kind := range last {
					want := tt.asked
					if visitor == "silent" {
						want = tt.other
					}
					if kind != want {
						return false
					}
				}
				return len(last) == 5
			}
			if r := recordUntil(t, oddServer(t, tt.name), as); !as(r) {
				t.Errorf("want %q, and %q for the silent visitor; got\n%s", tt.asked, tt.other, r)
			}
		})
	}
}

func TestServerDies(t *testing.T) {
	var r timeline.Recording
	var err error
	for _, slow := range speeds {
		// That the process has ended comes out a little later than that
		// nobody answers.
		if r, err = timeline.Record(t.Context(), oddServer(t, "dying"), slow, nil); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "I have had enough") || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("Record of a server that dies: %v; want its last words", err)
	}
	if len(r.Events) == 0 {
		t.Error("there is nothing in the recording")
	}
}

func TestPatience(t *testing.T) {
	for name, want := range map[string]time.Duration{"deaf": 0, "impatient": 90 * time.Millisecond} {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := timeline.Record(ctx, oddServer(t, name), 100*time.Millisecond, func(timeline.Recording) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: Record = %v; want %v, because it was canceled", name, err, context.Canceled)
		}
		if r.Patience != want {
			t.Errorf("%s: patience %v, want %v", name, r.Patience, want)
		}
	}
}

const root = "../../.."

// recorded reads the recordings that the figures are drawn from.
func recorded(t *testing.T) map[string]timeline.Recording {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "internal/timeline/testdata/stage*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings (%v); make figures", err)
	}
	recordings := make(map[string]timeline.Recording)
	for _, file := range files {
		r, err := timeline.Parse(read(t, file))
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
