package server

import "testing"

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
