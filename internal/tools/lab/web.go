package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/yuin/goldmark"
	highlighting "github.com/yuin/goldmark-highlighting/v2"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	goldmarkhtml "github.com/yuin/goldmark/renderer/html"
)

//go:embed page goroutines.go.txt scenes.json
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

// events sends a browser all there is, and from then on what has changed, and at least once a second
// what time it is. A browser that is slow, or comes again, misses nothing.
func (l *lab) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "retry: 1000\n\n") // milliseconds, after which a browser comes again
	seq, told := 0, time.Time{}
	const frame = 20 * time.Millisecond // from one message to the next, at least
	for ; r.Context().Err() == nil; time.Sleep(frame) {
		news, now := l.board.since(seq)
		if news != "" || time.Since(told) > time.Second {
			fmt.Fprintf(w, "event: now\ndata: %d\n\n%s", l.clock.ms(), news)
			http.NewResponseController(w).Flush()
			seq, told = now, time.Now()
		}
	}
}

// controls are what a button of the page does to one server. Some others need more than
// the server: see control.
var controls = map[string]func(*panel){
	"leave":     (*panel).leave,
	"interrupt": func(p *panel) { p.signal(syscall.SIGINT) },
	"quit":      func(p *panel) { p.signal(syscall.SIGQUIT) },
	"start":     (*panel).start,
	"ask":       func(p *panel) { p.rebuild(true) },
	"clear":     (*panel).clear,
}

// control does what a button of the page says, to one server or to all.
func (l *lab) control(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		To, N          int // To is a panel, and the first is 1; or 0 for all
		Kind, Name     string
		Slow, Patience float64
		play
	}
	what := r.PathValue("what")
	const most = 4 << 10 // bytes
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, most)).Decode(&asked) != nil {
		what = "" // and refused below
	}
	panels := l.panels
	if asked.To > 0 && asked.To <= len(panels) {
		panels = panels[asked.To-1 : asked.To]
	}
	do, timesOK := controls[what], min(asked.Slow, asked.Patience) >= 1 && max(asked.Slow, asked.Patience) <= 10
	switch _, kind := requests[asked.Kind]; {
	case do != nil:
	case what == "reset":
		do = func(p *panel) { p.reset(asked.Name) }
	case what == "send" && kind && asked.N > 0 && asked.N <= 10_000/len(panels):
		names := l.invite(asked.Kind, asked.N)
		do = func(p *panel) { p.send(asked.Kind, names) }
	case what == "set" && timesOK:
		panels, do = l.panels, func(p *panel) {
			p.Slow, p.Patience = asked.Slow, asked.Patience
			p.start()
		}
	case what == "stop":
		l.end(errStopped)
	case what == "play" && l.start(play{Scene: asked.Scene, Act: asked.Act, Stage: asked.Stage, Chosen: asked.Chosen}):
	default:
		const cannot = "The lab cannot do that: one scene at a time, 10,000 visitors at most, and 1 to 10 seconds."
		http.Error(w, cannot, http.StatusBadRequest)
		return
	}
	if do != nil {
		l.end(errors.New("Something else was pressed meanwhile."))
		if what == "set" || what == "start" && asked.To == 0 {
			l.forget()
		}
		for _, p := range panels {
			p.calls <- func() { do(p) }
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// What is read beside the servers: the pages of the book and the sources, rendered.

var markdown = goldmark.New(
	goldmark.WithExtensions(extension.GFM,
		highlighting.NewHighlighting(highlighting.WithFormatOptions(html.WithClasses(true), html.WithLinkableLineNumbers(true, "L")))),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
	// The pages' own HTML, such as <details>, is the workbook's.
	goldmark.WithRendererOptions(goldmarkhtml.WithUnsafe()),
)

var frameHTML = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}}</title><link rel="stylesheet" href="/lab.css">
<body class="read"><main>{{.Body}}</main></body></html>
`))

// book sends a file of the workbook, or the list of a folder's. It reads nothing outside of the workbook, and
// nothing hidden.
func (l *lab) book(w http.ResponseWriter, r *http.Request) {
	name := path.Clean(r.PathValue("path"))
	if entries, err := fs.ReadDir(l.root.FS(), name); err == nil {
		l.list(w, r, name, entries)
		return
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
		marked := strings.Join(strings.Fields(fmt.Sprint(newLines(path.Dir(name), path.Base(name), string(content)))), ",")
		content = fmt.Appendf(nil, "# %s\n\n~~~~~~%s {linenos=true hl_lines=%s}\n%s\n~~~~~~\n", name,
			strings.TrimPrefix(path.Ext(name), "."), marked, bytes.TrimSuffix(content, []byte("\n")))
	}
	show(w, name, content)
}

// list sends a folder's README.md, or else links to its files.
func (l *lab) list(w http.ResponseWriter, r *http.Request, folder string, entries []fs.DirEntry) {
	links := "# " + folder + "\n"
	for _, e := range entries {
		if e.Name() == "README.md" {
			http.Redirect(w, r, path.Join("/book", folder, e.Name()), http.StatusFound)
			return
		}
		if !strings.HasPrefix(e.Name(), ".") {
			links += fmt.Sprintf("- [%s](%s)\n", e.Name(), path.Join("/book", folder, e.Name()))
		}
	}
	show(w, folder, []byte(links))
}

// show sends a page that is written in Markdown.
func show(w http.ResponseWriter, title string, content []byte) {
	var body bytes.Buffer
	markdown.Convert(content, &body) // into memory, where it cannot fail
	frameHTML.Execute(w, map[string]any{"Title": title, "Body": template.HTML(body.String())})
}
