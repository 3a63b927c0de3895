package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"syscall"
	"time"
)

//go:embed page goroutines.go.txt
var files embed.FS

// handler serves the page, the stream of what has changed, the book, and the controls.
// Only POST changes anything.
func (l *lab) handler() http.Handler {
	page, _ := fs.Sub(files, "page")
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(page))
	mux.HandleFunc("GET /events", l.events)
	mux.HandleFunc("GET /book/{path...}", l.book)
	mux.HandleFunc("POST /do/{what}", l.control)
	return guarded(http.NewCrossOriginProtection().Handler(mux))
}

// guarded refuses what another site's page may ask for, and what is asked for under
// another host's name, which a name server could have pointed here.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		foreign := r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate"
		if foreign || !loopback(r.Host) {
			http.Error(w, "The lab answers this machine itself, and no other site's page.", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// events sends a browser all there is, and from then on what has changed. A browser that is
// slow, or comes again, gets the latest and misses nothing: a message has all that is shown.
func (l *lab) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "retry: 1000\n\n") // milliseconds, after which a browser comes again
	has := make([]string, 1+len(l.panels))
	const frame = 20 * time.Millisecond // from one message to the next, at least
	for ; r.Context().Err() == nil; time.Sleep(frame) {
		news := ""
		l.mu.Lock()
		for i, message := range l.messages {
			if message != has[i] {
				has[i] = message
				news += message
			}
		}
		l.mu.Unlock()
		if news != "" {
			fmt.Fprintf(w, "event: now\ndata: %d\n\n%s", time.Since(l.began).Milliseconds(), news)
			http.NewResponseController(w).Flush()
		}
	}
}

// controls are what a button of the page does to one server. Some others need more than
// the server: see control.
var controls = map[string]func(*panel){
	"leave":     func(p *panel) { p.leave(true) },
	"reset":     func(p *panel) { p.leave(false) },
	"interrupt": func(p *panel) { p.signal(syscall.SIGINT) },
	"quit":      func(p *panel) { p.signal(syscall.SIGQUIT) },
	"start":     (*panel).restart,
	"ask":       func(p *panel) { p.rebuild(true) },
	"clear":     (*panel).clear,
}

// control does what a button of the page says, to one server or to all.
func (l *lab) control(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		To, N, Slow, Patience int // To is a panel, and the first is 1; or 0 for all
		Kind                  string
		prediction
	}
	err := json.NewDecoder(r.Body).Decode(&asked)
	panels := l.panels
	if asked.To > 0 && asked.To <= len(panels) {
		panels = panels[asked.To-1 : asked.To]
	}
	what := r.PathValue("what")
	do := controls[what]
	switch _, kind := requests[asked.Kind]; {
	case err != nil || do != nil:
	case what == "send" && kind && asked.N > 0 && asked.N <= 10_000/len(panels):
		names := l.invite(asked.Kind, asked.N)
		do = func(p *panel) { p.send(asked.Kind, names) }
	case what == "set":
		l.update(0, "lab", &l.view, func() {
			l.view.Slow, l.view.Patience = min(max(asked.Slow, 1), 10), min(max(asked.Patience, 1), 10)
		})
		panels, do = l.panels, (*panel).restart
	case what == "predict":
		panels, err = nil, l.predict(asked.prediction)
	default:
		err = fmt.Errorf("the lab cannot do that: no more than 10,000 visitors come at once")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, p := range panels {
		p.post(func() { do(p) })
	}
	w.WriteHeader(http.StatusNoContent)
}
