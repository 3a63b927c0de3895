package browser

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// Goroutine 1 has a strip on the visitors' axis: the quick one waits exactly while it is not in Accept.
func TestStrip(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.lanes(0, 1, object{"name": "slow 1", "arrived": 1000, "served": 1000, "over": 5000, "kind": "is answered"},
		object{"name": "quick 1", "arrived": 2000, "served": 5000, "over": 5001, "kind": "is answered"})
	f.samples(0, object{"at": 0}, object{"at": 1000, "place": "handleConnection", "wait": "sleep", "lines1": []string{"main.go:5"}}, object{"at": 5001})
	f.now(9000)
	// The shade behind the visitors is where goroutine 1 is not in Accept, and the bar of slow is as wide.
	f.draws(0, `d.rect && d.alpha < 0.5`)
	shade := js[float64](f.page, `document.querySelector("#panel0 canvas").drawn.find(d => d.rect && d.alpha < 0.5).width`)
	bar := js[float64](f.page, `document.querySelector("#panel0 canvas").drawn.findLast(d => d.rect && d.alpha === 1 && d.width > 20).width`)
	if shade < bar-2 || shade > bar+2 {
		t.Errorf("goroutine 1 is away for %v pixels, and slow 1 is served for %v", shade, bar)
	}
	f.draws(0, `d.text?.startsWith("handleConnection")`)
	f.draws(0, `d.dashed && Math.abs(d.top - at("quick 1").top - at("quick 1").height / 2) < 2`) // who waits
	// In the others, nothing is known, and no shade is drawn.
	if got := f.drawn(1, "d.rect && d.alpha < 0.5"); got != "[]" {
		t.Errorf("panel 1 has shades: %s", got)
	}
}

// Each place of goroutine 1 has a pattern of its own.
func TestPlaces(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	patterns := map[string]bool{}
	for id, place := range []string{"Accept", "handleConnection", "await", "readRequest"} {
		f.lanes(id, 1, object{"name": "slow 1", "arrived": 1000, "kind": "arrives"})
		f.samples(id, object{"at": 1000, "place": place, "wait": ""})
	}
	f.lanes(4, 1, object{"name": "slow 1", "arrived": 1000, "kind": "arrives"})
	f.samples(4, object{"at": 1000, "state": "ended", "place": ""})
	f.now(4000)
	for id := range 5 {
		f.draws(id, `d.text === "slow 1"`)
		first := f.drawn(id, `Math.min(d.top, d.bottom ?? d.top) < 14 && !d.text`)
		var shapes []struct{ Rect, Frame, Line, Dashed bool }
		json.Unmarshal([]byte(first), &shapes)
		var pattern strings.Builder
		for i, s := range shapes {
			if i == 0 || s != shapes[i-1] {
				fmt.Fprint(&pattern, s)
			}
		}
		patterns[pattern.String()] = true
	}
	if len(patterns) != 5 {
		t.Errorf("the five places are drawn in %d patterns: %v", len(patterns), patterns)
	}
}

// Who is accepted and says nothing is hatched, and not drawn as being served.
func TestAccepted(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.lanes(0, 1, object{"name": "silent 1", "arrived": 1000, "accepted": 1500, "over": 5000, "kind": "leaves"})
	f.now(9000)
	f.draws(0, `d.text === "left"`)
	if got := f.drawn(0, `d.rect && d.alpha === 1`); got != "[]" {
		t.Errorf("silent 1 has a bar: %s", got)
	}
	if f.drawn(0, `d.line && !d.dashed && d.left !== d.right && d.top !== d.bottom`) == "[]" {
		t.Error("silent 1 is not hatched")
	}
}

// Threads are those that visitors hold.
func TestThreads(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.lanes(2, 1, object{"name": "silent 1", "arrived": 1000, "accepted": 1000, "kind": "is accepted"})
	f.samples(2, object{"at": 500}, object{"at": 1000, "threads": 206, "held": 200})
	f.now(3000)
	f.draws(2, `d.text === "+200"`)
	f.shows("#panel2 .rest", "+200 threads that visitors hold, of 206 in all")
}

