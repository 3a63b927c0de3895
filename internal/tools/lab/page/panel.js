// A panel shows one server: what it is drawn from is in past, what is now in view.
import { $, $$, make, number, say, setText, speak, state } from "./base.js";
import { Past, now } from "./time.js";
import { showLines, showMarks } from "./code.js";
import { openPage, openSource } from "./beside.js";

export function addPanel(id) {
  const article = $("template").content.cloneNode(true).firstElementChild;
  const panel = { id, article, past: new Past(), name: "", view: {}, code: null, fates: new Map(), canvas: $("canvas", article) };
  article.id = "panel" + id;
  $("#panels").append(article);
  $(".name", article).addEventListener("click", () => choose(state.to === id ? -1 : id));
  for (const [name, open] of [[".page", openPage], [".source", openSource]]) {
    $(name, article).addEventListener("click", event => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open(panel);
    });
  }
  // The canvas gets as many pixels as the screen has for it, so that nothing is blurred.
  new ResizeObserver(([{ devicePixelContentBoxSize: pixels }]) => {
    panel.canvas.pixels = pixels && [pixels[0].inlineSize, pixels[0].blockSize];
    dispatchEvent(new Event("draw"));
  }).observe(panel.canvas, { box: "device-pixel-content-box" });
  return panel;
}

// choose gives one server, or all with -1, what is pressed, and room.
export function choose(to) {
  if (to >= state.panels.length) return;
  state.to = to;
  for (const p of state.panels) {
    const is = p.id === to;
    $(".rest", p.article).scrollTop = 0;
    p.article.classList.toggle("chosen", is);
    p.article.classList.toggle("wide", is || state.panels.length === 1);
    $(".name", p.article).setAttribute("aria-pressed", String(is));
  }
  $("#panels").classList.toggle("one", to >= 0 && state.panels.length > 1);
  $("#panels").style.setProperty("--others", Math.max(1, state.panels.length - 1));
  setText($("#to"), to < 0 ? "all servers" : state.panels[to].name);
  dispatchEvent(new Event("chosen"));
}

// showView shows what is now of a server.
export function showView(panel, view) {
  const { article: a } = panel, before = panel.view, { Number: n, Folder: folder, Adds: adds } = view.stage;
  panel.view = view;
  panel.name = n ? `${n} ${folder.replace(/^stage\d-/, "")}` : folder;
  setText($(".name", a), panel.name);
  $(".name", a).title = panel.name;
  a.setAttribute("aria-label", n ? folder : "your own server");
  $(".rest", a).ariaLabel = "Details of " + panel.name;
  a.dataset.state = view.stale ? "stale" : view.state === "ended" && view.well ? "done" : view.state;
  setText($(".adds", a), view.tests ? `tested without a network: ${view.tests} tests in ${view.took} ms` : adds);
  showTold($(".told", a), view);
  if (view.words && view.words !== before.words) speak(panel.name, "words", view.words.split("\n")[0]);
  if (view.verdict && view.verdict !== before.verdict) speak(panel.name, "verdict", view.verdict.split("\n")[0]);
  const file = n ? folder + "/main.go" : folder.split(" ").at(-1);
  $(".source", a).href = "/book/" + file;
  $(".source", a).hidden = /^\/|\.\./.test(file);
  $(".page", a).href = `/book/docs/${n ? folder : "your-own-server"}.md`;
  $(".url", a).href = view.url || "#";
  $(".url", a).hidden = view.state !== "running" || !view.url;
}

export function showCode(panel, code) {
  panel.code = code;
  const { loop, files } = code;
  if (loop) showLines($(".code", panel.article), loop.file, files[loop.file].text, loop.first, loop.last, files[loop.file].new);
  else $(".code", panel.article).replaceChildren();
  panel.sample = null; // the marks are to be put in again
}

const states = { running: "runs", ended: "has ended", failed: "does not start", building: "is being built" };

