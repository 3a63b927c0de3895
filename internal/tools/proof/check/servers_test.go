package check

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// servers are those that check is tried on. They cannot be examined, or not to the end.
var servers = map[string]func(addr string){
	"prints-nothing": func(addr string) { serve(listen(addr)) },
	"exits": func(string) {
		fmt.Println("no configuration")
		os.Exit(3)
	},
	"does-not-listen": func(string) {
		announce("127.0.0.1:1")
		time.Sleep(time.Hour)
	},
	"says-port-0": func(addr string) {
		l := listen(addr)
		announce(addr)
		serve(l)
	},
	"listens-elsewhere":    func(string) { serve(listenAndSay(os.Getenv("ELSEWHERE"))) },
	"port-in-the-source":   func(string) { serve(listen(os.Getenv("ELSEWHERE"))) },
	"four-at-its-own-port": func(string) { pool(listen(os.Getenv("ELSEWHERE")), 4) },
	"no-such-flag": func(string) {
		fmt.Println("flag provided but not defined: -addr")
		os.Exit(2)
	},
	"reads-past-the-end": func(addr string) { // after its first visitor has left
		for l := listenAndSay(addr); ; {
			conn, err := l.Accept()
			if err != nil {
				continue
			}
			for buf := make([]byte, 4096); ; {
				if n, _ := conn.Read(buf); n > 0 {
					io.WriteString(conn, reply)
				}
			}
		}
	},
	"crashes-in-python": func(addr string) {
		l := listenAndSay(addr)
		for range 600 {
			fmt.Println("127.0.0.1 GET / 200")
		}
		answer(l, reply)
		fmt.Println("Traceback (most recent call last):\n  File \"mine.py\", line 7, in <module>\nKeyError: 'path'")
		os.Exit(1)
	},
	"runs-once": func(string) { // the second one only says where the first one is
		l, err := net.Listen("tcp", os.Getenv("ELSEWHERE"))
		announce(os.Getenv("ELSEWHERE"))
		if err == nil {
			serve(l)
		}
		time.Sleep(time.Hour)
	},
	"floods": func(addr string) {
		listenAndSay(addr)
		for {
			fmt.Println("nobody has come yet")
		}
	},
	"ignores-signals": func(addr string) {
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
		serve(listenAndSay(addr))
	},
	"dies-halfway": func(addr string) {
		l := listenAndSay(addr)
		answer(l, reply)
		answer(l, reply)
		panic("no more")
	},
	"in-pieces": func(addr string) { serve(listenAndSay(addr), reply[:10], reply[10:20], reply[20:]) },

	"half-closes": halfCloses,

	// These have a place on the ladder, and manners of their own.
	"no-manners":      func(addr string) { serve(listenAndSay(addr), "HTTP/1.0 200 OK\n\nHello!") },
	"go-handle":       goHandle,
	"keep-alive":      keepAlive,
	"event-loop":      eventLoop,
	"reads-to-accept": readsToAccept,
	"leaves-a-process": func(addr string) {
		child := exec.Command("sleep", "1000")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			panic(err)
		}
		rememberPID(child.Process.Pid)
		serve(listenAndSay(addr))
	},
}

var (
	slow     = flag.Duration("slow", time.Second, "of a server: how long GET /sleep takes")
	patience = flag.Duration("patience", 10*time.Second, "of a server: how long a visitor may take to ask")
)

// beServer makes this process one of the servers, if its first argument says so.
func beServer() {
	if len(os.Args) < 2 || servers[os.Args[1]] == nil {
		return
	}
	addr := flag.String("addr", "127.0.0.1:7878", "")
	flag.CommandLine.Parse(os.Args[2:])
	rememberPID(os.Getpid())
	servers[os.Args[1]](*addr)
}

func listen(addr string) net.Listener {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return l
}

func announce(addr string) { fmt.Printf("listening on http://%s\n", addr) }

func listenAndSay(addr string) net.Listener {
	l := listen(addr)
	announce(l.Addr().String())
	return l
}

const reply = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\nHello!"

