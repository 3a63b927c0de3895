package server

import "testing"

func TestReplaceShell(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"python3 mine.py", "exec python3 mine.py"},
		{"exec python3 mine.py", "exec python3 mine.py"},
		{"PORT=1 DEBUG= ./a.out -v", "PORT=1 DEBUG= exec ./a.out -v"},
		{"PORT=1 exec ./a.out", "PORT=1 exec ./a.out"},
		{"cd mine && ./a.out", "cd mine && exec ./a.out"},
		{"cd mine; X=1 ./a.out 2>&1", "cd mine; X=1 exec ./a.out 2>&1"},
		{"make -s && cd out && './my server' -x 'a;b'", "make -s && cd out && exec './my server' -x 'a;b'"},
		{`"$HOME/a.out" "a && b"`, `exec "$HOME/a.out" "a && b"`},
		// What is more than a list of simple commands is left to the shell.
		{`NAME="a b" ./a.out`, `NAME="a b" ./a.out`},
		{"./a.out | tee log", "./a.out | tee log"},
		{"./a.out & wait", "./a.out & wait"},
		{"false || ./a.out", "false || ./a.out"},
		{"(cd mine; ./a.out)", "(cd mine; exec ./a.out)"},
		{"if true; then ./a.out; fi", "if true; then ./a.out; fi"},
		{"cd mine &&", "cd mine &&"},
		{"", ""},
	} {
		if got := replaceShell(tt.line); got != tt.want {
			t.Errorf("replaceShell(%q) = %q; want %q", tt.line, got, tt.want)
		}
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
