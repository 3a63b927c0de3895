package browser

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// Goroutine 1 has a strip on the visitors' axis: the quick one waits exactly while it is not in Accept.
func TestStrip(t *testing.T) {
	t.Parallel()
	f := openFake(t)
	f.lanes(0, 1, object{"name": "slow 1", "arrived": 1000, "served": 1000, "over": 5000, "kind": "is answered"},
		object{"name": "quick 1", "arrived": 2000, "served": 5000, "over": 5001, "kind": "is answered"})
	f.samples(0, object{"at": 0}, object{"at": 1000, "place": "handleConnection", "wait": "sleep", "stack": []string{"main.go:5"}}, object{"at": 5001})
	f.now(9000)
	// The shade behind the visitors is where goroutine 1 is not in Accept, and the bar of slow is as wide.
	f.draws(0, `shade(d) && Math.abs(d.width - drawn.findLast(d => bar(d) && d.width > 20).width) <= 2`)
	f.draws(0, `d.text?.startsWith("handleConnection")`)
	f.draws(0, `d.dashed && Math.abs(d.top - at("quick 1").top - at("quick 1").height / 2) < 2`) // it waits
	f.draws(1, `d.text && !drawn.some(shade)`)                                                   // nothing is known of it
}

// Each place of goroutine 1 has a pattern of its own.
func TestPlaces(t *testing.T) {
	t.Parallel()
	f := openFake(t)
	const slanted = `d.line && d.top !== d.bottom && Math.min(d.top, d.bottom) < 14`
	places := []struct{ place, state, drawn string }{
		{"Accept", "running", `d.frame && d.top < 14 && !drawn.some(d => d.rect)`},
		{"handleConnection", "running", `bar(d) && d.top < 14`},
		{"await", "running", slanted},
		{"readRequest", "running", `d.frame && d.top < 14 && drawn.some(shade) && !drawn.some(d => bar(d) || ` + slanted + `)`},
		{"", "ended", `d.line && d.dashed && d.top === d.bottom && d.top < 14 && !drawn.some(d => d.rect || d.frame)`},
	}
	for id, p := range places {
		f.samples(id, object{"at": 1000, "place": p.place, "wait": "", "state": p.state})
	}
	f.now(4000)
	for id, p := range places {
		f.draws(id, p.drawn)
	}
}

// (10) A visitor who is accepted and silent is hatched; of a crowd, the first are drawn, and how many have no lane is said;
// threads are those that visitors hold; and the goroutines stand on the lines of the loop, and in the margin of the source.
func TestLanes(t *testing.T) {
	t.Parallel()
	f := openFake(t)
	f.lanes(0, 1, object{"name": "silent 1", "arrived": 1000, "accepted": 1500, "over": 3000, "kind": "leaves"})
	for i := range 60 {
		f.lanes(2, i+1, object{"name": fmt.Sprintf("silent %d", i+1), "arrived": 1000, "accepted": 1001, "kind": "is accepted"})
	}
	f.lanes(2, 61, object{"name": "quick 1", "arrived": 2000, "served": 2000, "over": 2001, "kind": "is answered"})
	f.samples(2, object{"at": 500}, object{"at": 1000, "here": 200, "more": 140, "accepted": 200, "threads": 206, "held": 200,
		"lines": object{"main.go:5": []int{200, 200, 0}, "http.go:1": []int{2, 0, 2}}})
	f.samples(3, object{"at": 1000, "lines": object{"main.go:5": []int{2, 0, 0}}})
	f.now(4000)
	f.draws(0, `at("left") && d.line && !d.dashed && d.left !== d.right && d.top !== d.bottom && !drawn.some(bar)`)
	f.draws(2, `at("and 140 more") && (at("60") || at("60 silent")) && d.dashed && d.top < at("quick 1").top`)
	f.draws(2, `d.text === "+200"`)
	f.shows("#panel2 .rest", "+200 threads that visitors hold, of 206 in all")
	f.shows("#panel2 .code .on", "1")
	f.shows("#panel2 .code li[data-line='5'] .margin", "●200")
	f.shows("#panel3 .code li[data-line='5'] .margin", "○○")
	f.click("#panel2 .source")
	f.see(`$$("#source li").length === 7`)
	f.shows("#source li[data-line='4'] .margin", "1")
	js[any](f.page, `$$("#source button").find(b => b.textContent === "http.go").click()`)
	f.shows("#source li[data-line='1'] .margin", "○○")
}

