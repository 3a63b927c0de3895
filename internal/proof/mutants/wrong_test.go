package mutants

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A wrongServer is a right one in which something has been changed.
type wrongServer struct {
	name   string
	right  func(name string) *site
	change func(s *site)
	// caughtBy is the behaviour, and the script in it, that must fail.
	caughtBy string
	// because is a regular expression for the reason that must be given.
	because string
}

var wrongServers = []wrongServer{
	// What it serves.
	{
		"accepts, and never answers", stage3,
		func(s *site) { s.handle = func(conn) { select {} } },
		"pages/home", `anna gets no answer`,
	}, {
		"the body is from the wrong page", stage3,
		func(s *site) { s.choose = func(string) (string, string) { return "200 OK", oopsPage } },
		"pages/home", `anna gets the wrong page: there is no "Hello!"`,
	}, {
		"the 404 page with status 200", stage3,
		func(s *site) {
			s.choose = func(request string) (string, string) {
				_, page := choosePage(request)
				return "200 OK", page
			}
		},
		"pages/not-found", `anna: the answer is 200 OK, not 404`,
	}, {
		"does not look at the method", stage3,
		func(s *site) {
			s.choose = func(request string) (string, string) {
				_, path, _ := strings.Cut(request, " ")
				return choosePage("GET " + path)
			}
		},
		"pages/not-found", `bert: the answer is 200 OK, not 404`,
	}, {
		"looks at the beginning of the path only", stage3,
		func(s *site) {
			s.choose = func(request string) (string, string) {
				if strings.HasPrefix(request, "GET /sleep") {
					request = "GET /sleep"
				}
				return choosePage(request)
			}
		},
		"pages/not-found", `dora: the answer is 200 OK, not 404`,
	}, {
		"serves HTTP/1.1 only", stage3,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				seen := new(strings.Builder)
				request, err := readRequest(io.TeeReader(in, seen))
				if strings.Contains(seen.String(), " HTTP/1.0") {
					err = badRequest("505 HTTP Version Not Supported")
				}
				return request, err
			}
		},
		"pages/home", `grandma: the answer is 505`,
	}, {
		"nonsense is not found", stage3,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				request, err := readRequest(in)
				if err == badRequest("400 Bad Request") {
					err = nil
				}
				return request, err
			}
		},
		"pages/not-http", `anna: the answer is 404 Not Found, not 400`,
	}, {
		"dies of nonsense", stage3,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				request, err := readRequest(in)
				if err == badRequest("400 Bad Request") {
					panic(err)
				}
				return request, err
			}
		},
		"pages/not-http", `The server has ended`,
	}, {
		"dies of a body of negative length", stage3,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				head, err := readHead(in)
				if err != nil {
					return "", err
				}
				line, rest, _ := strings.Cut(head, "\r\n")
				if _, length, found := strings.Cut(rest, "Content-Length: "); found {
					length, _, _ = strings.Cut(length, "\r\n")
					n, _ := strconv.Atoi(length)
					io.ReadFull(in, make([]byte, n))
				}
				return parse(line)
			}
		},
		"pages/not-http", `The server has ended`,
	}, {
		"answers both of two requests", stage3,
		func(s *site) {
			s.handle = func(c conn) {
				defer c.Close()
				input := bufio.NewReader(c)
				for {
					line, err := input.ReadString('\n')
					for rest := line; err == nil && rest != "\r\n"; {
						rest, err = input.ReadString('\n')
					}
					request, bad := parse(line)
					if err != nil || bad != nil {
						return
					}
					status, page := choosePage(request)
					writeReply(c, status, page)
				}
			}
		},
		"pages/one-request", `anna has an answer, and the connection stays open|goes on after its Content-Length`,
	}, {
		"needs the empty line, even from those who have no more to say", stage3,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				seen := new(strings.Builder)
				request, err := readRequest(io.TeeReader(in, seen))
				if err == nil && !strings.Contains(seen.String(), "\r\n\r\n") {
					err = io.ErrUnexpectedEOF
				}
				return request, err
			}
		},
		"pages/cut-short", `anna: the connection was closed without an answer`,
	},

	// The reply.
	{
		"no Content-Length", stage3,
		func(s *site) {
			s.reply = func(out io.Writer, status, page string) {
				fmt.Fprintf(out, "HTTP/1.1 %s\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n%s", status, page)
			}
		},
		"pages/home", `anna: the answer does not name its length`,
	}, {
		"chunks instead of a Content-Length", stage3,
		func(s *site) {
			s.reply = func(out io.Writer, status, page string) {
				fmt.Fprintf(out, "HTTP/1.1 %s\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", status, len(page), page)
			}
		},
		"pages/home", `anna: the answer does not name its length`,
	}, {
		"a Content-Length that is too large", stage3,
		func(s *site) { s.reply = replyOfLength(+1) },
		"pages/home", `anna: the answer ends early: \d+ bytes of a Content-Length of \d+`,
	}, {
		"a Content-Length that is too small", stage3,
		func(s *site) { s.reply = replyOfLength(-1) },
		"pages/home", `anna: the answer goes on after its Content-Length of \d+: 1 more bytes`,
	}, {
		"sends the body twice", stage3,
		func(s *site) {
			s.reply = func(out io.Writer, status, page string) {
				writeReply(out, status, page)
				io.WriteString(out, page)
			}
		},
		"pages/home", `anna: the answer goes on after its Content-Length`,
	}, {
		"no Content-Type", stage3,
		func(s *site) {
			s.reply = func(out io.Writer, status, page string) {
				fmt.Fprintf(out, "HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(page), page)
			}
		},
		"pages/home", `anna: the answer does not say that it is a page`,
	}, {
		"does not say that it closes", stage3,
		func(s *site) {
			s.reply = func(out io.Writer, status, page string) {
				fmt.Fprintf(out, "HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", status, len(page), page)
			}
		},
		"pages/home", `there is no Connection: close`,
	}, {
		"does not close", stage4,
		func(s *site) {
			s.hangUp = func(c conn) { <-s.ctx.Done() }
		},
		"pages/home", `anna has an answer, and the connection stays open`,
	},

	// The request.
	{
		"one read instead of all the head", stage3,
		func(s *site) { s.read = readOnce(1024) },
		"pages/packets", `anna: the answer is 400|bert should still be waiting, and is answered already`,
	}, {
		"one read of 1,024 bytes and a large head", stage3,
		func(s *site) { s.read = readOnce(1024) },
		"pages/cookies", `anna: .*connection reset`,
	}, {
		"closes with input unread", stage3,
		func(s *site) { s.read = readLine },
		"pages/home", `anna: .*connection reset`,
	}, {
		"does not read the body of a request", stage3,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				head, err := readHead(in)
				if err != nil {
					return "", err
				}
				line, _, _ := strings.Cut(head, "\r\n")
				return parse(line)
			}
		},
		"pages/not-found", `carl: .*connection reset`,
	}, {
		"answers before it has read the whole head", stage3,
		func(s *site) {
			s.read = readLine
			s.hangUp = func(c conn) {
				input := bufio.NewReader(c)
				for line := ""; line != "\r\n"; {
					var err error
					if line, err = input.ReadString('\n'); err != nil {
						break
					}
				}
				c.Close()
			}
		},
		"pages/packets", `bert should still be waiting, and is answered already`,
	}, {
		"no limit to the head", stage3,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				input := bufio.NewReader(in)
				first, err := input.ReadString('\n')
				for line := first; err == nil && line != "\r\n"; {
					line, err = input.ReadString('\n')
				}
				if err != nil {
					return "", err
				}
				return parse(first)
			}
		},
		"pages/too-long", `anna should have been refused with 431, and got "HTTP/1.1 200 OK`,
	}, {
		"keeps all of a head before it refuses it", stage3,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				var head []byte
				for buf := make([]byte, 4096); !strings.Contains(string(head[max(0, len(head)-5000):]), "\r\n\r\n"); {
					n, err := in.Read(buf)
					if head = append(head, buf[:n]...); len(head) > 28<<20 {
						break
					}
					if err != nil {
						return "", err
					}
				}
				if len(head) > maxHead {
					return "", badRequest("431 Request Header Fields Too Large")
				}
				line, _, _ := strings.Cut(string(head), "\r\n")
				return parse(line)
			}
		},
		"pages/too-long", `The server has grown by \d+ MiB of memory`,
	},

	// The slow page.
	{
		"answers before the slow work is done", stage3,
		func(s *site) {
			s.handle = func(c conn) {
				defer c.Close()
				request, err := readRequest(c)
				if err != nil {
					return
				}
				status, page := choosePage(request)
				writeReply(c, status, page)
				if request == "GET /sleep" {
					s.work()
				}
			}
		},
		"pages/slow", `bert is answered after .*, and the slow page takes 100ms|carl .*is answered already`,
	}, {
		"leaves the slow work out", stage3,
		func(s *site) { s.work = func() {} },
		"pages/slow", `bert is answered after .*, and the slow page takes 100ms|carl .*is answered already`,
	}, {
		"does not do as -slow says", stage3,
		func(s *site) { s.work = func() { time.Sleep(time.Hour) } },
		"pages/slow", `anna gets no answer`,
	}, {
		"works by spinning", stage3,
		func(s *site) {
			s.work = func() {
				for began := time.Now(); time.Since(began) < s.slow; {
				}
			}
		},
		"many-at-once/slow-request", `The server is never at rest`,
	},

	// Those who leave, and those who stay.
	{
		"leaks a descriptor for each visitor", stage4,
		func(s *site) {
			var mu sync.Mutex
			var kept []conn
			s.hangUp = func(c conn) {
				c.(*net.TCPConn).CloseWrite()
				mu.Lock()
				defer mu.Unlock()
				kept = append(kept, c)
			}
		},
		"pages/visitors-leave", `the server holds \d+ file descriptors more`,
	}, {
		"keeps the connections of those who leave early", stage4,
		func(s *site) {
			var kept sync.Map
			s.read = func(in io.Reader) (string, error) {
				request, err := readRequest(in)
				if err != nil {
					kept.Store(in, true)
				}
				return request, err
			}
			s.hangUp = func(c conn) {
				if _, ok := kept.Load(c); !ok {
					c.Close()
				}
			}
		},
		"pages/visitors-leave", `the server holds \d+ file descriptors more`,
	}, {
		"leaks a goroutine for each visitor", stage3,
		func(s *site) {
			s.handle = func(c conn) {
				s.handleConnection(c)
				select {}
			}
		},
		"pages/visitors-leave", `\d+ goroutines are still there`,
	}, {
		"leaks a goroutine for each visitor who leaves early", stage3,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				request, err := readRequest(in)
				if err != nil {
					go func() { select {} }()
				}
				return request, err
			}
		},
		"pages/visitors-leave", `\d+ goroutines are still there`,
	}, {
		"dies of a reset", stage3,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				request, err := readRequest(in)
				if errors.Is(err, syscall.ECONNRESET) {
					panic(err)
				}
				return request, err
			}
		},
		"pages/visitors-leave", `The server has ended`,
	}, {
		"dies when the reply cannot be written", stage3,
		func(s *site) {
			s.reply = func(out io.Writer, status, page string) {
				reply := new(strings.Builder)
				writeReply(reply, status, page)
				if _, err := io.WriteString(out, reply.String()); err != nil {
					log.Fatal(err)
				}
			}
		},
		"pages/visitor-resets", `The server has ended`,
	}, {
		"serves a hundred visitors and no more", stage3,
		func(s *site) {
			var n atomic.Int32
			s.spawn = func(handler func()) {
				if n.Add(1) > 100 {
					select {}
				}
				go handler()
			}
		},
		"pages/visitors-leave", `next gets no answer`,
	}, {
		"spins when out of descriptors", stage3,
		func(s *site) {
			said := false
			s.backOff = func(err error) {
				if !said {
					log.Print(err)
				}
				said = true
			}
		},
		"many-at-once/no-descriptors-left", `The server is never at rest`,
	}, {
		"floods the log when out of descriptors", stage3,
		func(s *site) {
			s.backOff = func(err error) {
				for range 100 {
					log.Print(err)
				}
				time.Sleep(time.Second)
			}
		},
		"many-at-once/no-descriptors-left", `The server printed "too many open files" \d+ times`,
	}, {
		"does not say that it is out of descriptors", stage3,
		func(s *site) { s.backOff = func(error) { time.Sleep(time.Second) } },
		"many-at-once/no-descriptors-left", `The server does not print "too many open files"`,
	}, {
		"dies when out of descriptors", stage3,
		func(s *site) { s.backOff = func(err error) { log.Fatal(err) } },
		"many-at-once/no-descriptors-left", `The server has ended`,
	}, {
		"accepts no more once it was out of descriptors", stage3,
		func(s *site) {
			s.backOff = func(err error) {
				log.Print(err)
				select {}
			}
		},
		"many-at-once/no-descriptors-left", `next gets no answer`,
	},

	// Many at once.
	{
		"a lock held over the whole handler", stage3,
		func(s *site) {
			var mu sync.Mutex
			s.handle = func(c conn) {
				mu.Lock()
				defer mu.Unlock()
				s.handleConnection(c)
			}
		},
		"many-at-once/slow-request", `quick has no answer while slow is being served`,
	}, {
		"a lock held while the request is read", stage3,
		func(s *site) {
			var mu sync.Mutex
			s.read = func(in io.Reader) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				return readRequest(in)
			}
		},
		"many-at-once/silent-visitor", `quick has no answer while silent is being served`,
	}, {
		"a lock held as soon as the visitor has begun to ask", stage3,
		func(s *site) {
			var mu sync.Mutex
			s.read = func(in io.Reader) (string, error) {
				defer mu.Unlock()
				return inTwo(in, readByte, mu.Lock)
			}
		},
		"many-at-once/half-a-request", `quick has no answer while half is being served`,
	}, {
		"a lock held while a body is read", stage3,
		func(s *site) {
			var mu sync.Mutex
			s.read = func(in io.Reader) (string, error) {
				defer mu.Unlock()
				return inTwo(in, readHead, mu.Lock)
			}
		},
		"many-at-once/half-a-request", `quick has no answer while half is being served`,
	}, {
		"one buffer for every visitor's request", stage3,
		func(s *site) {
			buf := make([]byte, maxHead)
			intoBuf := func(in io.Reader) (string, error) {
				for n := 0; ; {
					m, err := in.Read(buf[n:])
					n += m
					if strings.Contains(string(buf[:n]), "\r\n\r\n") {
						return string(buf[:n]), nil
					}
					if err != nil {
						return "", err
					}
				}
			}
			s.read = func(in io.Reader) (string, error) {
				return inTwo(in, intoBuf, func() {})
			}
		},
		"many-at-once/half-a-request", `half: the answer is 400 Bad Request, not 404`,
	}, {
		"a lock held over the slow work", stage3,
		func(s *site) {
			var mu sync.Mutex
			s.work = func() {
				mu.Lock()
				defer mu.Unlock()
				time.Sleep(s.slow)
			}
		},
		"many-at-once/fifty-slow-requests", `only \d+ were in progress together; the others have been read`,
	}, {
		"spawns, then waits", stage3,
		func(s *site) {
			s.spawn = func(handler func()) {
				done := make(chan struct{})
				go func() {
					defer close(done)
					handler()
				}()
				<-done
			}
		},
		"many-at-once/slow-request", `quick has no answer while slow is being served`,
	}, {
		"reads the request before it spawns", stage3,
		func(s *site) {
			s.spawn = func(handler func()) {
				ready := make(chan struct{})
				s.read = func(in io.Reader) (string, error) {
					defer close(ready)
					return readRequest(in)
				}
				go handler()
				<-ready
			}
		},
		"many-at-once/silent-visitor", `quick has no answer while silent is being served`,
	}, {
		"two workers instead of many", stage3,
		func(s *site) { s.spawn = workers(2) },
		"many-at-once/fifty-slow-requests", `only \d+ are in progress together; the server has not even read the others`,
	}, {
		"forty-nine workers instead of many", stage4,
		func(s *site) { s.spawn = workers(49) },
		"many-at-once/fifty-slow-requests", `only 49 are in progress together; the server has not even read the others`,
	}, {
		"a hundred workers instead of many", stage4,
		func(s *site) { s.spawn = workers(100) },
		"waiting-is-free/silent-visitors", `last gets no answer`,
	}, {
		"one worker for slow requests, many for quick ones", stage4,
		func(s *site) {
			slow := make(chan func())
			go func() {
				for work := range slow {
					work()
				}
			}()
			s.work = func() {
				done := make(chan struct{})
				slow <- func() { time.Sleep(s.slow); close(done) }
				<-done
			}
		},
		"many-at-once/fifty-slow-requests", `only \d+ were in progress together; the others have been read`,
	}, {
		"503 while another visitor is being served", stage3,
		func(s *site) {
			var busy atomic.Int32
			s.choose = func(request string) (string, string) {
				if request != "GET /sleep" && busy.Load() > 0 {
					return "503 Service Unavailable", oopsPage
				}
				return choosePage(request)
			}
			s.work = func() {
				defer busy.Add(-1)
				busy.Add(1)
				time.Sleep(s.slow)
			}
		},
		"many-at-once/slow-request", `quick: the answer is 503`,
	}, {
		"drops who comes while another visitor is being served", stage3,
		oneOnly,
		"many-at-once/slow-request", `quick: (the connection was closed without an answer|there was no answer)`,
	}, {
		"one variable for every visitor's request", stage3,
		func(s *site) {
			var latest atomic.Value
			s.read = func(in io.Reader) (string, error) {
				request, err := readRequest(in)
				latest.Store(request)
				return request, err
			}
			s.choose = func(string) (string, string) { return choosePage(latest.Load().(string)) }
		},
		"many-at-once/each-their-own", `slow: the answer is 404 Not Found, not 200`,
	},

	// One at a time.
	{
		"two at a time", stage1,
		func(s *site) { s.spawn = workers(2) },
		"one-at-a-time/silent-visitor", `anna should still be waiting, and is answered already`,
	}, {
		"the newest visitor first", stage1,
		func(s *site) {
			var mu sync.Mutex
			var stack []func()
			busy := false
			serve := func(handler func()) {
				for handler != nil {
					handler()
					mu.Lock()
					if handler, busy = nil, len(stack) > 0; busy {
						handler, stack = stack[len(stack)-1], stack[:len(stack)-1]
					}
					mu.Unlock()
				}
			}
			s.spawn = func(handler func()) {
				mu.Lock()
				defer mu.Unlock()
				if busy {
					stack = append(stack, handler)
					return
				}
				busy = true
				go serve(handler)
			}
		},
		"one-at-a-time/silent-visitor", `anna gets no answer`,
	}, {
		"one at a time, and drops the others", stage3,
		oneOnly,
		"one-at-a-time/silent-visitor", `anna should still be waiting, and was dropped`,
	}, {
		"many at once, and said to be one at a time", stage3,
		func(s *site) {},
		"one-at-a-time/take-turns", `4 requests of \d+ms each were answered within .*, so that they did not take turns`,
	}, {
		// In the 500 ms that its answers take here four requests of 100 ms could
		// have taken turns.
		"many at once, and answers late, as on a busy machine", stage3,
		func(s *site) {
			var visitors atomic.Int32
			s.work = func() {
				time.Sleep(s.slow + 350*time.Millisecond + time.Duration(visitors.Add(1))*20*time.Millisecond)
			}
		},
		"one-at-a-time/take-turns", `4 requests of \d+ms each were answered within .*, so that they did not take turns`,
	},

	// What waiting costs.
	{
		"accepts in blocking mode, reads with the poller", stage3,
		func(s *site) {
			s.listen = func(addr string) (listener, error) {
				l, err := blockingListen(addr)
				return thawing{l}, err
			}
		},
		"waiting-holds-a-thread/silent-visitors", `The server has \d+ threads; at least 200 were expected`,
	}, {
		"accepts with the poller, reads in blocking mode", stage3,
		func(s *site) {
			s.listen = func(addr string) (listener, error) {
				l, err := net.Listen("tcp", addr)
				return freezing{poller{l}}, err
			}
		},
		"waiting-holds-a-thread/accept", `Expected to find some goroutine \[syscall\] in accept; the dump shows:\n\s+goroutine 1 \[IO wait\]`,
	}, {
		"accepts with the poller, holds a thread for each visitor", stage4,
		func(s *site) {
			s.listen = func(addr string) (listener, error) {
				l, err := net.Listen("tcp", addr)
				return freezing{poller{l}}, err
			}
		},
		"waiting-is-free/silent-visitors", `The server has \d+ threads; at most 30 were expected`,
	}, {
		"accepts in blocking mode, and stops all the same", stage4,
		func(s *site) {
			s.listen = func(addr string) (listener, error) {
				l, err := blockingListen(addr)
				return thawing{l}, err
			}
			s.onStop = func(listener, func()) { os.Exit(0) }
		},
		"waiting-is-free/accept", `Expected to find some goroutine \[IO wait\] in accept; the dump shows:\n\s+goroutine 1 \[syscall\]`,
	},

	// Ctrl-C.
	{
		"handles Ctrl-C at stage 3", stage3,
		func(s *site) { exitOn(os.Interrupt) },
		"waiting-holds-a-thread/interrupted", `its status is "0", not "interrupt"`,
	}, {
		"does not hear Ctrl-C at stage 3", stage3,
		func(s *site) { signal.Ignore(os.Interrupt) },
		"waiting-holds-a-thread/interrupted", `The server does not end`,
	}, {
		"a stop that drops the request in progress", stage4,
		func(s *site) { s.finish = func(*sync.WaitGroup) {} },
		"waiting-is-free/interrupted-twice", `slow was dropped; the request should be in progress`,
	}, {
		"a stop that waits, but not for long", stage4,
		func(s *site) { s.finish = func(*sync.WaitGroup) { time.Sleep(time.Second) } },
		"waiting-is-free/interrupted-while-serving", `slow: (the connection was closed without an answer|there was no answer)`,
	}, {
		"a stop at SIGTERM that drops the request in progress", stage4,
		func(s *site) {
			s.signals = []os.Signal{os.Interrupt}
			exitOn(syscall.SIGTERM)
		},
		"waiting-is-free/terminated-while-serving", `slow was dropped|slow: (the connection was closed without an answer|there was no answer)`,
	}, {
		"a stop that still accepts", stage4,
		func(s *site) {
			var handlers sync.WaitGroup
			s.spawn = func(handler func()) { handlers.Go(handler) }
			s.onStop = func(_ listener, again func()) {
				again()
				handlers.Wait()
				os.Exit(0)
			}
		},
		"waiting-is-free/interrupted-twice", `The server still accepts visitors`,
	}, {
		"a stop that lets visitors in, to drop them", stage4,
		func(s *site) {
			var handlers sync.WaitGroup
			s.spawn = func(handler func()) { handlers.Go(handler) }
			s.handle = func(c conn) {
				if s.ctx.Err() != nil {
					c.Close()
					return
				}
				s.handleConnection(c)
			}
			s.onStop = func(_ listener, again func()) {
				again()
				handlers.Wait()
				os.Exit(0)
			}
		},
		"waiting-is-free/interrupted-twice", `The server still accepts visitors`,
	}, {
		"a stop that never ends with a silent visitor", stage4,
		func(s *site) { s.limit = func(conn) func() { return func() {} } },
		"waiting-is-free/interrupted-with-a-silent-visitor", `The server does not end`,
	}, {
		"a stop that waits for whoever has begun to ask", stage4,
		func(s *site) {
			var begun sync.Map
			s.limit = func(c conn) func() {
				c.SetReadDeadline(time.Now().Add(s.patience))
				stop := context.AfterFunc(s.ctx, func() {
					if _, ok := begun.Load(c); !ok {
						c.SetReadDeadline(time.Now())
					}
				})
				return func() { stop() }
			}
			s.read = func(in io.Reader) (string, error) {
				return inTwo(in, readByte, func() { begun.Store(in, true) })
			}
		},
		"waiting-is-free/interrupted-with-a-silent-visitor", `The server does not end`,
	}, {
		"a stop with another status", stage4,
		func(s *site) { s.exitCode = 1 },
		"waiting-is-free/interrupted-while-idle", `its status is "1", not "0"`,
	}, {
		"a stop that needs a visitor to notice", stage4,
		func(s *site) {
			s.onStop = func(_ listener, again func()) { again() }
			s.spawn = func(handler func()) {
				if s.ctx.Err() != nil {
					os.Exit(0)
				}
				go handler()
			}
		},
		"waiting-is-free/interrupted-while-idle", `The server does not end`,
	}, {
		"does not hear SIGTERM", stage4,
		func(s *site) {
			signal.Ignore(syscall.SIGTERM)
			s.signals = []os.Signal{os.Interrupt}
		},
		"waiting-is-free/interrupted-while-idle", `The server does not end`,
	}, {
		"dies of SIGTERM", stage4,
		func(s *site) { s.signals = []os.Signal{os.Interrupt} },
		"waiting-is-free/interrupted-while-idle", `its status is "terminated", not "0"`,
	}, {
		"a second Ctrl-C changes nothing", stage4,
		func(s *site) { s.onStop = func(l listener, _ func()) { l.Close() } },
		"waiting-is-free/interrupted-twice", `The server does not end`,
	},

	// Deadlines.
	{
		"no deadline", stage4,
		func(s *site) { s.limit = func(conn) func() { return func() {} } },
		"waiting-is-free/silent-visitor-is-dropped", `silent is still connected`,
	}, {
		"a deadline for the first byte only", stage4,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				return readRequest(reading{in, func() { in.(conn).SetReadDeadline(time.Time{}) }})
			}
		},
		"waiting-is-free/silent-visitor-is-dropped", `slowpoke is still connected`,
	}, {
		"a deadline for the head only", stage4,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				return inTwo(in, readHead, func() { in.(conn).SetReadDeadline(time.Time{}) })
			}
		},
		"waiting-is-free/silent-visitor-is-dropped", `poster is still connected`,
	}, {
		"a deadline for each read instead of the whole", stage4,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				return readRequest(reading{in, func() { in.(conn).SetReadDeadline(time.Now().Add(s.patience)) }})
			}
		},
		"waiting-is-free/chatterbox-is-dropped", `chatterbox is still connected`,
	}, {
		"drops a silent visitor when another one comes", stage4,
		func(s *site) {
			s.limit = func(conn) func() { return func() {} }
			var mu sync.Mutex
			var last conn
			s.handle = func(c conn) {
				mu.Lock()
				if last != nil {
					last.SetReadDeadline(time.Now().Add(s.patience))
				}
				last = c
				mu.Unlock()
				s.handleConnection(c)
			}
		},
		"waiting-is-free/silent-visitor-is-dropped", `(silent|slowpoke|poster) is still connected`,
	}, {
		"a deadline that also cuts slow requests", stage4,
		func(s *site) {
			s.limit = func(c conn) func() {
				timer := time.AfterFunc(s.patience, func() { c.Close() })
				return func() { timer.Stop() }
			}
		},
		"waiting-is-free/slow-request-is-not-dropped", `slow: the connection was closed without an answer`,
	},
	{
		"a deadline for silent visitors who get a page", stage4,
		func(s *site) {
			s.read = func(in io.Reader) (string, error) {
				request, err := readRequest(in)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					err = badRequest("408 Request Timeout")
				}
				return request, err
			}
		},
		"waiting-is-free/silent-visitor-is-dropped", `silent should have been dropped, and has an answer`,
	},
}

