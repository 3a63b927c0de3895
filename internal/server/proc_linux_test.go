//go:build !portable

package server

import (
	"io"
	"net"
	"testing"
)

// A connection is followed from the visitor's end while the other end, in this
// process, accepts it and reads from it.
func TestHasRead(t *testing.T) {
	if line := Unseen(); line != "" {
		t.Skip(line)
	}
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			listener, err := net.Listen("tcp", addr)
			if err != nil {
				t.Skip(err) // a system without IPv6
			}
			defer listener.Close()
			visitor, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer visitor.Close()
			want := func(when string, want bool) {
				t.Helper()
				if got, err := (&Server{program: new(Program), view: kernelView{}}).HasRead(visitor); got != want || err != nil {
					t.Errorf("%s: HasRead = %v, %v; want %v, nil", when, got, err, want)
				}
			}

			want("before it is accepted", false)
			conn, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			want("before anything is sent", true)
			io.WriteString(visitor, "hello")
			want("before it is read", false)
			io.ReadFull(conn, make([]byte, 2))
			want("before all is read", false)
			io.ReadFull(conn, make([]byte, 3))
			want("after all is read", true)
			visitor.(*net.TCPConn).SetLinger(0)
			visitor.Close()
			want("after a reset", false)
		})
	}
}
