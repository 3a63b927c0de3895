package browser

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// key sends a keydown event with properties to the element that has the focus.
func (f *fake) key(properties string) {
	f.Helper()
	js[any](f.page, `document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, cancelable: true, %s })) && 0`, properties)
}

// (4) A key works while its button is in sight: a and c end no server while a scene is shown, and answers have digits.
// Keys go with CapsLock and AltGr, not when held down, and can be switched off.
func TestKeys(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.key(`key: "a"`)
	f.key(`key: "c"`)
	f.key(`key: "2"`)
	f.posted(`play {"scene":0,"act":0,"stage":2,"chosen":1}`)
	f.press("o")
	f.key(`key: "q", repeat: true`)
	f.key(`key: "q", ctrlKey: true`)
	f.key(`key: "Q", modifierCapsLock: true`)
	f.key(`key: "\\", ctrlKey: true, altKey: true, modifierAltGraph: true`)
	f.key(`key: "3"`)
	f.key(`key: "c"`)
	f.posted(`interrupt {"to":3`)
	f.click("#keys")
	f.key(`key: "s"`)
	f.click("#keys")
	f.key(`key: "s"`)
	f.posted(`"slow"`)
	const want = `play {"scene":0,"act":0,"stage":2,"chosen":1}
send {"to":0,"kind":"quick","n":1}
quit {"to":0,"n":0}
interrupt {"to":3,"n":0}
send {"to":3,"kind":"slow","n":1}`
	if got := f.allPosts(); got != want {
		t.Errorf("the keys have sent\n%s\nwant\n%s", got, want)
	}
}

// (6, 14) After an answer the focus stays where it was, and a scene can be stopped.
func TestFocus(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	js[any](f.page, `document.querySelector("#choices button").focus()`)
	f.click("#choices button")
	f.posted("play")
	f.send("scene", `{"scene":0,"act":0,"stage":2,"chosen":0,"state":"playing","from":1000,"steps":[1200]}`)
	f.now(2000)
	f.shows("#caption", "1 of 2: A slow visitor comes.")
	f.see(`document.activeElement === document.querySelector("#choices button")`)
	f.shows("#play", "stop")
	f.press("p")
	f.posted("stop")
	f.send("scene", `{"scene":0,"act":0,"stage":2,"chosen":0,"state":"done","from":1000,"steps":[1200,2400],"right":[1],"seen":[]}`)
	f.shows("#choices button", "✗")
	f.see(`document.activeElement === document.querySelector("#choices button")`)
}

// (14) Names have no key in them, and what is chosen is said and seen without colors.
func TestNames(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.press("o")
	f.click("#panel1 .name")
	type node struct{ name, role string }
	names := map[node]bool{}
	f.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		tree, err := cdp.Call(ctx, target, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			return err
		}
		for _, n := range tree.Nodes {
			if n.Name != nil && n.Role != nil {
				names[node{strings.Trim(string(n.Name.Value), `" `), strings.Trim(string(n.Role.Value), `"`)}] = true
			}
		}
		return nil
	}))
	for _, want := range []string{"quick", "Ctrl-C", "verdict", "by hand", "pause", "2 sequential-async"} {
		if !names[node{want, "button"}] {
			t.Errorf("no button is called %q", want)
		}
	}
	f.prefers("forced-colors", "active")
	f.see(`(s => s("#panel1 .name").backgroundColor !== s("#panel2 .name").backgroundColor)(q => getComputedStyle(document.querySelector(q)))`)
	if got := js[string](f.page, `getComputedStyle(document.querySelector("#panel2 .name")).backgroundColor`); strings.Contains(got, "246") {
		t.Errorf("forced colors are not in force: %s", got)
	}
}

// (14) A verdict, last words and how a visit ended are said in a live region.
func TestSpoken(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.now(2000)
	f.panel(2, object{"verdict": "stage3-spawned behaves like stage 3.", "ok": true, "output": "runtime: program exceeds 10000-thread limit"})
	f.lanes(2, 1, object{"name": "slow 1", "arrived": 1000, "served": 1000, "over": 1900, "kind": "is answered"})
	f.samples(2, object{"at": 1950, "state": "ended", "status": "It has ended: exit status 2."})
	f.see(`["behaves like stage 3", "10000-thread limit", "slow 1 is answered after 0.9 seconds", "exit status 2"].every(w => document.querySelector("#spoken[aria-live]").textContent.includes(w))`)
}