func replyOfLength(more int) func(io.Writer, string, string) {
	return func(out io.Writer, status, page string) {
		fmt.Fprintf(out, "HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(page)+more, page)
	}
}

func readOnce(bytes int) func(io.Reader) (string, error) {
	return func(in io.Reader) (string, error) {
		buf := make([]byte, bytes)
		n, err := in.Read(buf)
		if err != nil {
			return "", err
		}
		line, _, _ := strings.Cut(string(buf[:n]), "\r\n")
		return parse(line)
	}
}

// readLine reads the request line and not a byte more.
func readLine(in io.Reader) (string, error) {
	line := ""
	for b := make([]byte, 1); !strings.HasSuffix(line, "\n"); line += string(b) {
		if _, err := in.Read(b); err != nil {
			return "", err
		}
	}
	return parse(line)
}

// readHead reads the head, to its empty line, and not a byte more.
func readHead(in io.Reader) (string, error) {
	var head []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(head), "\r\n\r\n"); head = append(head, b...) {
		if _, err := in.Read(b); err != nil {
			return "", err
		}
	}
	return string(head), nil
}

// inTwo has first read the beginning of a request, and then the request be read,
// beginning with what that returned. In between it calls then.
func inTwo(in io.Reader, first func(io.Reader) (string, error), then func()) (string, error) {
	beginning, err := first(in)
	if err != nil {
		return "", err
	}
	then()
	return readRequest(io.MultiReader(strings.NewReader(beginning), in))
}