// (1) After clear, start again and a scene, the axis begins where the server says, and now stands at 70 %.
func TestAxis(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	old := object{"name": "slow 1", "arrived": 1000, "served": 1000, "over": 3000, "kind": "is answered"}
	for id := range 5 {
		f.lanes(id, 1, old)
	}
	for id := range 5 {
		f.panel(id, object{"from": 60_000})
		f.lanes(id, 2, object{"name": "slow 2", "arrived": 61_000, "served": 61_000, "kind": "is being served"})
	}
	f.now(62_000)
	f.draws(0, `d.text === "0s" && at("slow 2") && !at("slow 1") && drawn.some(r => r.rect && r.alpha === 1 && Math.abs(r.left - d.left - d.width / 2) < 2)`)
	// Long after, the visitor's bar ends at 70 % of the room, and the axis has moved on.
	f.now(120_000)
	f.see(`(c => { const bar = c.drawn.find(d => d.rect && d.alpha === 1); return Math.abs((bar.left + bar.width - bar.left) / (c.clientWidth - 4 - bar.left) - 0.7) < 0.02 && !c.drawn.some(d => d.text === "0s"); })(document.querySelector("#panel0 canvas"))`)
}

// busy sends each panel all that it can have to show.
func (f *fake) busy() {
	long := strings.Repeat("a line of what the server or the stories say\n", 60)
	for id := range 5 {
		f.panel(id, object{"output": long, "progress": "checked at 12:00:00", "verdict": "stage3-spawned does not behave like stage 3.\n\n" + long, "tests": 14, "took": 9})
		f.lanes(id, 1, object{"name": "slow 123", "arrived": 1000, "served": 1000, "over": 3000, "kind": "is answered"},
			object{"name": "quick 4567", "arrived": 1500, "served": 3000, "over": 3001, "kind": "is answered"},
			object{"name": "silent 89", "arrived": 1600, "accepted": 1700, "kind": "is accepted"})
		f.samples(id, object{"at": 1000, "place": "handleConnection", "wait": "sleep", "threads": 10006, "held": 10000, "here": 10000, "accepted": 10000, "each": 23456,
			"more": 9940, "status": "It was interrupted 12 s ago, and goes on.", "counts": object{"is answered": 1234, "is dropped": 987, "is lost": 55}})
	}
	f.send("scene", `{"scene":0,"act":0,"stage":2,"chosen":0,"state":"done","from":1000,"steps":[1200,2400],"right":[1],"seen":[{"id":1,"seen":"slow 1 is answered; quick 1 is answered","why":"quick 1 waited 2.6 s; all that time goroutine 1 was in await [chan receive], so nobody was in Accept."}]}`)
	f.now(4000)
	f.draws(4, `d.text?.startsWith("slow")`)
}

// The lanes have half of the panel, whatever else is shown, and do not move.
func TestLanesFirst(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int64{{1280, 800}, {1024, 768}, {1920, 1080}} {
		f := startFake(t)
		f.size(size[0], size[1])
		const part = `Math.min(...[...document.querySelectorAll("article")].map(a => a.querySelector(".lanes").clientHeight / a.clientHeight))`
		const place = `[...document.querySelectorAll(".lanes")].flatMap(l => [l.offsetTop, l.clientHeight])`
		f.busy()
		before, busy := js[[]float64](f.page, place), js[float64](f.page, part)
		for id := range 5 {
			f.panel(id, object{"tests": 14, "took": 9})
		}
		f.send("scene", "null")
		f.see(`!document.querySelector(".report").innerText`)
		after := js[[]float64](f.page, place)
		// Of parts of a pixel the browser makes whole ones, up or down.
		same := slices.EqualFunc(before, after, func(a, b float64) bool { return math.Abs(a-b) <= 1 })
		if busy < 0.5 || !same {
			t.Errorf("at %v the lanes have %.2f of the panel, and are at %v, and without words at %v", size, busy, before, after)
		}
		const names = `Math.min(...[...document.querySelectorAll("canvas[role]")].flatMap(c => c.drawn.filter(d => /^(slow|quick|silent)/.test(d.text)).map(d => d.size)))`
		if got := js[float64](f.page, names); size[0] == 1920 && got < 20 {
			t.Errorf("at %v names are written in %v px", size, got)
		}
	}
}

