package browser

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fake is a lab without servers: it serves the page and sends what a test gives it, so that a test
// knows to the millisecond what is to be drawn.
type fake struct {
	*page
	url string

	mu       sync.Mutex
	messages []string // that have been sent, and are sent again to whoever comes
	posts    []string // what the page has asked for, as in `send {"kind":"quick"}`
	streams  int      // that are open
	beats    bool     // the clock is sent all the time, as a lab does
}

type object = map[string]any

// scenes are two, of which the first has two acts.
const scenes = `{"scenes":[
	{"title":"One is slow","acts":[
		{"asks":"Who is answered first?","of":[2,3,1,4,5],"slow":4,"patience":10,"page":"run-it","choices":[{"answer":"The quick one"},{"answer":"The slow one"},{"answer":"Both"}],
		 "steps":[{"do":"slow","caption":"A slow visitor comes."},{"do":"quick","caption":"A quick one comes."}]},
		{"asks":"Where is goroutine 1?","of":[1,2],"slow":4,"patience":10,"page":"where-is-goroutine-1","choices":[{"answer":"In Accept"},{"answer":"Asleep"}],
		 "steps":[{"do":"slow","caption":"A slow visitor comes."}]}]},
	{"title":"One is silent","acts":[
		{"asks":"Who is served?","of":[1],"slow":4,"patience":10,"page":"run-it","choices":[{"answer":"Nobody"},{"answer":"All"}],
		 "steps":[{"do":"silent","caption":"A silent visitor comes."}]}]}]}`

// startFake starts a fake lab with the five stages, or those with the numbers, and opens its page.
func startFake(t *testing.T, stages ...int) *fake {
	t.Helper()
	f := &fake{}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(pageDir)))
	mux.HandleFunc("GET /events", f.events)
	mux.HandleFunc("POST /do/{what}", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.posts = append(f.posts, r.PathValue("what")+" "+string(body))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	f.send("lab", scenes)
	if stages == nil {
		stages = []int{1, 2, 3, 4, 5}
	}
	for id, number := range stages {
		f.send("code", code(id))
		f.panel(id, object{"stage": stageOf(number)})
	}
	f.url = server.URL
	f.page = open(t, server.URL)
	f.see(`document.querySelectorAll("article").length === %d`, len(stages))
	return f
}

func stageOf(number int) object {
	if number == 0 {
		return object{"Number": 0, "Folder": "python3 ./a/very/long/name/of/a/folder/that/goes/on/and/on/server.py", "Adds": "your own server"}
	}
	folder := []string{"stage1-blocking", "stage2-sequential-async", "stage3-spawned", "stage4-nonblocking-accept", "stage5-testable"}[number-1]
	return object{"Number": number, "Folder": folder, "Adds": "waiting for a visitor holds no thread"}
}

// code is a program whose loop has four lines, the first of which is line 3.
func code(id int) object {
	const text = "package main\n\n\tfor {\n\t\tconn, err := listener.Accept()\n\t\tgo handleConnection(conn)\n\t}\n"
	return object{"id": id, "loop": object{"file": "main.go", "first": 3, "last": 6},
		"files": object{"main.go": text, "http.go": "package main\n"}}
}

func (f *fake) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	f.mu.Lock()
	f.streams++
	f.mu.Unlock()
	for sent := 0; r.Context().Err() == nil; time.Sleep(10 * time.Millisecond) {
		f.mu.Lock()
		news := slices.Clone(f.messages[sent:])
		sent += len(news)
		if f.beats {
			news = append(news, "event: now\ndata: 2000\n\n")
		}
		f.mu.Unlock()
		io.WriteString(w, strings.Join(news, ""))
		http.NewResponseController(w).Flush()
	}
	f.mu.Lock()
	f.streams--
	f.mu.Unlock()
}

// send sends an event, whose data are a string of JSON or something to make one of.
func (f *fake) send(event string, data any) {
	text, ok := data.(string)
	if !ok {
		b, _ := json.Marshal(data)
		text = string(b)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages = append(f.messages, fmt.Sprintf("event: %s\ndata: %s\n\n", event, strings.ReplaceAll(text, "\n", "")))
}

// now sets the lab's clock.
func (f *fake) now(ms int) { f.send("now", fmt.Sprint(ms)) }

// panel sends what is now of a server, which runs unless the fields say otherwise.
func (f *fake) panel(id int, fields object) {
	view := object{"id": id, "stage": stageOf((id + 1) % 6), "slow": 2, "patience": 6, "state": "running", "go": true, "url": "http://127.0.0.1:1"}
	maps.Copy(view, fields)
	f.send("panel", view)
}

// lanes sends visitors, who have numbers from n on.
func (f *fake) lanes(id, n int, lanes ...object) {
	for i, l := range lanes {
		l["id"], l["n"] = id, n+i
		f.send("lane", l)
	}
}

// samples sends how a server was. It ran, and its goroutine 1 was in Accept, unless the samples say otherwise.
func (f *fake) samples(id int, samples ...object) {
	for _, s := range samples {
		sample := object{"id": id, "state": "running", "place": "Accept", "wait": "IO wait", "lines1": []string{"main.go:4"}, "threads": 6, "goroutines": 1}
		maps.Copy(sample, s)
		f.send("sample", sample)
	}
}

// posted waits until the page has asked for something that contains a text.
func (f *fake) posted(text string) {
	f.Helper()
	f.until("the page asks for "+text, func() bool { return strings.Contains(f.allPosts(), text) })
}

func (f *fake) allPosts() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.posts, "\n")
}

// drawn returns what is drawn in a panel and fits a JavaScript condition on d, in the order in which it was drawn,
// as JSON.
func (f *fake) drawn(panel int, condition string) string {
	f.Helper()
	return js[string](f.page, `JSON.stringify(document.querySelector("#panel%d canvas").drawn.filter(d => %s))`, panel, condition)
}

// draws waits until something in a panel's canvas fits a condition on d, one of what is drawn, and all, which
// has all of it by text.
func (f *fake) draws(panel int, condition string) {
	f.Helper()
	f.see(`(drawn => { const at = text => drawn.find(d => d.text === text); return drawn.some(d => %s); })(document.querySelector("#panel%d canvas").drawn ?? [])`, condition, panel)
}