// (2, 7, 8) What a server says leads with the cause, hides nothing that is counted, and goes with the server.
func TestReport(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.samples(0, object{"at": 1000, "threads": 10006, "held": 10000, "each": 23000})
	f.panel(0, object{"verdict": "stage1-blocking does not behave like stage 1.\n\npages/hello\n  the home page: no answer",
		"output": "runtime: program exceeds 10000-thread limit"})
	f.now(2000)
	f.shows("#panel0 .cause", "no answer")
	order := js[string](f.page, `[...document.querySelectorAll("#panel0 .report > *")].map(e => e.className).join(" ")`)
	if order != "no cause output" {
		t.Errorf("the report comes in the order %q", order)
	}
	f.see(`(r => r("#panel0 .cause").bottom <= r("#panel0 .rest").bottom)(q => document.querySelector(q).getBoundingClientRect())`)
	f.shows("#panel0 .rest", "+10,000 threads")
	f.shows("#panel0 .rest", "23.0 kB")
	f.panel(0, object{})
	f.see(`!document.querySelector("#panel0 .report").textContent`)
	// Ended with status 0 is not in red, ended by a signal is; nor is one green that does not compile.
	f.panel(3, object{"state": "ended", "well": true})
	f.samples(3, object{"at": 2000, "state": "ended", "status": "It has ended: exit status 0."})
	f.panel(2, object{"state": "ended"})
	f.samples(2, object{"at": 2000, "state": "ended", "status": "It has ended: signal: interrupt."})
	f.panel(1, object{"stale": true, "output": "undefined: con"})
	f.shows("#panel3 .state", "exit status 0")
	f.shows("#panel2 .state", "signal: interrupt")
	colors := strings.Fields(js[string](f.page, `[0, 1, 2, 3].map(i => getComputedStyle(document.querySelector("#panel" + i + " .state"), "::before").color.replaceAll(" ", "")).join(" ")`))
	if colors[0] != colors[3] || colors[1] != colors[2] || colors[0] == colors[1] {
		t.Errorf("signs of: runs, does not compile, interrupted, ended well: %q", colors)
	}
}

// (14) At 200 % zoom the lanes have room.
func TestZoom(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	for _, size := range [][2]int64{{640, 400}, {960, 540}, {390, 844}} {
		f.size(size[0], size[1])
		f.see(`[...document.querySelectorAll(".lanes")].every(l => l.clientHeight >= 200)`)
		if over := js[int](f.page, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
			t.Errorf("at %v the page is %d px too wide", size, over)
		}
	}
}

// (15) A page that nobody sees gives up its stream; emptying a field sets nothing; a message goes by itself; a reload
// does not open what was played before.
func TestSmall(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.mu.Lock()
	f.beats = true
	f.mu.Unlock()
	hide := func(is string) {
		js[any](f.page, `Object.defineProperty(document, "hidden", { configurable: true, value: %s }) && document.dispatchEvent(new Event("visibilitychange"))`, is)
	}
	streams := func(want int) {
		f.until("streams", func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.streams == want
		})
	}
	streams(1)
	hide("true")
	streams(0)
	hide("false")
	streams(1)
	f.see(`document.querySelectorAll("article").length === 5`)
	f.press("o")
	js[any](f.page, `(i => { i.value = ""; i.dispatchEvent(new Event("change", { bubbles: true })); })(document.querySelector("[name=slow]")) || document.activeElement.blur()`)
	f.see(`document.querySelector("[name=slow]").value === "2"`)
	f.press("k")
	f.shows("#line", "one server only")
	f.press("q")
	f.posted("quick")
	if got := f.allPosts(); strings.Contains(got, "set") || strings.Contains(got, "10000") {
		t.Errorf("the page has sent %s", got)
	}
	f.send("scene", `{"scene":1,"act":0,"stage":1,"chosen":0,"state":"done","from":1000,"steps":[1200],"right":[0],"seen":[]}`)
	f.do(chromedp.Reload())
	f.see(`document.querySelectorAll("article").length === 5 && document.querySelector("#asks").innerText.includes("Who is answered first?")`)
	f.see(`!document.querySelector("#line").innerText`)
}

// axe finds nothing, in either scheme.
func TestAxe(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("there is no npm here")
	}
	folder := t.TempDir()
	if out, err := exec.Command("npm", "install", "--silent", "--prefix", folder, "axe-core@4").CombinedOutput(); err != nil {
		t.Fatalf("npm install axe-core: %v\n%s", err, out)
	}
	f := startFake(t)
	f.busy()
	axe := readFile(t, filepath.Join(folder, "node_modules/axe-core/axe.min.js"))
	js[any](f.page, "%s; 0", axe)
	for _, scheme := range []string{"light", "dark"} {
		f.prefers("prefers-color-scheme", scheme)
		for _, step := range []string{`0`, `document.querySelector("[data-tab=hand]").click()`, `document.querySelector("#panel1 .name").click()`,
			`document.querySelector("#panel1 .source").click()`, `document.querySelector("#shut").click()`, `document.querySelector("[data-tab=scenes]").click()`} {
			js[any](f.page, "%s", step)
			found := js[string](f.page, `axe.run().then(r => r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html.slice(0, 120) + " " + (n.any[0]?.message ?? "")).join("\n  ")).join("\n"))`)
			if found != "" {
				t.Errorf("%s, after %s:\n%s", scheme, step, found)
			}
		}
	}
}