// (12) No text is written over another, and names keep their room.
func TestTexts(t *testing.T) {
	t.Parallel()
	f := startFake(t, 1, 2, 3, 4, 5, 0)
	f.busy()
	for _, size := range [][2]int64{{1280, 800}, {1024, 768}, {1920, 1080}, {390, 800}, {960, 540}} {
		f.size(size[0], size[1])
		f.see(`[...document.querySelectorAll("canvas[role]")].every(c => c.drawnSize === c.parentElement.clientWidth + "x" + c.parentElement.clientHeight)`)
		over := js[string](f.page, `[...document.querySelectorAll("canvas[role]")].flatMap(c => {
			const texts = c.drawn.filter(d => d.text && d.color !== undefined);
			return texts.flatMap((a, i) => texts.slice(i + 1).filter(b => a.left < b.left + b.width - 1 && b.left < a.left + a.width - 1 &&
				a.top < b.top + b.height - 2 && b.top < a.top + a.height - 2).map(b => a.text + " / " + b.text)
				.concat(a.left + a.width > c.clientWidth + 2 ? [a.text + " is cut off"] : []));
		}).join(", ")`)
		if over != "" {
			t.Errorf("at %v texts are over one another: %s", size, over)
		}
		wide := js[string](f.page, `[...document.querySelectorAll("article, .name, .state")].filter(e => e.getBoundingClientRect().right > e.closest("article").getBoundingClientRect().right + 1).map(e => e.className).join()`)
		if wide != "" {
			t.Errorf("at %v %s is wider than its panel", size, wide)
		}
	}
}

// (10) Of a crowd, who came first is drawn, and how many have no lane is said.
func TestCrowd(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	var crowd []object
	for i := range 60 {
		crowd = append(crowd, object{"name": fmt.Sprintf("silent %d", i+1), "arrived": 1000, "accepted": 1001, "kind": "is accepted"})
	}
	f.lanes(2, 1, crowd...)
	f.lanes(2, 61, object{"name": "quick 1", "arrived": 2000, "served": 2000, "over": 2001, "kind": "is answered"})
	f.samples(2, object{"at": 1000, "here": 200, "more": 140, "accepted": 200})
	f.now(4000)
	f.draws(2, `d.text === "and 140 more"`)
	f.draws(2, `d.text === "60" || d.text === "60 silent"`)
	f.draws(2, `d.text === "quick 1"`)
	f.draws(2, `d.dashed && d.top < at("quick 1").top`)
}

// (5) The canvas has a pixel for each of the screen's after every change of layout, without an event.
func TestSharp(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.now(1000)
	for _, width := range []int64{1280, 1283, 1111, 1919} {
		f.size(width, 800)
		f.see(`[...document.querySelectorAll("canvas[role]")].every(c => c.width === c.pixels[0] && c.height === c.pixels[1] &&
			Math.abs(c.width - c.getBoundingClientRect().width) < 1)`)
	}
	f.click("#panel1 .name")
	f.see(`document.querySelector("#panel1 canvas").width > 600`)
}

// A server that is chosen is as wide as one alone. The others shrink to their lanes and are not dimmed.
func TestChoose(t *testing.T) {
	t.Parallel()
	alone := startFake(t, 3)
	f := startFake(t)
	const width = `document.querySelector("#panel%d").clientWidth`
	f.click("#panel2 .name")
	f.see(width+` === %d`, 2, js[int](alone.page, width, 0))
	f.see(`[...document.querySelectorAll("article:not(.chosen)")].every(a => a.querySelector(".lanes").clientHeight > 80 && getComputedStyle(a).opacity === "1" && !a.querySelector(".rest").offsetParent)`)
	f.shows("#to", "3 spawned")
	f.press("o")
	f.press("q")
	f.posted(`send {"to":3,"kind":"quick","n":1}`)
}

