package mutants

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	helloPage = "<h1>Hello!</h1>\n"
	oopsPage  = "<h1>Oops!</h1>\n"
	maxHead   = 64 << 10
)

// A site is a right server, made of parts that a wrong one replaces.
type site struct {
	name     string
	graceful bool // whether it is at stage 4: it has -patience, and stops gracefully
	slow     time.Duration
	patience time.Duration
	ctx      context.Context // ends when the site is asked to stop
	signals  []os.Signal     // that stop it gracefully

	listen   func(addr string) (listener, error)
	onStop   func(l listener, again func()) // again: the next signal ends the program
	backOff  func(err error)                // after accept has failed
	spawn    func(handler func())
	handle   func(c conn)
	limit    func(c conn) (lift func()) // bounds the wait for the request
	read     func(in io.Reader) (request string, err error)
	work     func()
	choose   func(request string) (status, page string)
	reply    func(out io.Writer, status, page string)
	hangUp   func(c conn)
	finish   func(handlers *sync.WaitGroup) // before the program ends
	exitCode int
}

type listener interface {
	Accept() (conn, error)
	Close() error
	Addr() net.Addr
}

type conn interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
}

// stage4 is a right server with package net's sockets.
func stage4(name string) *site {
	s := &site{name: name, graceful: true, ctx: context.Background()}
	s.signals = []os.Signal{os.Interrupt, syscall.SIGTERM}
	s.listen = pollingListen
	s.onStop = func(l listener, again func()) {
		again()
		l.Close()
	}
	s.backOff = func(err error) {
		log.Printf("%v; trying again", err)
		time.Sleep(500 * time.Millisecond)
	}
	s.spawn = func(handler func()) { go handler() }
	s.handle = s.handleConnection
	s.limit = func(c conn) func() {
		c.SetReadDeadline(time.Now().Add(s.patience))
		stop := context.AfterFunc(s.ctx, func() { c.SetReadDeadline(time.Now()) })
		return func() { stop() }
	}
	s.read = readRequest
	s.work = func() { time.Sleep(s.slow) }
	s.choose = choosePage
	s.reply = writeReply
	s.hangUp = func(c conn) { c.Close() }
	s.finish = (*sync.WaitGroup).Wait
	return s
}

// stage3 is a right server with sockets in blocking mode.
func stage3(name string) *site {
	s := stage4(name)
	s.graceful = false
	s.listen = blockingListen
	s.limit = func(conn) func() { return func() {} }
	return s
}

// stage1 serves one visitor at a time.
func stage1(name string) *site {
	s := stage3(name)
	s.spawn = func(handler func()) { handler() }
	return s
}

// main runs the site with a command line as the stages have it.
func (s *site) main(args []string) {
	log.SetFlags(0)
	flags := flag.NewFlagSet(s.name, flag.ExitOnError)
	addr := flags.String("addr", "127.0.0.1:7878", "listen on `host:port`")
	flags.DurationVar(&s.slow, "slow", 5*time.Second, "how long GET /sleep takes")
	if s.graceful {
		flags.DurationVar(&s.patience, "patience", 10*time.Second, "how long a visitor may take to ask")
	}
	flags.Parse(args)
	if flags.NArg() > 0 || s.slow < 0 || s.patience < 0 {
		fmt.Fprintln(os.Stderr, "cannot use", args)
		flags.Usage()
		os.Exit(2)
	}
	l, err := s.listen(*addr)
	if err != nil {
		log.Fatalf("%v; try another -addr", err)
	}
	if s.graceful {
		ctx, again := signal.NotifyContext(s.ctx, s.signals...)
		s.ctx = ctx
		context.AfterFunc(ctx, func() { s.onStop(l, again) })
	}
	log.Printf("listening on http://%s", l.Addr())

	var handlers sync.WaitGroup
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil {
			s.backOff(err)
			continue
		}
		handlers.Add(1)
		s.spawn(func() {
			defer handlers.Done()
			s.handle(c)
		})
	}
	s.finish(&handlers)
	os.Exit(s.exitCode)
}

func (s *site) handleConnection(c conn) {
	defer s.hangUp(c)
	defer s.limit(c)()
	request, err := s.read(c)
	if status := badRequest(""); errors.As(err, &status) {
		s.reply(c, string(status), "no\n")
	}
	if err != nil {
		return
	}
	if request == "GET /sleep" {
		s.work()
	}
	status, page := s.choose(request)
	s.reply(c, status, page)
}

type badRequest string

func (status badRequest) Error() string { return string(status) }

func readRequest(in io.Reader) (string, error) {
	input := bufio.NewReader(io.LimitReader(in, 4*maxHead))
	requestLine, err := input.ReadString('\n')
	head, body := len(requestLine), 0
	for line := requestLine; err == nil && line != "\r\n"; head += len(line) {
		line, err = input.ReadString('\n')
		if n, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			body, _ = strconv.Atoi(strings.TrimSpace(n))
		}
	}
	switch {
	case head > maxHead:
		return "", badRequest("431 Request Header Fields Too Large")
	case err != nil && (err != io.EOF || !strings.HasSuffix(requestLine, "\n")):
		return "", err
	}
	io.CopyN(io.Discard, input, int64(body))
	return parse(requestLine)
}

func parse(requestLine string) (string, error) {
	words := strings.Fields(requestLine)
	if len(words) != 3 || !strings.HasPrefix(words[2], "HTTP/1.") {
		return "", badRequest("400 Bad Request")
	}
	return words[0] + " " + words[1], nil
}

func choosePage(request string) (status, page string) {
	if request == "GET /" || request == "GET /sleep" {
		return "200 OK", helloPage
	}
	return "404 Not Found", oopsPage
}

func writeReply(out io.Writer, status, page string) {
	fmt.Fprintf(out, "HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(page), page)
}

// A poller is a listener of package net.
type poller struct{ net.Listener }

func pollingListen(addr string) (listener, error) {
	l, err := net.Listen("tcp", addr)
	return poller{l}, err
}

func (l poller) Accept() (conn, error) { return l.Listener.Accept() }

// A blocker is a listener in blocking mode, as that of stages 1 to 3.
type blocker struct {
	socket *os.File
	addr   net.Addr
}

func blockingListen(addr string) (listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	socket.Fd()
	return blocker{socket, l.Addr()}, nil
}

func (l blocker) Addr() net.Addr { return l.addr }
func (l blocker) Close() error   { return l.socket.Close() }

func (l blocker) Accept() (conn, error) {
	for {
		fd, _, err := syscall.Accept(int(l.socket.Fd()))
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), "visitor"), nil
		case syscall.EINTR, syscall.ECONNABORTED:
		default:
			return nil, err
		}
	}
}
