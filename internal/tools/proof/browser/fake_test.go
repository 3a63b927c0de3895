package browser

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A fake is the page of a lab without servers: it gets the events that a test sends, which so knows to the
// millisecond what is to be drawn.
type fake struct{ *page }

type object = map[string]any

//go:embed fake.js
var fakeLab string

// scenes are two, of which the first has two acts.
const scenes = `{"scenes":[
	{"title":"One is slow","acts":[
		{"asks":"Who is answered first?","of":[2,3,1,4,5],"slow":4,"patience":10,"choices":[{"answer":"The quick one"},{"answer":"The slow one"},{"answer":"Both"}],
		 "steps":[{"do":"slow","caption":"A slow visitor comes."},{"do":"quick","caption":"A quick one comes."}]},
		{"asks":"Where is goroutine 1?","of":[1,2],"slow":4,"patience":10,"choices":[{"answer":"In Accept"},{"answer":"Asleep"}],
		 "steps":[{"do":"slow","caption":"A slow visitor comes."}]}]},
	{"title":"One is silent","acts":[
		{"asks":"Who is served?","of":[1],"slow":4,"patience":10,"choices":[{"answer":"Nobody"},{"answer":"All"}],
		 "steps":[{"do":"silent","caption":"A silent visitor comes."}]}]}]}`

// openFake opens the page with the five stages.
func openFake(t *testing.T) fake {
	t.Helper()
	web := httptest.NewServer(http.FileServer(http.Dir(pageDir)))
	t.Cleanup(web.Close)
	f := fake{open(t, web.URL, fakeLab)}
	f.start()
	return f
}

// start sends what a page gets first.
func (f fake) start() {
	f.Helper()
	f.see(`fake.streams.size === 1`)
	f.send("lab", scenes)
	for id := range 5 {
		// The loop has four lines, the first of which is line 3.
		const text = "package main\n\n\tfor {\n\t\tconn, err := listener.Accept()\n\t\tgo handleConnection(conn)\n\t}\n"
		f.send("code", object{"id": id, "loop": object{"file": "main.go", "first": 3, "last": 6},
			"files": object{"main.go": text, "http.go": "package main\n"}})
		f.panel(id, object{})
	}
	f.see(`$$("article").length === 5`)
}

func stageOf(number int) object {
	if number == 0 {
		return object{"Number": 0, "Folder": "python3 ./a/very/long/name/of/a/folder/that/goes/on/and/on/server.py", "Adds": "your own server"}
	}
	folder := []string{"stage1-blocking", "stage2-sequential-async", "stage3-spawned", "stage4-nonblocking-accept", "stage5-testable"}[number-1]
	return object{"Number": number, "Folder": folder, "Adds": "waiting for a visitor holds no thread"}
}

// send sends an event, whose data are a string of JSON or something to make one of.
func (f fake) send(event string, data any) {
	f.Helper()
	text, ok := data.(string)
	if !ok {
		b, _ := json.Marshal(data)
		text = string(b)
	}
	js[any](f.page, `fake.send(%q, %q)`, event, text)
}

// now sets the lab's clock.
func (f fake) now(ms int) { f.send("now", fmt.Sprint(ms)) }

// panel sends what is now of a server, which runs unless the fields say otherwise.
func (f fake) panel(id int, fields object) {
	view := object{"id": id, "stage": stageOf((id + 1) % 6), "slow": 2, "patience": 6, "state": "running", "go": true, "url": "http://127.0.0.1:1"}
	maps.Copy(view, fields)
	f.send("panel", view)
}

// lanes sends visitors, who have numbers from n on.
func (f fake) lanes(id, n int, lanes ...object) {
	for i, l := range lanes {
		l["id"], l["n"] = id, n+i
		f.send("lane", l)
	}
}

// samples sends how a server was. It ran, and its goroutine 1 was in Accept, unless the samples say otherwise.
func (f fake) samples(id int, samples ...object) {
	for _, s := range samples {
		sample := object{"id": id, "state": "running", "place": "Accept", "wait": "IO wait", "stack": []string{"main.go:4"}, "threads": 6, "goroutines": 1}
		maps.Copy(sample, s)
		f.send("sample", sample)
	}
}

// posted waits until the page has asked for something that contains a text.
func (f fake) posted(text string) {
	f.Helper()
	f.see(`fake.posts.join("\n").includes(%q)`, text)
}

// draws waits until one thing d of all that is drawn in a panel fits a condition. There, at finds a text, and bar
// what is filled.
func (f fake) draws(panel int, condition string) {
	f.Helper()
	f.see(`(drawn => { const at = text => drawn.find(d => d.text === text), bar = d => d.rect && d.alpha === 1, shade = d => d.rect && d.alpha < 0.5;
		return drawn.some(d => %s); })($("#panel%d canvas").drawn ?? [])`, condition, panel)
}