// The goroutines stand on the lines of the loop, and in the margin of the source.
func TestCode(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.samples(2, object{"at": 1000, "lines": object{"main.go:5": []int{200, 200, 0}, "http.go:1": []int{2, 0, 2}}})
	f.samples(3, object{"at": 1000, "lines": object{"main.go:5": []int{2, 0, 0}}})
	f.now(2000)
	f.shows("#panel2 .code .on", "1")
	for panel, want := range map[int]string{2: "●200", 3: "○○"} {
		f.shows(fmt.Sprintf("#panel%d .code li[data-line='5'] .margin", panel), want)
	}
	f.click("#panel2 .source")
	f.see(`document.querySelectorAll("#source li").length === 7`)
	f.shows("#source li[data-line='4'] .margin", "1")
	js[any](f.page, `[...document.querySelectorAll("#source button")].find(b => b.textContent === "http.go").click()`)
	f.shows("#source li[data-line='1'] .margin", "○○")
}

// Pause, slider and slow motion go for lanes, strips and marks together.
func TestTime(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.lanes(0, 1, object{"name": "slow 1", "arrived": 1000, "served": 1000, "over": 3000, "kind": "is answered"})
	f.samples(0, object{"at": 0}, object{"at": 1000, "place": "handleConnection", "lines1": []string{"main.go:5"}}, object{"at": 3000})
	f.now(6000)
	f.draws(0, `d.text === "answered"`)
	f.shows("#panel0 .code li[data-line='4'] .margin", "1")
	f.see(`document.body.classList.contains("cut")`) // now stands still, three seconds on
	js[any](f.page, `(s => { s.value = -7; s.dispatchEvent(new Event("input")); })(document.querySelector("#ago"))`)
	f.see(`!document.querySelector("#panel0 canvas").drawn.some(d => d.text === "answered" || d.text?.startsWith("Accept ["))`)
	f.shows("#panel0 .code li[data-line='5'] .margin", "1")
	f.shows("#when", "s ago")
	f.click("#slowly")
	f.see(`document.querySelector("#slowly").ariaPressed === "true" && document.querySelector("#pause").ariaPressed === "false"`)
	f.click("#live")
	f.draws(0, `d.text === "answered"`)
	f.press(" ")
	f.see(`document.querySelector("#pause").ariaPressed === "true"`)
}

// (15) A lab that is stopped, or gone, draws no bar on, and the page says so until it is back.
func TestCut(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.lanes(0, 1, object{"name": "slow 1", "arrived": 1000, "served": 1000, "kind": "is being served"})
	f.now(2000)
	f.draws(0, `d.rect && d.alpha === 1`)
	f.shows("#line", "does not answer")
	const bar = `document.querySelector("#panel0 canvas").drawn.find(d => d.rect && d.alpha === 1).width`
	const seconds = 8 // on the axis
	f.see(bar+` < document.querySelector("#panel0 canvas").clientWidth * 5 / %d`, seconds)
	before := js[float64](f.page, bar)
	js[any](f.page, `new Promise(done => setTimeout(done, 500))`)
	if after := js[float64](f.page, bar); after != before {
		t.Errorf("the bar grows from %v to %v while the lab is silent", before, after)
	}
	f.now(2100)
	f.see(`!document.querySelector("#line").innerText && !document.body.classList.contains("cut")`)
}

// For those who want less motion, a bar that grows is drawn once a second.
func TestReducedMotion(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.prefers("prefers-reduced-motion", "reduce")
	f.lanes(0, 1, object{"name": "slow 1", "arrived": 1000, "served": 1000, "kind": "is being served"})
	f.now(2000)
	f.draws(0, `d.rect && d.alpha === 1`)
	// In the two seconds after that.
	widths := js[int](f.page, `new Promise(done => {
		const canvas = document.querySelector("#panel0 canvas"), seen = new Set(), began = performance.now();
		const look = () => {
			seen.add(canvas.drawn.find(d => d.rect && d.alpha === 1)?.width);
			if (performance.now() - began < 2000) requestAnimationFrame(look);
			else done(seen.size);
		};
		look();
	})`)
	if widths > 4 {
		t.Errorf("in two seconds the bar has %d widths", widths)
	}
}
