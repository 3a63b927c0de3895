package browser

import (
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// A scene is played by the real servers, and in the end the page has the answer that was right, and why.
func TestScene(t *testing.T) {
	t.Parallel()
	p := openLab(t)
	p.click("#titles li:nth-child(2) button")
	p.click("#choices button")
	p.see(`document.querySelector("#caption").innerText.startsWith("1 of ")`)
	p.see(`document.querySelector("#play").innerText.startsWith("play again")`)
	p.see(`document.querySelectorAll("#choices .right").length === 1`)
	p.see(`document.querySelector("#why").innerText && document.querySelector("#outcome").innerText.startsWith("What happened: slow 1 comes; ")`)
}

// A page is read beside its panel: its links, its excerpts, its sessions and its questions lead to where they should.
func TestBeside(t *testing.T) {
	t.Parallel()
	p := openLab(t, "-stage", "1")
	js[any](p, `document.querySelector("#panel0 .page").focus()`)
	p.click("#panel0 .page")
	p.shows("#book h1", "Stage 1")
	p.see(`document.querySelector("#panel0 .lanes").clientHeight > 150 && innerWidth > document.querySelector("#beside").getBoundingClientRect().left + 300`)
	// An excerpt that has the focus lights its lines.
	p.see(`document.querySelector("#book .excerpt")`)
	js[any](p, `document.querySelector("#book .excerpt").focus()`)
	p.see(`(lit => lit.length > 3 && lit.every(l => document.querySelector("#book .excerpt").textContent.includes(l.querySelector("code").textContent.trim())))([...document.querySelectorAll("#source .lit")])`)
	// A session's visitor comes to the stage.
	js[any](p, `[...document.querySelectorAll("#book button")].find(b => b.innerText.startsWith("send this visitor (quick)")).click()`)
	p.see(`document.querySelector("#panel0 [data-visitor='quick 1'][data-kind='is answered']")`)
	// The questions are those of the scenes.
	js[any](p, `[...document.querySelectorAll("#book button")].find(b => b.innerText.startsWith("Guess: Twenty slow")).click()`)
	p.shows("#asks", "Twenty slow")
	// Keys work while the page has the focus.
	js[any](p, `document.querySelector("#book").focus()`)
	p.press("o")
	p.press("s")
	p.see(`document.querySelector("#panel0 [data-visitor='slow 1']")`)
	// A term of the glossary, a folder, a line of a source, and back.
	follow := func(link string) {
		t.Helper()
		p.see(`document.querySelector("#book a[href*='%s']")`, link)
		p.click(fmt.Sprintf("#book a[href*='%s']", link))
	}
	follow("glossary.md#backlog")
	p.see(`(t => t && Math.abs(t.getBoundingClientRect().top - document.querySelector("#book").getBoundingClientRect().top) < 200)(document.querySelector("#at-backlog"))`)
	p.do(chromedp.NavigateBack())
	p.shows("#book h1", "Stage 1")
	follow("/stage1-blocking/main.go#L")
	p.see(`document.querySelector("#source .lit")`)
	if js[bool](p, `[...document.querySelectorAll("#book a")].filter(a => a.origin !== location.origin).some(a => a.target !== "_blank")`) {
		t.Error("a link to another site does not open a tab")
	}
	// Esc closes, and the focus is where it was.
	p.press("\x1b")
	p.see(`document.querySelector("#beside").hidden && document.activeElement === document.querySelector("#panel0 .page")`)
	p.do(chromedp.Reload())
	p.see(`document.querySelector("article") && document.querySelector("#beside").hidden`)
}

// The lab's picture is one of 50 slow visitors: a staircase in stages 1 and 2, and a wall in the others. It is made if it is
// asked for: make figures.
func TestPicture(t *testing.T) {
	if *picture == "" {
		return
	}
	p := openLab(t)
	p.size(1280, 800)
	p.press("o")
	js[any](p, `(i => { i.value = 1; i.dispatchEvent(new Event("change", { bubbles: true })); })(document.querySelector("[name=slow]"))`)
	p.see(`import("/base.js").then(m => m.state.panels.every(p => p.view.slow === 1 && p.view.state === "running"))`)
	p.press("f")
	const staircase = 11 // visitors, one a second, with whom the axis still has its beginning
	p.see(`document.querySelectorAll("#panel0 [data-kind='is answered']").length >= %d`, staircase)
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(*picture, png, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}
