package main

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"os"
	"path"
	"strings"

	"example.com/concurrent-web-server/internal/behaviour"
	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/alecthomas/chroma/v2/styles"
	"github.com/rogpeppe/go-internal/diff"
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
<title>{{.Title}}</title><link rel="stylesheet" href="/lab.css"><link rel="stylesheet" href="/highlight.css">
<body class="read"><main>{{.Body}}</main></body></html>
`))

// book sends a file of the workbook. It reads nothing outside of its folder, and
// nothing hidden.
func (l *lab) book(w http.ResponseWriter, r *http.Request) {
	name := path.Clean(r.PathValue("path"))
	root, err := os.OpenRoot(l.root)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer root.Close()
	if info, err := root.Stat(name); err == nil && info.IsDir() {
		name = path.Join(name, "README.md")
	}
	content, err := root.ReadFile(name)
	if err != nil || strings.Contains("/"+name, "/.") {
		http.NotFound(w, r)
		return
	}
	var body bytes.Buffer
	switch path.Ext(name) {
	case ".svg":
		// A drawing has its style in itself, and loads nothing.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		w.Header().Set("Content-Type", "image/svg+xml")
		w.Write(content)
		return
	case ".png":
		w.Header().Set("Content-Type", "image/png")
		w.Write(content)
		return
	case ".md":
		err = markdown.Convert(content, &body)
	default:
		err = highlight(&body, name, string(content), l.step(root, name, content))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	frameHTML.Execute(w, map[string]any{"Title": name, "Body": template.HTML(body.String())})
}

// highlight renders a source, with some lines marked.
func highlight(w *bytes.Buffer, name, content string, lines [][2]int) error {
	lexer := lexers.Match(name)
	if lexer == nil {
		lexer = lexers.Fallback
	}
	tokens, err := chroma.Coalesce(lexer).Tokenise(nil, content)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "<h1>%s</h1>\n", template.HTMLEscapeString(name))
	if len(lines) > 0 {
		w.WriteString("<p>The marked lines are this stage's step: they are not in the stage before.</p>\n")
	}
	formatter := html.New(html.WithClasses(true), html.WithLineNumbers(true), html.HighlightLines(lines))
	return formatter.Format(w, styles.Get("github"), tokens)
}

// step returns the lines of a stage's file that the stage before does not have.
func (l *lab) step(root *os.Root, name string, content []byte) (lines [][2]int) {
	folder, file := path.Split(name)
	for i, s := range behaviour.Stages {
		if i == 0 || s.Folder+"/" != folder {
			continue
		}
		before, _ := root.ReadFile(path.Join(behaviour.Stages[i-1].Folder, file))
		number := 0
		for line := range strings.Lines(string(diff.Diff("a", before, "b", content))) {
			switch {
			case strings.HasPrefix(line, "@@"):
				fmt.Sscanf(line[strings.Index(line, "+"):], "+%d", &number)
			case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "-"), number == 0:
			default:
				if line[0] == '+' && strings.Trim(line, "+\t})\n") != "" {
					lines = append(lines, [2]int{number, number})
				}
				number++
			}
		}
	}
	return lines
}

// highlightCSS sends the colors of the sources, light and dark.
func highlightCSS(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css")
	formatter := html.New(html.WithClasses(true))
	formatter.WriteCSS(w, styles.Get("github"))
	fmt.Fprintln(w, "@media (prefers-color-scheme: dark) {")
	formatter.WriteCSS(w, styles.Get("github-dark"))
	fmt.Fprintln(w, "}")
}
