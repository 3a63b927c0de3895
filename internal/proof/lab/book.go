package main

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"slices"
	"strings"

	"example.com/concurrent-web-server/internal/behaviour"
	"github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/yuin/goldmark"
	highlighting "github.com/yuin/goldmark-highlighting/v2"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	goldmarkhtml "github.com/yuin/goldmark/renderer/html"
)

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
	case ".svg":
		// A drawing has its style in itself, and loads nothing.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		fallthrough
	case ".png":
		http.ServeFileFS(w, r, l.root.FS(), name)
		return
	case ".md":
	default:
		content = l.source(name, string(content))
	}
	var body bytes.Buffer
	if err := markdown.Convert(content, &body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	frameHTML.Execute(w, map[string]any{"Title": name, "Body": template.HTML(body.String())})
}

// source returns a page that has a source in it, where those lines of a stage are marked that are
// nowhere in the file of the stage before.
func (l *lab) source(name, content string) []byte {
	var page, marked bytes.Buffer
	folder, file := path.Split(name)
	i := slices.IndexFunc(behaviour.Stages, func(s behaviour.Stage) bool { return s.Folder+"/" == folder })
	if i > 0 {
		before, _ := l.root.ReadFile(path.Join(behaviour.Stages[i-1].Folder, file))
		number := 0
		for line := range strings.Lines(content) {
			number++
			if strings.Trim(line, "\t})\n") != "" && !strings.Contains("\n"+string(before), "\n"+line) {
				fmt.Fprintf(&marked, "%d,", number)
			}
		}
	}
	fmt.Fprintf(&page, "# %s\n\n", name)
	if marked.Len() > 0 {
		page.WriteString("The marked lines are this stage's step: they are not in the stage before.\n\n")
	}
	language := strings.TrimPrefix(path.Ext(name), ".")
	fmt.Fprintf(&page, "~~~~~~%s {linenos=true hl_lines=[%s]}\n%s\n~~~~~~\n",
		language, strings.TrimSuffix(marked.String(), ","), strings.TrimSuffix(content, "\n"))
	return page.Bytes()
}