// serve answers each visitor with the pieces, or else with the reply.
func serve(l net.Listener, pieces ...string) {
	if len(pieces) == 0 {
		pieces = []string{reply}
	}
	for {
		answer(l, pieces...)
	}
}

// answer answers one visitor with the pieces, each in a write of its own.
func answer(l net.Listener, pieces ...string) {
	conn, err := l.Accept()
	if err != nil {
		time.Sleep(time.Second) // no file descriptor is left
		return
	}
	defer conn.Close()
	buf := make([]byte, 4096)
	if n, _ := conn.Read(buf); bytes.HasPrefix(buf[:n], []byte("GET /sleep ")) {
		time.Sleep(*slow)
	}
	for _, piece := range pieces {
		io.WriteString(conn, piece)
	}
}

// goHandle is a server as most Go programmers write their first: with a goroutine and a deadline
// for each visitor, and without an end.
func goHandle(addr string) {
	l := listenAndSay(addr)
	for {
		conn, err := l.Accept()
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		go func() {
			conn.SetReadDeadline(time.Now().Add(*patience))
			answerTo(conn, readRequest(conn), "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nHello!")
		}()
	}
}

// keepAlive keeps each connection open for more requests, whatever the visitor says, and answers
// what it does not know with 405.
func keepAlive(addr string) {
	l := listenAndSay(addr)
	for {
		conn, err := l.Accept()
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		go func() {
			defer conn.Close()
			for text := readRequest(conn); text != ""; text = readRequest(conn) {
				status := "200 OK"
				if strings.HasPrefix(text, "GET /sleep ") {
					time.Sleep(*slow)
				} else if !strings.HasPrefix(text, "GET / ") {
					status = "405 Method Not Allowed"
				}
				io.WriteString(conn, "HTTP/1.1 "+status+"\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\nHello!")
			}
		}()
	}
}

// pool serves so many visitors at a time, each from the first byte to the last.
func pool(l net.Listener, size int) {
	for range size - 1 {
		go serve(l)
	}
	serve(l)
}

// eventLoop waits for all visitors at once, and does what they ask for one after the other.
func eventLoop(addr string) {
	type request struct {
		conn net.Conn
		text string
	}
	requests := make(chan request)
	l := listenAndSay(addr)
	go func() {
		for {
			if conn, err := l.Accept(); err == nil {
				go func() { requests <- request{conn, readRequest(conn)} }()
			}
		}
	}()
	for r := range requests {
		answerTo(r.conn, r.text, reply)
	}
}

// readsToAccept reads a request before it accepts the next visitor, and then starts a
// goroutine.
func readsToAccept(addr string) {
	l := listenAndSay(addr)
	for {
		if conn, err := l.Accept(); err == nil {
			text := readRequest(conn)
			go answerTo(conn, text, reply)
		}
	}
}

// halfCloses stops when it is interrupted, and waits until visitors close what it has closed on
// its own side only.
func halfCloses(addr string) {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT)
	stopping := make(chan bool)
	l := listenAndSay(addr)
	go func() {
		<-interrupted
		close(stopping)
		l.Close()
	}()
	var visitors sync.WaitGroup
	for {
		conn, err := l.Accept()
		if err != nil {
			visitors.Wait()
			os.Exit(0)
		}
		visitors.Go(func() {
			go func() {
				<-stopping
				conn.(*net.TCPConn).CloseWrite()
			}()
			for text := readRequest(conn); text != ""; text = readRequest(conn) {
				if strings.Contains(text, "\r\n") {
					answerTo(conn, text, reply)
				}
			}
		})
	}
}

func readRequest(conn net.Conn) string {
	buf := make([]byte, 4096)
	n, _ := conn.Read(buf)
	return string(buf[:n])
}

// answerTo answers a request, and closes the connection. Nobody is answered who has asked for
// nothing.
func answerTo(conn net.Conn, request, reply string) {
	defer conn.Close()
	if strings.HasPrefix(request, "GET /sleep ") {
		time.Sleep(*slow)
	}
	if request != "" {
		io.WriteString(conn, reply)
	}
}

// rememberPID adds to the file that $PIDS names.
func rememberPID(pid int) {
	f, err := os.OpenFile(os.Getenv("PIDS"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, pid)
}
