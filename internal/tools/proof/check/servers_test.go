package check

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// servers are those that check is tried on.
var servers = map[string]func(addr string){
	"prints-nothing": func(addr string) { serve(listen(addr)) },
	"exits": func(string) {
		fmt.Println("no configuration")
		os.Exit(3)
	},
	"no-such-flag": func(string) {
		fmt.Println("flag provided but not defined: -addr")
		os.Exit(2)
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
	"listens-elsewhere":  func(string) { serve(listenAndSay(os.Getenv("ELSEWHERE"))) },
	"port-in-the-source": func(string) { serve(listen(os.Getenv("ELSEWHERE"))) },
	"four-at-its-own-port": func(string) {
		l := listen(os.Getenv("ELSEWHERE"))
		for range 3 {
			go serve(l)
		}
		serve(l)
	},
	"crashes-in-python": func(addr string) {
		l := listenAndSay(addr)
		for range 600 {
			fmt.Println("127.0.0.1 GET / 200")
		}
		answer(accept(l), reply)
		fmt.Println("Traceback (most recent call last):\n  File \"mine.py\", line 7, in <module>\nKeyError: 'path'")
		os.Exit(1)
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
	"leaves-a-process": func(addr string) {
		child := exec.Command("sleep", "1000")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			panic(err)
		}
		rememberPID(child.Process.Pid)
		serve(listenAndSay(addr))
	},

	// These have a place on the ladder, and manners of their own.
	"no-manners": func(addr string) {
		for l := listenAndSay(addr); ; {
			answer(accept(l), "HTTP/1.0 200 OK\n\nHello!")
		}
	},
	// As most Go programmers write their first: a goroutine and a deadline for each visitor, and no end.
	"go-handle": func(addr string) {
		for l := listenAndSay(addr); ; {
			conn := accept(l)
			conn.SetReadDeadline(time.Now().Add(*patience))
			go answer(conn, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nHello!")
		}
	},
	"keep-alive": func(addr string) {
		for l := listenAndSay(addr); ; {
			go keepAlive(accept(l))
		}
	},
	// It waits for all visitors at once, and does what they ask for one after the other.
	"event-loop": func(addr string) {
		events := make(chan func())
		l := listenAndSay(addr)
		go func() {
			for {
				conn := accept(l)
				go func() {
					request := readRequest(conn)
					events <- func() { answerTo(conn, request, reply) }
				}()
			}
		}()
		for event := range events {
			event()
		}
	},
}

var (
	slow     = flag.Duration("slow", time.Second, "of a server: how long GET /sleep takes")
	patience = flag.Duration("patience", 10*time.Second, "of a server: how long a visitor may take to ask")
)

// beServer makes this process one of the servers, if its first argument is the name of one.
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

func accept(l net.Listener) net.Conn {
	for {
		conn, err := l.Accept()
		if err == nil {
			return conn
		}
		time.Sleep(time.Second) // no file descriptor is left
	}
}

const reply = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\nHello!"

// serve answers one visitor after the other.
func serve(l net.Listener) {
	for {
		answer(accept(l), reply)
	}
}

// answer answers a visitor, and closes the connection.
func answer(conn net.Conn, reply string) { answerTo(conn, readRequest(conn), reply) }

func readRequest(conn net.Conn) string {
	buf := make([]byte, 4096)
	n, _ := conn.Read(buf)
	return string(buf[:n])
}

// answerTo answers a request, unless it is empty, and closes the connection.
func answerTo(conn net.Conn, request, reply string) {
	defer conn.Close()
	if strings.HasPrefix(request, "GET /sleep ") {
		time.Sleep(*slow)
	}
	if request != "" {
		io.WriteString(conn, reply)
	}
}

// keepAlive keeps a connection open for more requests, whatever the visitor says, and answers unknown
// requests with 405.
func keepAlive(conn net.Conn) {
	defer conn.Close()
	for request := readRequest(conn); request != ""; request = readRequest(conn) {
		status := "200 OK"
		if strings.HasPrefix(request, "GET /sleep ") {
			time.Sleep(*slow)
		} else if !strings.HasPrefix(request, "GET / ") {
			status = "405 Method Not Allowed"
		}
		io.WriteString(conn, "HTTP/1.1 "+status+"\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\nHello!")
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