// (1) After clear, start again and a scene, the axis begins where the server says, and now stands at 70 %.
func TestAxis(t *testing.T) {
	t.Parallel()
	f := openFake(t)
	for id := range 5 {
		f.lanes(id, 1, object{"name": "slow 1", "arrived": 1000, "served": 1000, "over": 3000, "kind": "is answered"})
	}
	for id := range 5 {
		f.panel(id, object{"from": 60_000})
		f.lanes(id, 2, object{"name": "slow 2", "arrived": 61_000, "served": 61_000, "kind": "is being served"})
	}
	f.now(62_000)
	f.draws(0, `d.text === "0s" && at("slow 2") && !at("slow 1") && drawn.some(r => bar(r) && Math.abs(r.left - d.left - d.width / 2) < 2)`)
	// Long after, the visitor's bar ends at 70 % of the room, and the axis has moved on.
	f.now(120_000)
	f.see(`(c => { const bar = c.drawn.find(d => d.rect && d.alpha === 1); return Math.abs(bar.width / (c.clientWidth - 4 - bar.left) - 0.7) < 0.02 && !c.drawn.some(d => d.text === "0s"); })($("#panel0 canvas"))`)
}

// busy sends each panel all that it can have to show.
func (f fake) busy() {
	long := strings.Repeat("a line of what the server or the scripts print\n", 60)
	for id := range 5 {
		f.panel(id, object{"output": long, "progress": "checked at 12:00:00", "verdict": "stage3-spawned does not behave like stage 3.\n\n" + long, "tests": 14, "took": 9})
		f.lanes(id, 1, object{"name": "slow 123", "arrived": 1000, "served": 1000, "over": 3000, "kind": "is answered"},
			object{"name": "quick 4567", "arrived": 1500, "served": 3000, "over": 3001, "kind": "is answered"},
			object{"name": "silent 89", "arrived": 1600, "accepted": 1700, "kind": "is accepted"})
		f.samples(id, object{"at": 1000, "place": "handleConnection", "wait": "sleep", "threads": 10006, "held": 10000, "here": 10000, "accepted": 10000, "each": 23456,
			"more": 9940, "status": "It was interrupted 12 s ago, and goes on.", "counts": object{"is answered": 1234, "is dropped": 987, "is lost": 55}})
	}
	f.send("scene", `{"scene":0,"act":0,"stage":2,"state":"done","from":1000,"steps":[1200,2400],"right":[1],"seen":[{"id":1,"seen":"slow 1 is answered; quick 1 is answered","why":"quick 1 waited 2.6 s; all that time goroutine 1 was in await [chan receive], so nobody was in Accept."}]}`)
	f.now(4000)
	f.draws(4, `d.text?.startsWith("slow")`)
}

