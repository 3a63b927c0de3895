package timeline_test

import (
	"flag"
	"fmt"
	"log"
	"maps"
	"net"
	"os"
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
var speeds = []time.Duration{150 * time.Millisecond, 600 * time.Millisecond, 4 * time.Second, 15 * time.Second}

// recordUntil records at one speed after the other until the order is right, and
// returns the last recording.
func recordUntil(t *testing.T, p *server.Program, right func(timeline.Recording) bool) timeline.Recording {
	t.Helper()
	var r timeline.Recording
	for _, slow := range speeds {
		var err error
		if r, err = timeline.Record(p, slow); err != nil {
			t.Fatal(err)
		}
		if right(r) {
			break
		}
		t.Logf("not as expected with -slow %v", slow)
	}
	return r
}

// odd are servers of kinds that the stages are not. This test binary is one of them if
// its first argument says which.
var odd = map[string]func(net.Listener){
	"deaf":      func(net.Listener) {},
	"impatient": func(net.Listener) {}, // has the flag -patience
	"gone":      func(net.Listener) {}, // does not listen any more; its process is still there
	"dying": func(l net.Listener) {
		l.Accept()
		log.Fatal("I have had enough")
	},
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
	select {} // until it is killed
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
			want := map[string]timeline.Kind{"silent": tt.other}
			for _, name := range []string{"slow", "quick 1", "quick 2", "quick 3"} {
				want[name] = tt.asked
			}
			as := func(r timeline.Recording) bool {
				last := map[string]timeline.Kind{}
				for _, e := range r.Events {
					last[e.Visitor] = e.Kind
				}
				return maps.Equal(last, want)
			}
			if r := recordUntil(t, oddServer(t, tt.name), as); !as(r) {
				t.Errorf("want %q, and %q for the silent visitor; got\n%v", tt.asked, tt.other, r.Events)
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
		if r, err = timeline.Record(oddServer(t, "dying"), slow); err != nil {
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
		r, err := timeline.Record(oddServer(t, name), 100*time.Millisecond)
		if err != nil || r.Patience != want {
			t.Errorf("%s: patience %v, %v; want %v", name, r.Patience, err, want)
		}
	}
}
