package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

// completeFlags completes the address of -at, and returns an error that says what to write instead
// if a flag makes no sense.
func completeFlags() error {
	if *at != "" {
		addr := strings.TrimSuffix(strings.TrimPrefix(*at, "http://"), "/")
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			host, port = "", addr // a port alone
		}
		if host == "" || host == "localhost" {
			host = "127.0.0.1"
		}
		*at = net.JoinHostPort(host, port)
		if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
			return fmt.Errorf("AT=%s is no address: it is where your server listens, as in AT=127.0.0.1:7878.", addr)
		}
		if !loopback(host) {
			return fmt.Errorf("Only a server on this machine itself is checked, and %s is not: as in AT=127.0.0.1:7878.", host)
		}
	}
	if !strings.HasPrefix(*slowPage, "/") {
		return fmt.Errorf("SLOW=%s is no path of a page, as in SLOW=/sleep.", *slowPage)
	}
	info, err := os.Stat(*spec)
	switch {
	case strings.HasPrefix(*spec, "http://"), strings.HasPrefix(*spec, "https://"):
		return fmt.Errorf("SERVER is what starts your server: a folder or a command. check starts it anew for each script; " +
			"where it listens is AT, as in SERVER=./mine AT=127.0.0.1:7878.")
	case strings.HasPrefix(*spec, "go run "):
		return errors.New("go run keeps the signals from the server; name the folder instead, as in SERVER=./_mine")
	case err == nil && !info.IsDir() && info.Mode()&0o111 == 0:
		return notProgram(*spec)
	}
	return nil
}

// notProgram says how to name the program that a file is the source of.
func notProgram(file string) error {
	commands := map[string]string{".py": "python3 ", ".js": "node ", ".mjs": "node ", ".java": "java ", ".rb": "ruby ",
		".ex": "elixir ", ".exs": "elixir ", ".php": "php ", ".sh": "sh ", ".pl": "perl "}
	extension := filepath.Ext(file)
	try := "SERVER=./mine"
	switch command := commands[extension]; {
	case extension == ".go":
		folder := filepath.Dir(file)
		if folder != "." {
			folder = "./" + folder
		}
		return fmt.Errorf("%s is one file of a program; name its folder, as in SERVER=%s", file, folder)
	case command != "":
		try = "SERVER='" + command + file + "'"
	}
	return fmt.Errorf("%s is a file that cannot be run; name the command that starts your server, as in %s", file, try)
}

// firstContact starts the program before any script is run. It returns what the user should know
// about it, or an error if the program cannot be examined at all.
func firstContact(program *server.Program) (notes []string, err error) {
	first, err := program.Start(server.Options{})
	if err != nil {
		return nil, explain(err)
	}
	defer first.Kill()
	if host, _, _ := net.SplitHostPort(first.Addr); !loopback(host) {
		return nil, fmt.Errorf("It was told to listen on 127.0.0.1, and says that it listens on %s.", first.Addr)
	}
	if !first.Announced {
		notes = append(notes, fmt.Sprintf("It does not print \"listening on http://...\": check tries %s until it answers.", first.Addr))
	}
	if n, err := first.Backlog(); err == nil && n > 0 && n < 100 {
		notes = append(notes, fmt.Sprintf("The queue of visitors whom it has not accepted yet has room for %d (the second argument of listen). "+
			"A hundred may come at once; here no more than %d do.", n, n))
	}
	if !program.CanTell("slow") {
		notes = append(notes, measureSlowPage(program, first))
	}
	if program.CanTell("addr") {
		err = startSecond(program, first)
	}
	return notes, err
}

func loopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

// explain adds to an error of Start what the user can try.
func explain(err error) error {
	e, ok := err.(*server.StartError)
	if !ok {
		return err
	}
	switch {
	case len(e.Found) > 0 && *at != "":
		return fmt.Errorf("%w\nIt listens on %s: try AT=%[2]s.", err, e.Found[0])
	case len(e.Found) > 0 && isFreePort(e.Found[0]):
		return fmt.Errorf("%w\nIt listens on %s, and does not say so.", err, e.Found[0])
	case len(e.Found) > 0:
		return fmt.Errorf("%w\nIt listens on %s, whatever -addr says: try AT=%[2]s.", err, e.Found[0])
	case e.Ended && *at == "":
		return fmt.Errorf("%w\nDoes it know the flags -addr and -slow? If it takes its port in another way, say how, as in "+
			"SERVER='python3 mine.py {port}'; if it has a port of its own, say which, as in AT=127.0.0.1:7878.", err)
	}
	return err
}

// isFreePort says whether the port of an address is one that the system gives to a server that
// asks for any.
func isFreePort(addr string) bool {
	_, port, _ := net.SplitHostPort(addr)
	var n, least, most int
	limits, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	fmt.Sscan(string(limits), &least, &most)
	fmt.Sscan(port, &n)
	return err == nil && n >= least && n <= most
}

// measureSlowPage measures how long the slow page takes if the program cannot be told, and returns
// a sentence about it.
func measureSlowPage(program *server.Program, s *server.Server) string {
	const least, most = 150 * time.Millisecond, time.Minute
	v := visitor.Connect("slow", s.Addr)
	defer v.Close()
	v.Send(visitor.Request("GET", program.SlowPage))
	for begin := time.Now(); !v.Answered() && !s.Exited() && time.Since(begin) < most; {
		time.Sleep(5 * time.Millisecond)
	}
	took := v.Took()
	if v.Status() != "200" || took < least {
		gets := "no reply"
		if took > 0 {
			gets = fmt.Sprintf("%s after %v", v.Status(), took.Round(time.Millisecond))
		}
		return fmt.Sprintf("It has no slow page: GET %s gets %s. If another page is slow, say which: SLOW=/path.", program.SlowPage, gets)
	}
	program.SlowTakes = took - took/20 // the next time may be a little shorter
	if took > 10*time.Second {
		return fmt.Sprintf("GET %s takes %v: a page of two to five seconds would do, and be decided sooner.",
			program.SlowPage, took.Round(time.Second))
	}
	return fmt.Sprintf("GET %s takes %v.", program.SlowPage, took.Round(100*time.Millisecond))
}

// startSecond starts a second server beside the first, and ends it.
func startSecond(program *server.Program, first *server.Server) error {
	told := "-addr"
	if strings.Contains(*spec, "{port}") {
		told = "{port}"
	}
	several := "Several of it run at the same time, each on another port. Does it listen where " + told + " says? " +
		"If it has a port of its own, say which: AT=" + first.Addr + "."
	second, err := program.Start(server.Options{})
	if err != nil {
		return fmt.Errorf("While one is running, a second one does not start: %w\n%s", err, several)
	}
	defer second.Kill()
	if first.Addr == second.Addr {
		return fmt.Errorf("Two that were running at the same time both said that they listen on %s.\n%s", first.Addr, several)
	}
	return nil
}
