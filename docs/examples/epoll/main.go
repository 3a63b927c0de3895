//go:build linux

// Epoll serves many visitors with one goroutine, on one thread: it asks the kernel which
// sockets are ready, deals with those, and asks again. That is what Go's poller does for the
// goroutines of stage 4. See docs/the-loop-by-hand.md.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"net"
	"syscall"
	"time"
)

var (
	addr     = flag.String("addr", "127.0.0.1:7878", "listen on `host:port`; port 0 picks a free one")
	slow     = flag.Duration("slow", 5*time.Second, "how long GET /sleep takes")
	patience = flag.Duration("patience", 10*time.Second, "how long a visitor may take to send a request")
)

// A visitor is a connection, with what a goroutine would have kept on its stack.
type visitor struct {
	input    []byte    // the request, as far as it has come
	sleeping bool      // the request is GET /sleep, and has been read
	due      time.Time // when the answer is due, or the patience is over
}

var (
	visitors = map[int]*visitor{} // by descriptor
	epoll, _ = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
)

func main() {
	flag.Parse()
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	file, _ := l.(*net.TCPListener).File() // a copy, of which Go's poller does not know
	defer file.Close()
	listener := int(file.Fd())
	syscall.SetNonblock(listener, true)
	watch(listener)
	log.Printf("listening on http://%s", l.Addr())

	events := make([]syscall.EpollEvent, 64)
	for {
		n, _ := syscall.EpollWait(epoll, events, untilNextDue()) // the only call that waits
		for i := range n {
			if fd := int(events[i].Fd); fd == listener {
				accept(listener)
			} else {
				read(fd, visitors[fd])
			}
		}
		for fd, v := range visitors {
			if time.Now().After(v.due) && v.sleeping {
				answer(fd, "200 OK", "Hello!")
			} else if time.Now().After(v.due) {
				leave(fd)
			}
		}
	}
}

// untilNextDue returns for how many milliseconds nothing is due, or -1 for ever. Go's runtime
// keeps its timers in a heap, so that it need not look at all of them.
func untilNextDue() int {
	next := -1
	for _, v := range visitors {
		if ms := max(int(time.Until(v.due).Milliseconds()), 0) + 1; next < 0 || ms < next {
			next = ms
		}
	}
	return next
}

// watch has epoll_wait return whenever there is something to read from fd.
func watch(fd int) {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &event)
}

func accept(listener int) {
	fd, _, err := syscall.Accept4(listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
	if err == nil {
		visitors[fd] = &visitor{due: time.Now().Add(*patience)}
		watch(fd)
	}
}

// read reads what has arrived. If that is not the whole request yet, it returns to the loop.
func read(fd int, v *visitor) {
	var buf [4096]byte
	n, err := syscall.Read(fd, buf[:])
	v.input = append(v.input, buf[:max(n, 0)]...)
	switch {
	case err == syscall.EAGAIN:
	case n <= 0: // the visitor has left
		leave(fd)
	case !bytes.Contains(v.input, []byte("\r\n\r\n")):
	case bytes.HasPrefix(v.input, []byte("GET /sleep ")):
		v.sleeping, v.due = true, time.Now().Add(*slow)
		syscall.EpollCtl(epoll, syscall.EPOLL_CTL_DEL, fd, nil) // nothing more is read
	case bytes.HasPrefix(v.input, []byte("GET / ")):
		answer(fd, "200 OK", "Hello!")
	default:
		answer(fd, "404 Not Found", "Oops!")
	}
}

// answer sends a page that fits into the socket's buffer, so that the write does not wait. For
// a larger one the loop would have to keep the rest, and watch for EPOLLOUT.
func answer(fd int, status, page string) {
	syscall.Write(fd, fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(page), page))
	leave(fd)
}

// leave closes the connection, and with it the kernel stops watching the descriptor.
func leave(fd int) {
	delete(visitors, fd)
	syscall.Close(fd)
}
