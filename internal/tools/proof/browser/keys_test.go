package browser

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// key sends a keydown event with properties to the element that has the focus.
func (f fake) key(properties string) {
	f.Helper()
	js[any](f.page, `document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, cancelable: true, %s })) && 0`, properties)
}

// (4, 6, 14) A key works while its button is in sight: a and c end no server while a scene is shown, and answers have digits.
// After an answer the focus stays where it was, and a scene can be stopped. Keys go with CapsLock and AltGr, not when held
// down, and can be switched off. A server that is chosen has the width of all; the others shrink to their lanes and are not dimmed.
func TestKeys(t *testing.T) {
	t.Parallel()
	f := openFake(t)
	f.key(`key: "a"`)
	f.key(`key: "c"`)
	js[any](f.page, `$("#choices button").focus()`)
	f.key(`key: "1"`)
	f.posted(`play {"scene":0,"act":0,"stage":2}`)
	f.send("scene", `{"scene":0,"act":0,"stage":2,"state":"playing","from":1000,"steps":[1200]}`)
	f.now(2000)
	f.shows("#caption", "1 of 2: A slow visitor comes.")
	f.shows("#play", "stop")
	f.key(`key: "p"`)
	f.posted("stop")
	f.send("scene", `{"scene":0,"act":0,"stage":2,"state":"done","from":1000,"steps":[1200,2400],"right":[1],"seen":[]}`)
	f.shows("#choices button", "✗")
	f.see(`document.activeElement === $("#choices button")`)
	f.press("o")
	f.key(`key: "q", repeat: true`)
	f.key(`key: "q", ctrlKey: true`)
	f.key(`key: "Q", modifierCapsLock: true`)
	f.key(`key: "\\", ctrlKey: true, altKey: true, modifierAltGraph: true`)
	f.key(`key: "3"`)
	f.key(`key: "c"`)
	f.posted(`interrupt {"to":3`)
	f.see(`$("#panel2").offsetWidth === $("#panels").offsetWidth`)
	f.see(`$$("article:not(.chosen)").every(a => a.querySelector(".lanes").clientHeight > 80 && getComputedStyle(a).opacity === "1" && !a.querySelector(".rest").offsetParent)`)
	f.click("#keys")
	f.key(`key: "s"`)
	f.click("#keys")
	f.key(`key: "s"`)
	f.posted(`"slow"`)
	const want = `play {"scene":0,"act":0,"stage":2}
stop {}
send {"to":0,"kind":"quick","n":1}
quit {"to":0,"n":0}
interrupt {"to":3,"n":0}
send {"to":3,"kind":"slow","n":1}`
	if got := js[string](f.page, `fake.posts.join("\n")`); got != want {
		t.Errorf("the keys have sent\n%s\nwant\n%s", got, want)
	}
	f.see(`$$("button kbd").every(k => k.ariaHidden === "true")`) // names have no keys in them
}

