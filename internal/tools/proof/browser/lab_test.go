package browser

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

var (
	update  = flag.Bool("update", false, "write docs/lab/index.html")
	picture = flag.String("picture", "", "make a `picture` of the lab")
)

// The page of a lab with real servers: a page of the book is read beside its panel, and its links, its excerpts, its sessions
// and its questions lead to where they should; a scene ends with the answer that was right, and why.
func TestLab(t *testing.T) {
	t.Parallel()
	p := openLab(t, "-stage", "1")
	js[any](p, `$("#panel0 .page").focus()`)
	p.click("#panel0 .page")
	p.shows("#book h1", "Stage 1")
	p.see(`$("#panel0 .lanes").clientHeight > 150 && innerWidth > $("#beside").getBoundingClientRect().left + 300`)
	// An excerpt that has the focus lights its lines.
	p.see(`$("#book .excerpt")`)
	js[any](p, `$("#book .excerpt").focus()`)
	p.see(`(lit => lit.length > 3 && lit.every(l => $("#book .excerpt").textContent.includes(l.querySelector("code").textContent.trim())))($$("#source .lit"))`)
	// A session's visitor comes to the stage.
	js[any](p, `$$("#book button").find(b => b.innerText.startsWith("send this visitor (quick)")).click()`)
	p.see(`$("#panel0 [data-visitor='quick 1'][data-kind='is answered']")`)
	// Keys work while the page has the focus.
	js[any](p, `$("#book").focus()`)
	p.press("o")
	p.press("s")
	p.see(`$("#panel0 [data-visitor='slow 1']")`)
	// A term of the glossary, a folder, a line of a source, and back.
	follow := func(link string) {
		t.Helper()
		p.see(`$("#book a[href*='%s']")`, link)
		p.click(fmt.Sprintf("#book a[href*='%s']", link))
	}
	follow("glossary.md#backlog")
	p.see(`(t => t && Math.abs(t.getBoundingClientRect().top - $("#book").getBoundingClientRect().top) < 200)($("#at-backlog"))`)
	p.do(chromedp.NavigateBack())
	p.shows("#book h1", "Stage 1")
	// The questions are those of the scenes.
	p.see(`$$("#book button").some(b => b.innerText.startsWith("Guess: A slow visitor comes"))`)
	js[any](p, `$$("#book button").find(b => b.innerText.startsWith("Guess: A slow visitor comes")).click()`)
	p.shows("#asks", "A slow visitor comes, and then a quick one.")
	p.click("#choices button")
	p.see(`$("#caption").innerText.startsWith("1 of ")`)
	p.see(`$("#play").innerText.startsWith("play again") && $$("#choices .right").length === 1`)
	p.see(`$("#why").innerText && $("#outcome").innerText.startsWith("What happened: slow 1 comes; ")`)
	follow("/stage1-blocking/main.go#L")
	p.see(`$("#source .lit")`)
	if js[bool](p, `$$("#book a").filter(a => a.origin !== location.origin).some(a => a.target !== "_blank")`) {
		t.Error("a link to another site does not open a tab")
	}
	// Esc closes, and the focus is where it was.
	p.press("\x1b")
	p.see(`$("#beside").hidden && document.activeElement === $("#panel0 .page")`)
	p.do(chromedp.Reload())
	p.see(`$("article") && $("#beside").hidden`)
}

// The lab's picture is one of 50 slow visitors: a staircase in stages 1 and 2, and a wall in the others. It is made if it is
// asked for: make figures.
func TestPicture(t *testing.T) {
	if *picture == "" {
		return
	}
	p := openLab(t)
	p.press("o")
	js[any](p, `(i => { i.value = 1; i.dispatchEvent(new Event("change", { bubbles: true })); })($("[name=slow]"))`)
	p.see(`import("/base.js").then(m => m.state.panels.every(p => p.view.slow === 1 && p.view.state === "running"))`)
	p.press("f")
	const staircase = 11 // visitors, one a second, with whom the axis still has its beginning
	p.see(`$$("#panel0 [data-kind='is answered']").length >= %d`, staircase)
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(*picture, png, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The folder of the page without a server, and how many bytes it may have, recordings and all.
const (
	aloneDir  = workbook + "/docs/lab"
	sizeLimit = 400_000
)

// The page's modules, each before those that need it while they are loaded.
var modules = []string{"base", "time", "strip", "lanes", "code", "panel", "live", "recorded", "scenes", "beside", "lab"}

// alone makes of the page one file that needs no server. A browser loads no modules from the disk, so they
// are joined into one script; a name that two of them declare is an error there.
func alone(t *testing.T) string {
	t.Helper()
	source := func(name string) string { return readFile(t, filepath.Join(pageDir, name)) }
	var script strings.Builder
	for _, m := range modules {
		text := regexp.MustCompile(`(?m)^import .*\n|^export `).ReplaceAllString(source(m+".js"), "")
		fmt.Fprintf(&script, "// --- %s.js\n%s", m, text)
	}
	return "<!-- Written by make figures from internal/tools/lab/page. -->\n" + strings.NewReplacer(
		`<link rel="stylesheet" href="lab.css">`, "<style>\n"+source("lab.css")+"</style>",
		`<script type="module" src="lab.js"></script>`+"\n", "",
		"</body>", "<script src=\"recordings.js\"></script>\n<script>\n\"use strict\";\n{\n"+script.String()+"}\n</script>\n</body>",
	).Replace(source("index.html"))
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
	page := readFile(t, name)
	if page != alone(t) {
		t.Errorf("%s is not made of the page as it is now; run make figures", name)
	}
	if size := len(page) + len(readFile(t, filepath.Join(aloneDir, "recordings.js"))); size > sizeLimit {
		t.Errorf("%s has %d bytes, more than %d", aloneDir, size, sizeLimit)
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
	p.see(`$$("article").length === 5 && $("#made").innerText.startsWith("Recorded on ")`)
	// At first it shows the end of an act.
	p.see(`$("#why").innerText.includes("quick 1 waited") && $("#panel0 canvas").drawn.some(d => d.text === "quick 1")`)
	p.click("#titles button")
	const slide = `(s => { s.value = %s; s.dispatchEvent(new Event("input")); })($("#ago"))`
	// Some time after the first step, in seconds from the end, which is the last event.
	const firstStep = `(e => (e.findLast(e => e[1] === "scene")[2].steps[0] + 700 - e.at(-1)[0]) / 1000)(recordings.acts[%d].events)`
	for i := range js[int](p, `recordings.acts.length`) {
		asks := js[string](p, `$("#asks").innerText`)
		p.click("#choices button")
		p.see(`$("#play").innerText.startsWith("play again") && $("#why").innerText && $("#choices .right") && $("#choices [aria-pressed=true]")`)
		p.see(`$$("canvas[role]").some(c => c.drawn.some(d => /quick|slow|silent|half/.test(d.text)))`)
		js[any](p, slide, fmt.Sprintf(firstStep, i))
		p.see(`/^(1 of |$)/.test($("#caption").innerText) && $(".code b")`) // no caption after the last step; goroutine 1 stands on a line
		if i == 1 {
			const latest = `Math.max(0, ...$$("canvas[role]").flatMap(c => c.drawn.filter(d => d.rect).map(d => d.left + d.width)))`
			now := js[float64](p, latest)
			js[any](p, slide, "s.min")
			p.see(latest+" < %v", now)
		}
		p.click("#live")
		p.click("#next")
		p.see(`$("#asks").innerText !== %q`, asks)
	}
}
