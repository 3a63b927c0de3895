package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	renderer "github.com/yuin/goldmark/renderer/html"
)

//go:embed page
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
	guarded := http.NewCrossOriginProtection().Handler(mux) // other sites' pages can change nothing
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopback(r.Host) { // another host's name may have been made to point here
			http.Error(w, "The lab answers this machine only.", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		guarded.ServeHTTP(w, r)
	})
}

// events sends a browser all there is, and from then on what has changed, and at least once a second
// what time it is. A browser that is slow, or comes again, misses nothing.
func (l *lab) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	seq, sent := 0, time.Time{}
	const frame = 20 * time.Millisecond // from one message to the next, at least
	for ; r.Context().Err() == nil; time.Sleep(frame) {
		news, now := l.board.since(seq)
		if news != "" || time.Since(sent) > time.Second {
			fmt.Fprintf(w, "event: now\ndata: %d\n\n%s", l.clock.ms(), news)
			http.NewResponseController(w).Flush()
			seq, sent = now, time.Now()
		}
	}
}

// controls are what a button of the page does to one server; control has those that need more.
var controls = map[string]func(*panel){
	"leave":     func(p *panel) { p.recorder.LeaveSilent() },
	"reset":     func(p *panel) { p.recorder.ResetLast() },
	"interrupt": func(p *panel) { p.signal(syscall.SIGINT) },
	"quit":      func(p *panel) { p.signal(syscall.SIGQUIT) },
	"start":     (*panel).start,
	"ask":       (*panel).rebuild,
	"clear":     (*panel).clear,
}

// press does what a control does, unless the server does not run and has to. It is called by others than the panel's
// goroutine.
func (p *panel) press(what string, do func(*panel)) {
	p.calls <- func() {
		if p.recorder != nil || slices.Contains([]string{"start", "ask", "clear", "set"}, what) {
			do(p)
		}
	}
}

// control does what a button of the page says, to one server or to all.
func (l *lab) control(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		To, N             int // To is a panel, and the first is 1; or 0 for all
		Kind              string
		Slow, Patience    float64
		Scene, Act, Stage int
	}
	const limit = 4 << 10 // bytes
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit)).Decode(&asked)
	what, panels := r.PathValue("what"), l.panels
	if asked.To > 0 && asked.To <= len(panels) {
		panels = panels[asked.To-1 : asked.To]
	}
	do, valid := controls[what], true
	switch what {
	case "send":
		_, valid = requests[asked.Kind]
		valid = valid && asked.N > 0 && asked.N <= 10_000/len(panels)
		do = func(p *panel) { p.send(asked.Kind, asked.N) }
	case "set":
		valid = min(asked.Slow, asked.Patience) >= 1 && max(asked.Slow, asked.Patience) <= 10
		panels, do = l.panels, func(p *panel) {
			p.Slow, p.Patience = asked.Slow, asked.Patience
			p.start()
		}
	case "stop":
		l.end(errors.New("It was stopped."))
	case "play":
		valid = err == nil && l.play(asked.Scene, asked.Act, asked.Stage)
	default:
		valid = do != nil
	}
	if !valid || err != nil {
		const cannot = "The lab cannot do that: one scene at a time, 1 to 10 seconds, and 10,000 visitors in all. (Choose a server first.)"
		http.Error(w, cannot, http.StatusBadRequest)
		return
	}
	if do != nil {
		l.end(errors.New("Something else was pressed meanwhile."))
		for _, p := range panels {
			p.press(what, do)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// What is read beside the servers: the pages of the book and the sources, rendered.

var markdown = goldmark.New(
	goldmark.WithExtensions(extension.GFM),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
	// The pages' own HTML, such as <details>, is the workbook's.
	goldmark.WithRendererOptions(renderer.WithUnsafe()),
)

// book sends a file of the workbook. It reads nothing outside of the workbook, and nothing hidden.
func (l *lab) book(w http.ResponseWriter, r *http.Request) {
	name := path.Clean(r.PathValue("path"))
	if info, err := l.root.Stat(name); err == nil && info.IsDir() {
		page := "README.md"
		if strings.HasPrefix(name, "stage") {
			page = "main.go"
		}
		http.Redirect(w, r, path.Join("/book", name, page), http.StatusFound)
		return
	}
	content, err := l.root.ReadFile(name)
	if err != nil || strings.Contains("/"+name, "/.") {
		http.NotFound(w, r)
		return
	}
	var page bytes.Buffer
	switch path.Ext(name) {
	case ".svg", ".png":
		// A drawing has its style in itself, and loads nothing.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		http.ServeFileFS(w, r, l.root.FS(), name)
		return
	case ".md":
		markdown.Convert(content, &page) // into memory, where it cannot fail
	default:
		fmt.Fprintf(&page, `<h1>%s</h1><ol class="code">`, html.EscapeString(name))
		for i, line := range strings.Split(strings.TrimSuffix(string(content), "\n"), "\n") {
			fmt.Fprintf(&page, `<li id="L%d"><code>%s</code></li>`, i+1, html.EscapeString(line))
		}
		page.WriteString("</ol>")
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page.WriteTo(w)
}