// (5, 12, 14) At every size, and at 200 % zoom, the lanes have room, whatever else is shown; no text is written over
// another, or out of its panel; and the canvas has a pixel for each of the screen's.
func TestLayout(t *testing.T) {
	t.Parallel()
	f := openFake(t)
	f.panel(5, object{}) // a server of the reader's own
	f.busy()
	const place = `$$(".lanes").flatMap(l => [l.offsetTop, l.clientHeight])`
	for _, size := range [][2]int64{{1280, 800}, {1024, 768}, {1920, 1080}, {1111, 800}, {390, 844}, {640, 400}, {960, 540}} {
		f.size(size[0], size[1])
		f.see(`$$("canvas[role]").every(c => c.drawnSize === c.parentElement.clientWidth + "x" + c.parentElement.clientHeight &&
			c.width === c.pixels?.[0] && c.height === c.pixels[1] && Math.abs(c.width - c.getBoundingClientRect().width) < 1)`)
		f.see(`$$(".lanes").every(l => l.clientHeight >= 200) && document.documentElement.scrollWidth <= innerWidth`)
		wrong := js[string](f.page, `$$("canvas[role]").flatMap(c => {
			const texts = c.drawn.filter(d => d.text && d.color !== undefined);
			return texts.flatMap((a, i) => texts.slice(i + 1).filter(b => a.left < b.left + b.width - 1 && b.left < a.left + a.width - 1 &&
				a.top < b.top + b.height - 2 && b.top < a.top + a.height - 2).map(b => a.text + " is over " + b.text)
				.concat(a.left + a.width > c.clientWidth + 2 ? [a.text + " is cut off"] : []));
		}).concat($$("article, .name, .state").filter(e => e.getBoundingClientRect().right > e.closest("article").getBoundingClientRect().right + 1)
			.map(e => e.className + " is wider than its panel")).join(", ")`)
		if wrong != "" {
			t.Errorf("at %v %s", size, wrong)
		}
	}
	f.size(1920, 1080)
	f.see(`$$("canvas[role]").flatMap(c => c.drawn).every(d => !/^(slow|quick|silent)/.test(d.text) || d.size >= 20)`)
	for _, size := range [][2]int64{{1280, 800}, {1024, 768}} {
		f.size(size[0], size[1])
		f.busy()
		part := js[float64](f.page, `Math.min(...$$("article").map(a => a.querySelector(".lanes").clientHeight / a.clientHeight))`)
		before := js[[]float64](f.page, place)
		for id := range 5 {
			f.panel(id, object{"tests": 14, "took": 9})
		}
		f.send("scene", "null")
		f.see(`!$(".report").innerText`)
		// Of parts of a pixel the browser makes whole ones, up or down.
		same := slices.EqualFunc(before, js[[]float64](f.page, place), func(a, b float64) bool { return math.Abs(a-b) <= 1 })
		if part < 0.5 || !same {
			t.Errorf("at %v the lanes have %.2f of the panel, and stay where they are: %v", size, part, same)
		}
	}
}

// Pause, slider and slow motion go for lanes, strips and marks together. (15) A lab that is silent draws no bar on, and the
// page says so until it is back.
func TestTime(t *testing.T) {
	t.Parallel()
	f := openFake(t)
	f.lanes(0, 1, object{"name": "slow 1", "arrived": 1000, "served": 1000, "over": 3000, "kind": "is answered"})
	f.lanes(1, 1, object{"name": "slow 1", "arrived": 1000, "served": 1000, "kind": "is being served"})
	f.samples(0, object{"at": 0}, object{"at": 1000, "place": "handleConnection", "stack": []string{"main.go:5"}}, object{"at": 3000})
	f.now(6000)
	f.draws(0, `d.text === "answered"`)
	f.shows("#panel0 .code li[data-line='4'] .margin", "1")
	f.shows("#line", "does not answer") // now stands still, three seconds on
	const bar = `$("#panel1 canvas").drawn.find(d => d.rect && d.alpha === 1).width`
	before := js[float64](f.page, bar)
	js[any](f.page, `new Promise(done => setTimeout(done, 500))`)
	if after := js[float64](f.page, bar); after != before {
		t.Errorf("the bar grows from %v to %v while the lab is silent", before, after)
	}
	js[any](f.page, `(s => { s.value = -7; s.dispatchEvent(new Event("input")); })($("#ago"))`)
	f.see(`!$("#panel0 canvas").drawn.some(d => d.text === "answered" || d.text?.startsWith("Accept ["))`)
	f.shows("#panel0 .code li[data-line='5'] .margin", "1")
	f.shows("#when", "s ago")
	f.click("#slowly")
	f.see(`$("#slowly").ariaPressed === "true" && $("#pause").ariaPressed === "false"`)
	f.click("#live")
	f.draws(0, `d.text === "answered"`)
	f.press(" ")
	f.see(`$("#pause").ariaPressed === "true"`)
	f.now(6100)
	f.see(`!$("#line").innerText`)
}
