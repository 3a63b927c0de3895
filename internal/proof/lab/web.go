package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"
)

//go:embed page
var page embed.FS

// handler serves the page, the stream of what has changed, the book, and the controls.
// Only POST changes anything.
func (l *lab) handler() http.Handler {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /events", l.events)
	mux.HandleFunc("GET /questions", l.questions)
	mux.HandleFunc("GET /book/{path...}", l.book)
	mux.HandleFunc("GET /highlight.css", highlightCSS)
	mux.HandleFunc("POST /do/{what}", l.control)
	return guarded(http.NewCrossOriginProtection().Handler(mux))
}

// guarded refuses what another site's page may ask for, and what is asked for under
// another host's name, which a name server could have pointed here.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "The lab is on this machine itself, under no other name.", http.StatusForbidden)
			return
		}
		if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			http.Error(w, "The lab answers no other site's page.", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

const (
	frame     = 20 * time.Millisecond // from one message to the next, at least
	heartbeat = 5 * time.Second       // and at most
	stuck     = 20 * time.Second      // a browser that has not taken a message for so long is gone
)

// events sends a browser all there is, and from then on what has changed. A browser that is
// slow, or comes again, gets the latest and misses nothing: a view has all that is shown.
func (l *lab) events(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	sent := make([]int, len(l.panels))
	for i := range sent {
		sent[i] = -1
	}
	sentLab := -1
	fmt.Fprint(w, "retry: 1000\n\n") // milliseconds, after which a browser comes again
	for r.Context().Err() == nil && l.ctx.Err() == nil {
		l.mu.Lock()
		changed := l.changed
		now := time.Since(l.began).Milliseconds()
		messages := fmt.Appendf(nil, "event: now\ndata: %d\n\n", now)
		if sentLab != l.version {
			sentLab = l.version
			messages = appendMessage(messages, "lab", l.view)
		}
		for i, p := range l.panels {
			if sent[i] != p.version {
				sent[i] = p.version
				if p.encodedAs != p.version { // once, however many browsers there are
					p.encodedAs = p.version
					p.encoded = appendMessage(nil, "panel", struct {
						ID int `json:"id"`
						view
					}{i, p.view})
				}
				messages = append(messages, p.encoded...)
			}
		}
		l.mu.Unlock()
		out.SetWriteDeadline(time.Now().Add(stuck))
		if _, err := w.Write(messages); err != nil || out.Flush() != nil {
			return
		}
		time.Sleep(frame)
		select {
		case <-changed:
		case <-time.After(heartbeat):
		case <-r.Context().Done():
		case <-l.ctx.Done():
		}
	}
}

func appendMessage(b []byte, event string, data any) []byte {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // nothing in a view can fail
	}
	return fmt.Appendf(b, "event: %s\ndata: %s\n\n", event, text)
}

// questions sends what is asked of the stages that are here.
func (l *lab) questions(w http.ResponseWriter, r *http.Request) {
	asked := slices.DeleteFunc(slices.Clone(questions), func(q question) bool { return l.stage(q.Stage) == nil })
	for i, q := range asked {
		asked[i].Page = l.stage(q.Stage).stage.Page() + "#" + q.Page
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(asked)
}

// control does what a button of the page says, to one server or to all.
func (l *lab) control(w http.ResponseWriter, r *http.Request) {
	number := func(name string) int {
		n, err := strconv.Atoi(r.FormValue(name))
		if err != nil {
			return -1
		}
		return n
	}
	panels := l.panels
	if to := number("to"); to >= 0 && to < len(panels) {
		panels = panels[to : to+1]
	}
	each := func(do func(p *panel)) {
		for _, p := range panels {
			do(p)
		}
	}
	var err error
	switch what := r.PathValue("what"); what {
	case "send":
		kind, n := r.FormValue("kind"), number("n")
		if _, ok := requests[kind]; !ok || n < 1 || n > 10_000 || n > 200 && len(panels) > 1 {
			err = fmt.Errorf("%d %s: there is no such visitor; more than 200 come to one server only", n, kind)
			break
		}
		guests := l.guests(kind, n)
		each(func(p *panel) { p.send(guests) })
	case "leave":
		each(func(p *panel) { p.leave("silent", false) })
	case "reset":
		each(func(p *panel) { p.leave("", true) })
	case "interrupt":
		each(func(p *panel) { p.signal(syscall.SIGINT) })
	case "quit":
		each(func(p *panel) { p.signal(syscall.SIGQUIT) })
	case "start":
		each(func(p *panel) { p.post(p.restart) })
	case "ask":
		each(func(p *panel) { go p.rebuild(true) })
	case "clear":
		each((*panel).clear)
	case "set":
		l.set(number("slow"), number("patience"))
	case "predict":
		err = l.predict(number("question"), number("choice"))
	default:
		err = fmt.Errorf("there is no control called %s", what)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// clear takes what has been read off the panel: words, a dump, a verdict.
func (p *panel) clear() {
	p.change(func(v *view) {
		v.Words, v.Dump, v.Lines, v.Verdict, v.Told = "", nil, []string{}, "", ""
		v.Lanes = slices.DeleteFunc(slices.Clone(v.Lanes), func(l lane) bool { return l.Over > 0 })
	})
}