// showSample shows how a server was at the time that is shown.
export function showSample(panel, sample, live) {
  if (panel.sample === sample && panel.shownView === panel.view) return;
  [panel.sample, panel.shownView] = [sample, panel.view];
  const { article: a, view: v } = panel, s = sample;
  const { state: was = v.state, says = "" } = s;
  const ended = was === "ended" || was === "failed";
  setText($(".state", a), v.stale ? "does not compile; an older one runs" : ended && says ? says.replace("It has ended: ", "ended: ").replace(/\.$/, "") : states[was] ?? "");
  setText($(".says", a), ended ? "" : says);
  if (says && live && says.replace(/\d+/, "") !== panel.spoken) speak(panel.name, "state", says);
  panel.spoken = says.replace(/\d+/, "");
  const waits = Object.entries(s.waits ?? {}).sort((x, y) => y[1] - x[1]).map(([wait, n]) => `${number(n)} ${wait}`).join(", ");
  setText($(".held", a), was === "running" && s.threads ? `+${number(s.held ?? 0)}` : "–");
  setText($(".facts", a), was !== "running" ? "" : [
    s.threads ? `, of ${number(s.threads)} in all` : "",
    s.goroutines ? `${number(s.goroutines)} goroutine${s.goroutines > 1 ? "s" : ""} (${waits})` : "",
    s.each ? `${(s.each / 1000).toFixed(1)} kB for each visitor` : ""].filter(Boolean).join(" · "));
  const counts = Object.entries(s.counts ?? {}).map(([kind, n]) => `${number(n)} ${kind.replace("is ", "").replace("leaves", "left")}`);
  const here = s.here ? `${number(s.here)} here` + (s.accepted >= 0 ? `, ${number(s.accepted)} accepted` : "") : "nobody here";
  setText($(".counts", a), [here, ...counts].join(" · "));
  showMarks($(".code", a), ended ? {} : s, true);
  for (const list of $$(`#source ol[data-panel="${panel.id}"]`)) showMarks(list, ended ? {} : s, false);
}

// showTold shows what a server has said, a dump, and what the stories told: the cause first.
function showTold(element, v) {
  const key = JSON.stringify([v.words, v.dump, v.told, v.lines, v.verdict]);
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  const parts = [], add = (tag, text, className = "") => { if (text) parts.push(make(tag, text, { className })); };
  if (v.told) add("p", v.told, "small");
  if (v.verdict) {
    const [first, ...rest] = v.verdict.split("\n");
    add("p", (v.ok ? "✓ " : "✗ ") + first, v.ok ? "yes" : "no");
    add("pre", rest.join("\n").trim(), "story");
    for (const says of v.lines ?? []) add("p", says, "line");
  }
  add("pre", v.words, "words");
  if (v.dump) addDump(v.dump, add, parts);
  element.replaceChildren(...parts);
  if (parts.length) element.closest(".rest").scrollTop = 0;
}

// addDump adds goroutine 1, then the server's own goroutines, those at the same place once, and
// the others folded.
function addDump(dump, add, parts) {
  // What nobody reads: addresses, folders, arguments.
  const all = dump.replace(/( gp| m| mp| fp| sp| pc)=\S+| \+0x\S+|\S*\/(?=[^\s\/]+\.\w+:\d)/g, "").replace(/\((0x|\{|\.\.\.).*\)/g, "()").replaceAll("\n\t", "  ")
    .split("\n\n").map(g => g.trim()).filter(g => g.startsWith("goroutine ") && !g.includes("labGoroutines"));
  const places = [...Map.groupBy(all, g => g.replace(/^goroutine \d+/, "")).values()]
    .map(same => (same.length > 1 ? `${same.length} like ` : "") + same[0]);
  const first = places.find(g => g.startsWith("goroutine 1 ")), others = places.filter(g => g !== first);
  const [own, rest] = [true, false].map(is => others.filter(g => /^main\./m.test(g) === is));
  add("pre", first, "first");
  if (own.length) add("p", "the server's other goroutines", "small");
  own.forEach(g => add("pre", g));
  parts.push(make("details", "", {}, make("summary", `${rest.length} more are the runtime's, or of packages`), ...rest.map(g => make("pre", g))));
}

// showFates says of each visitor in a sentence what has become of them, and speaks what is new.
export function showFates(panel, lanes) {
  for (const l of lanes) {
    const kind = l.over ? l.kind : { arrives: "waits" }[l.kind] ?? l.kind;
    const after = l.over ? ` after ${((l.over - l.arrived) / 1000).toFixed(1)} seconds` : "";
    let item = panel.fates.get(l.n);
    if (!item) {
      panel.fates.set(l.n, item = make("li"));
      $(".fates", panel.article).append(item);
    }
    if (item.dataset.kind === kind) continue;
    [item.dataset.kind, item.dataset.visitor, item.textContent] = [kind, l.name, `${l.name} ${kind}${after}.`];
    if (l.over && now() - l.over < 3000) speak(panel.name, kind, item.textContent);
  }
  for (const [n, item] of panel.fates) {
    if (panel.past.lanes.has(n)) continue;
    item.remove();
    panel.fates.delete(n);
  }
}
