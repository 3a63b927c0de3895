package server

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// TestIgnored starts a server as go test & does, which a shell lets ignore Ctrl-C.
func TestIgnored(t *testing.T) {
	signal.Ignore(os.Interrupt)
	defer signal.Reset(os.Interrupt)
	s, err := Command("sh", "-c", "echo listening on http://127.0.0.1:1; exec sleep 60").Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Kill()
	s.Signal(syscall.SIGINT)
	state, err := s.Wait(GiveUpAfter)
	if err != nil {
		t.Fatal(err)
	}
	if got := state.String(); got != "signal: interrupt" {
		t.Errorf("it ends with %s", got)
	}
}

func TestListening(t *testing.T) {
	for _, tt := range []struct{ printed, want string }{
		{"listening on http://127.0.0.1:7878\n", "127.0.0.1:7878"},
		{"2026/01/02 15:04:05 listening on http://[::1]:7878/ now\n", "[::1]:7878"},
		{"time=1 level=INFO msg=\"listening on http://127.0.0.1:7878\"\n", "127.0.0.1:7878"},
		{`{"level":"INFO","msg":"listening on http://localhost:7878"}`, "localhost:7878"},
		{"listening on http://127.0.0.1:7878.\n", "127.0.0.1:7878"},
		{"\x1b[32mlistening on http://127.0.0.1:7878\x1b[0m\n", "127.0.0.1:7878"},
		{"listening on http://127.0.0.1:78", ""}, // there may be more to come
		{"listening on http://localhost\n", ""},
		{"listening on 127.0.0.1:7878\n", ""},
	} {
		got := ""
		if m := listening.FindStringSubmatch(tt.printed); m != nil {
			got = m[1]
		}
		if got != tt.want {
			t.Errorf("%q: listens on %q; want %q", tt.printed, got, tt.want)
		}
	}
}
