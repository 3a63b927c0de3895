package browser

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	update  = flag.Bool("update", false, "write docs/lab/index.html")
	picture = flag.String("picture", "", "make a `picture` of the lab")
)

const (
	aloneDir = workbook + "/docs/lab"
	mostSize = 400_000 // bytes of the page without a server, recordings and all
)

// The page's modules, each before those that need it while they are loaded.
var modules = []string{"base", "time", "strip", "lanes", "code", "panel", "live", "recorded", "scenes", "beside", "lab"}

// alone makes of the page one file that needs no server. A browser loads no modules from the disk, so they
// are joined into one script; a name that two of them declare is an error there.
func alone(t *testing.T) string {
	t.Helper()
	source := func(name string) string { return readFile(t, filepath.Join(pageDir, name)) }
	if files, _ := filepath.Glob(pageDir + "/*.js"); len(files) != len(modules) {
		t.Fatalf("the page has %d modules, and %d are named here", len(files), len(modules))
	}
	var script strings.Builder
	script.WriteString("\"use strict\";\n{\n")
	imports, exports := regexp.MustCompile(`(?m)^import .*\n`), regexp.MustCompile(`(?m)^export `)
	for _, m := range modules {
		text := imports.ReplaceAllString(source(m+".js"), "")
		fmt.Fprintf(&script, "// --- %s.js\n%s", m, exports.ReplaceAllString(text, ""))
	}
	script.WriteString("}\n")
	page := source("index.html")
	for old, new := range map[string]string{
		`<link rel="icon" href="icon.svg">` + "\n":            "",
		`<link rel="stylesheet" href="lab.css">`:              "<style>\n" + source("lab.css") + "</style>",
		`<script type="module" src="lab.js"></script>` + "\n": "",
		"</body>": "<script src=\"recordings.js\"></script>\n<script>\n" + script.String() + "</script>\n</body>",
	} {
		if strings.Count(page, old) != 1 {
			t.Fatalf("index.html does not have %q once", old)
		}
		page = strings.Replace(page, old, new, 1)
	}
	return "<!-- Written by make figures from internal/tools/lab/page. -->\n" + page
}

// The page without a server is made of what the lab's page is now, and is small enough to be carried along.
func TestAloneIsCurrent(t *testing.T) {
	t.Parallel()
	name := filepath.Join(aloneDir, "index.html")
	if *update {
		if err := os.WriteFile(name, []byte(alone(t)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if readFile(t, name) != alone(t) {
		t.Errorf("%s is not made of the page as it is now; run make figures", name)
	}
	size := 0
	files, _ := filepath.Glob(aloneDir + "/*")
	for _, f := range files {
		size += len(readFile(t, f))
	}
	if size > mostSize {
		t.Errorf("%s has %d bytes, more than %d", aloneDir, size, mostSize)
	}
}

// From the disk the page plays every act: captions, lanes, goroutine 1, marks, what happened and why, and the slider.
func TestAlone(t *testing.T) {
	t.Parallel()
	name, err := filepath.Abs(filepath.Join(aloneDir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	// The page's clock is ten times as fast.
	p := open(t, "file://"+name, `{ const now = performance.now.bind(performance); performance.now = () => 10 * now(); }`)
	p.see(`document.querySelectorAll("article").length === 5 && document.querySelector("#made").innerText.startsWith("Recorded on ")`)
	// At first it shows the end of an act.
	p.see(`document.querySelector("#why").innerText.includes("quick 1 waited") && document.querySelector("#panel0 canvas").drawn.some(d => d.text === "quick 1")`)
	p.click("#titles button")
	const slide = `(s => { s.value = %s; s.dispatchEvent(new Event("input")); })(document.querySelector("#ago"))`
	// Some time after the first step, in seconds from the end, which is up to half a second after the last event.
	const firstStep = `(e => (e.findLast(e => e[1] === "scene")[2].steps[0] + 700 - e.at(-1)[0]) / 1000)(recordings.acts[%d].events)`
	for i := range js[int](p, `recordings.acts.length`) {
		asks := js[string](p, `document.querySelector("#asks").innerText`)
		p.click("#choices button")
		p.see(`document.querySelector("#play").innerText.startsWith("play again")`)
		p.see(`[...document.querySelectorAll("canvas[role]")].some(c => c.drawn.some(d => /quick|slow|silent|half/.test(d.text)))`)
		p.see(`document.querySelector("#why").innerText && document.querySelector("#choices .right")`)
		p.see(`document.querySelector("#choices [aria-pressed=true]")`)
		js[any](p, slide, fmt.Sprintf(firstStep, i))
		p.see(`/^(1 of |$)/.test(document.querySelector("#caption").innerText)`) // none after the last step
		p.see(`document.querySelector(".code b")`)                               // goroutine 1 stands on a line
		if i == 1 {
			const latest = `Math.max(0, ...[...document.querySelectorAll("canvas[role]")].flatMap(c => c.drawn.filter(d => d.rect).map(d => d.left + d.width)))`
			now := js[float64](p, latest)
			js[any](p, slide, "s.min")
			p.see(latest+" < %v", now)
		}
		p.click("#live")
		p.click("#next")
		p.see(`document.querySelector("#asks").innerText !== %q`, asks)
	}
}
