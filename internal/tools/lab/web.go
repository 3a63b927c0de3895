package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/yuin/goldmark"
	highlighting "github.com/yuin/goldmark-highlighting/v2"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	goldmarkhtml "github.com/yuin/goldmark/renderer/html"
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
	guarded := http.NewCrossOriginProtection().Handler(mux)
	// What another site's page asks for is refused, and what is asked for under another host's name,
	// which a name server could have pointed here.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		foreign := r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate"
		if foreign || !loopback(r.Host) {
			http.Error(w, "The lab answers this machine itself, and no other site's page.", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		guarded.ServeHTTP(w, r)
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
	what := r.PathValue("what")
	if json.NewDecoder(r.Body).Decode(&asked) != nil {
		what = "" // and refused below
	}
	panels := l.panels
	if asked.To > 0 && asked.To <= len(panels) {
		panels = panels[asked.To-1 : asked.To]
	}
	do := controls[what]
	switch _, kind := requests[asked.Kind]; {
	case do != nil:
	case what == "send" && kind && asked.N > 0 && asked.N <= 10_000/len(panels):
		names := l.invite(asked.Kind, asked.N)
		do = func(p *panel) { p.send(asked.Kind, names) }
	case what == "set":
		panels, do = l.panels, func(p *panel) {
			p.Slow, p.Patience = min(max(asked.Slow, 1), 10), min(max(asked.Patience, 1), 10)
			p.restart()
		}
	case what == "predict" && l.predict(asked.prediction):
		panels = nil
	default:
		const most = "The lab cannot do that: one question at a time, and 10,000 visitors at most."
		http.Error(w, most, http.StatusBadRequest)
		return
	}
	for _, p := range panels {
		p.calls <- func() { do(p) }
	}
	w.WriteHeader(http.StatusNoContent)
}

// What is read beside the servers: the pages of the book and the sources, rendered.

var markdown = goldmark.New(
	goldmark.WithExtensions(extension.GFM,
		highlighting.NewHighlighting(highlighting.WithFormatOptions(html.WithClasses(true)))),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
	// The pages' own HTML, such as <details>, is the workbook's.
	goldmark.WithRendererOptions(goldmarkhtml.WithUnsafe()),
)

var frameHTML = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}}</title><link rel="stylesheet" href="/lab.css">
<body class="read"><main>{{.Body}}</main></body></html>
`))

// book sends a file of the workbook. It reads nothing outside of its folder, and
// nothing hidden.
func (l *lab) book(w http.ResponseWriter, r *http.Request) {
	name := path.Clean(r.PathValue("path"))
	if info, err := l.root.Stat(name); err == nil && info.IsDir() {
		name = path.Join(name, "README.md")
	}
	content, err := l.root.ReadFile(name)
	if err != nil || strings.Contains("/"+name, "/.") {
		http.NotFound(w, r)
		return
	}
	switch path.Ext(name) {
	case ".svg", ".png":
		// A drawing has its style in itself, and loads nothing.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		http.ServeFileFS(w, r, l.root.FS(), name)
		return
	case ".md":
	default:
		content = l.source(name, string(content))
	}
	var body bytes.Buffer
	markdown.Convert(content, &body) // into memory, where it cannot fail
	frameHTML.Execute(w, map[string]any{"Title": name, "Body": template.HTML(body.String())})
}

// source returns a page that has a source in it, where those lines of a stage are marked that are
// nowhere in the file of the stage before.
func (l *lab) source(name, content string) []byte {
	folder, file := path.Split(name)
	note, marked := "", []string{}
	i := slices.IndexFunc(behaviour.Stages, func(s behaviour.Stage) bool { return s.Folder+"/" == folder })
	if i > 0 {
		note = "The marked lines are this stage's step: they are not in the stage before."
		before, _ := l.root.ReadFile(path.Join(behaviour.Stages[i-1].Folder, file))
		for n, line := range strings.SplitAfter(content, "\n") {
			if strings.Trim(line, "\t})\n") != "" && !strings.Contains("\n"+string(before), "\n"+line) {
				marked = append(marked, fmt.Sprint(n+1))
			}
		}
	}
	return fmt.Appendf(nil, "# %s\n\n%s\n\n~~~~~~%s {linenos=true hl_lines=[%s]}\n%s\n~~~~~~\n", name, note,
		strings.TrimPrefix(path.Ext(name), "."), strings.Join(marked, ","), strings.TrimSuffix(content, "\n"))
}