// (2, 7, 8, 14) What a server says leads with the cause, hides nothing that is counted, goes with the server, and is said in a
// live region, as is how a visit ended.
func TestReport(t *testing.T) {
	t.Parallel()
	f := openFake(t)
	js[any](f.page, `new MutationObserver(() => { fake.spoken += $("#spoken").textContent; }).observe($("#spoken[aria-live]"), { childList: true, subtree: true })`)
	f.samples(0, object{"at": 1000, "threads": 10006, "held": 10000, "each": 23000})
	f.panel(0, object{"verdict": "stage1-blocking does not behave like stage 1.\n\npages/hello\n  the home page: no answer",
		"output": "runtime: program exceeds 10000-thread limit"})
	f.now(2000)
	f.lanes(0, 1, object{"name": "slow 1", "arrived": 1000, "served": 1000, "over": 1900, "kind": "is answered"})
	f.shows("#panel0 .cause", "no answer")
	order := js[string](f.page, `$$("#panel0 .report > *").map(e => e.className).join(" ")`)
	if order != "no cause output" {
		t.Errorf("the report comes in the order %q", order)
	}
	f.see(`(r => r("#panel0 .cause").bottom <= r("#panel0 .rest").bottom)(q => $(q).getBoundingClientRect())`)
	f.shows("#panel0 .rest", "+10,000 threads")
	f.shows("#panel0 .rest", "23.0 kB")
	// Ended with status 0 is not in red, ended by a signal is; nor is one green that does not compile.
	f.panel(3, object{"state": "ended", "well": true})
	f.samples(3, object{"at": 2000, "state": "ended", "status": "It has ended: exit status 0."})
	f.panel(2, object{"state": "ended"})
	f.samples(2, object{"at": 2000, "state": "ended", "status": "It has ended: signal: interrupt."})
	f.see(`["does not behave like stage 1", "10000-thread limit", "slow 1 is answered after 0.9 seconds", "signal: interrupt"].every(w => fake.spoken.includes(w))`)
	f.panel(0, object{})
	f.see(`!$("#panel0 .report").textContent`)
	f.panel(1, object{"stale": true, "output": "undefined: con"})
	f.shows("#panel3 .state", "exit status 0")
	f.shows("#panel2 .state", "signal: interrupt")
	colors := strings.Fields(js[string](f.page, `[0, 1, 2, 3].map(i => getComputedStyle($("#panel" + i + " .state"), "::before").color.replaceAll(" ", "")).join(" ")`))
	if colors[0] != colors[3] || colors[1] != colors[2] || colors[0] == colors[1] {
		t.Errorf("signs of: runs, does not compile, interrupted, ended well: %q", colors)
	}
	// What is chosen is seen without colors.
	f.prefers("forced-colors", "active")
	f.click("#panel1 .name")
	f.see(`(s => s("#panel1 .name").backgroundColor !== s("#panel2 .name").backgroundColor)(q => getComputedStyle($(q)))`)
}

// (15) A page that nobody sees gives up its stream; emptying a field sets nothing; a reload
// does not open what was played before.
func TestSmall(t *testing.T) {
	t.Parallel()
	f := openFake(t)
	hide := func(is string) {
		js[any](f.page, `Object.defineProperty(document, "hidden", { configurable: true, value: %s }) && document.dispatchEvent(new Event("visibilitychange"))`, is)
	}
	hide("true")
	f.see(`fake.streams.size === 0`)
	hide("false")
	f.see(`fake.streams.size === 1`)
	f.press("o")
	js[any](f.page, `(i => { i.value = ""; i.dispatchEvent(new Event("change", { bubbles: true })); })($("[name=slow]")) || document.activeElement.blur()`)
	f.see(`$("[name=slow]").value === "2"`)
	f.press("q")
	f.posted("quick")
	if got := js[string](f.page, `fake.posts.join("\n")`); strings.Contains(got, "set") {
		t.Errorf("the page has sent %s", got)
	}
	f.do(chromedp.Reload())
	f.start()
	f.send("scene", `{"scene":1,"act":0,"stage":1,"state":"done","from":1000,"steps":[1200],"right":[0],"seen":[]}`)
	f.shows("#asks", "Who is answered first?")
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
	f := openFake(t)
	f.busy()
	js[any](f.page, "%s; 0", readFile(t, filepath.Join(folder, "node_modules/axe-core/axe.min.js")))
	for _, scheme := range []string{"light", "dark"} {
		f.prefers("prefers-color-scheme", scheme)
		for _, press := range []string{"#next", "[data-tab=hand]", "#panel1 .name", "#panel1 .source", "#shut", "[data-tab=scenes]"} {
			f.click(press)
			found := js[string](f.page, `axe.run().then(r => r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html.slice(0, 120) + " " + (n.any[0]?.message ?? "")).join("\n  ")).join("\n"))`)
			if found != "" {
				t.Errorf("%s, after %s:\n%s", scheme, press, found)
			}
		}
	}
}