func readByte(in io.Reader) (string, error) {
	b := make([]byte, 1)
	_, err := io.ReadFull(in, b)
	return string(b), err
}

// workers returns what spawns handlers in n goroutines, and waits for one of them.
func workers(n int) func(handler func()) {
	handlers := make(chan func())
	for range n {
		go func() {
			for handler := range handlers {
				handler()
			}
		}()
	}
	return func(handler func()) { handlers <- handler }
}

// oneOnly drops whoever comes while another visitor is being served.
func oneOnly(s *site) {
	l := new(picky)
	s.listen = func(addr string) (_ listener, err error) {
		l.listener, err = blockingListen(addr)
		return l, err
	}
	s.handle = func(c conn) {
		defer l.busy.Store(false)
		s.handleConnection(c)
	}
}

type picky struct {
	listener
	busy atomic.Bool
}

func (l *picky) Accept() (conn, error) {
	for {
		c, err := l.listener.Accept()
		if err != nil || l.busy.CompareAndSwap(false, true) {
			return c, err
		}
		c.Close()
	}
}

// reading calls then after each read.
type reading struct {
	io.Reader
	then func()
}

func (r reading) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.then()
	return n, err
}

// thawing hands connections of a blocking listener to the poller.
type thawing struct{ listener }

func (l thawing) Accept() (conn, error) {
	c, err := l.listener.Accept()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	thawed, err := net.FileConn(c.(*os.File))
	if err != nil {
		return nil, err
	}
	return thawed, nil
}

// freezing puts connections of the poller's in blocking mode.
type freezing struct{ listener }

func (l freezing) Accept() (conn, error) {
	c, err := l.listener.Accept()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	frozen, err := c.(*net.TCPConn).File()
	if err != nil {
		return nil, err
	}
	frozen.Fd()
	return frozen, nil
}

func exitOn(sig os.Signal) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, sig)
	go func() {
		<-signals
		os.Exit(0)
	}()
}
