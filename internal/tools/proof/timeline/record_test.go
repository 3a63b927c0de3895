package timeline_test

import (
	"maps"
	"os/exec"
	"strings"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
)

// Each odd server begins with listens. With refuses before it, it has no flag -patience.
const (
	refuses = "import sys\nif '-patience' in sys.argv: sys.exit(2)\n"
	listens = `
import socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
print("listening on http://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
`
	accepts = listens + "while True:\n conn, _ = listener.accept()\n "
)

// A right server is right at every speed, and a machine that is busy elsewhere makes the order of events doubtful
// at a high one. So a recording that differs is made again, slower.
var speeds = []time.Duration{150 * time.Millisecond, 600 * time.Millisecond, 4 * time.Second, 15 * time.Second}

// TestOddServers records servers of kinds that the stages are not.
func TestOddServers(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3 here")
	}
	for _, tt := range []struct {
		name     string
		program  string
		patience bool          // it has the flag
		asks     timeline.Kind // what happens last to the visitors who send a request
		silent   timeline.Kind // and to the one who does not
		err      string        // or the server ends, and has printed this
	}{
		{"deaf", listens + "time.sleep(1000)", true, timeline.Arrives, timeline.Leaves, ""},
		{"rude", refuses + accepts + "conn.close()", false, timeline.Dropped, timeline.Dropped, ""},
		{"short", accepts + `conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nHello"); conn.shutdown(socket.SHUT_WR)`,
			true, timeline.Dropped, timeline.Dropped, ""},
		{"gone", listens + "listener.close(); time.sleep(1000)", true, timeline.Refused, timeline.Refused, ""},
		{"dying", listens + "listener.accept(); sys.exit('I have had enough')", true, "", "", "I have had enough"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := map[string]timeline.Kind{"slow": tt.asks, "quick 1": tt.asks, "quick 2": tt.asks, "quick 3": tt.asks, "silent": tt.silent}
			for _, slow := range speeds {
				r, err := timeline.Record(server.Command("python3", "-c", tt.program), slow)
				got := map[string]timeline.Kind{}
				for _, e := range r.Events {
					got[e.Visitor] = e.Kind
				}
				if r.Patience > 0 != tt.patience || err != nil && tt.err == "" {
					t.Fatalf("patience %v, %v", r.Patience, err)
				}
				if err != nil && strings.Contains(err.Error(), tt.err) || err == nil && maps.Equal(got, want) {
					return
				}
				t.Logf("with -slow %v: %v, %v", slow, r.Events, err)
			}
			t.Errorf("want %v", want)
		})
	}
}
