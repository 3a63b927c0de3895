// The page shows what the lab sends, and decides nothing. Each message is all there is
// to show of one server, or of the lab itself.
import { draw, sign } from "./lanes.js";
import { showQuestion } from "./predict.js";

const $ = (selector, root = document) => root.querySelector(selector);
const panels = [];
export const state = { prediction: null, panels, clock: 0, to: -1 };

// --- what is sent to the lab

let last = Promise.resolve(); // what is pressed first arrives first
export function post(what, fields = {}) {
  return last = last.then(async () => {
    try {
      const reply = await fetch("/do/" + what, { method: "POST", body: JSON.stringify(fields), signal: AbortSignal.timeout(5000) });
      if (!reply.ok) say(await reply.text());
    } catch {
      say("The lab does not answer. Is it still running?");
    }
  });
}

const hint = "Press slow, then quick: the same visitor goes to all servers at the same moment.";
function say(text) { $("#line").textContent = text || hint; }

document.querySelectorAll("[data-key]").forEach(button => {
  button.append(" ", Object.assign(document.createElement("kbd"), { textContent: button.dataset.key }));
  button.setAttribute("aria-keyshortcuts", button.dataset.key);
});
document.querySelectorAll("[data-do]").forEach(button => button.addEventListener("click", () => {
  const { do: what, kind, n, one } = button.dataset;
  if (one !== undefined && state.to < 0 && panels.length > 1) return say("10,000 visitors come to one server only: choose it first, beside “to”.");
  post(what, { to: state.to + 1, kind, n: +n || 0 });
}));
$("#times").addEventListener("change", event => {
  if (event.target.checkValidity()) post("set", { slow: +$("[name=slow]").value, patience: +$("[name=patience]").value });
  else event.target.reportValidity();
});
$("#predict").addEventListener("click", () => showQuestion("toggle"));
$("#shut").addEventListener("click", shut);
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input[type=number]")) return;
  if (event.key === "Escape") return shut();
  const button = $(`[data-key="${CSS.escape(event.key)}"]`);
  if (!button) return;
  event.preventDefault();
  button.click();
  button.classList.add("pressed");
  setTimeout(() => button.classList.remove("pressed"), 150);
});

// --- read beside it

let opener = null;
export function open(path) {
  opener = document.activeElement;
  $("#beside").hidden = false;
  $("#beside iframe").src = $("#apart").href = "/book/" + path;
  $("#shut").focus();
}
$("#beside iframe").addEventListener("load", event =>
  event.target.contentWindow.addEventListener("keydown", key => { if (key.key === "Escape") shut(); }));
function shut() {
  if ($("#beside").hidden) return;
  $("#beside").hidden = true;
  $("#beside iframe").src = "about:blank";
  opener?.focus();
}

// --- the panels

function addPanel(id) {
  const article = $("template").content.cloneNode(true).firstElementChild;
  article.id = "panel" + id;
  $("#panels").append(article);
  const panel = { id, article, fates: new Map() };
  for (const name of ["source", "page"]) {
    $("." + name, article).addEventListener("click", event => {
      if (event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      open(event.target.getAttribute("href").replace("/book/", ""));
    });
  }
  return panel;
}

function choose(to) {
  state.to = to;
  document.querySelectorAll("#to input").forEach(input => { input.checked = +input.value === to; });
  panels.forEach(p => p.article.classList.toggle("aside", to >= 0 && p.id !== to));
}

function addTarget(id, text, key) {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name: "to", value: id, checked: id === state.to });
  input.dataset.key = key;
  input.addEventListener("click", () => choose(id));
  label.append(input, text, " ", Object.assign(document.createElement("kbd"), { textContent: key }));
  $("#to").append(label);
}

const text = (element, value) => { if (element.textContent !== value) element.textContent = value; };

function show(panel) {
  const { view: v, article: a } = panel;
  const name = v.stage.Folder.replace(/^stage(\d)-/, "$1 ");
  text($("h2", a), name);
  a.setAttribute("aria-label", v.stage.Folder);
  a.dataset.state = v.state;
  text($(".state", a), { running: "runs", ended: "has ended", failed: "failed", building: "is being built" }[v.state]);
  text($(".adds", a).lastElementChild, " · " + v.stage.Adds);
  text($(".says", a), v.says);
  const runs = v.state === "running";
  $("dl", a).hidden = !runs;
  const main = $(".main dd", a), [where, wait] = (v.goroutine1 || "").split(/ (?=\[)/);
  text(main, v.go ? (where || "...") + (wait ? "\n" + wait : "") : "not in Go: cannot be seen");
  text($(".threads dd", a), String(v.threads || "–"));
  const goroutines = Object.values(v.waits || {}).reduce((sum, n) => sum + n, 0);
  text($(".goroutines dd", a), goroutines ? goroutines.toLocaleString("en") : "–");
  text($(".each dd", a), v.each ? (v.each / 1000).toFixed(1) + " kB" : "–");
  text($(".waits dd", a), Object.entries(v.waits || {}).sort((a, b) => b[1] - a[1]).map(([state, n]) => `${n} ${state}`).join(", ") || "–");
  for (const row of ["goroutines", "waits"]) $("." + row, a).hidden = !v.go;
  showTold($(".told", a), v);
  const counts = Object.entries(v.counts || {}).map(([kind, n]) => `${n.toLocaleString("en")} ${kind.replace("is ", "").replace("leaves", "left")}`);
  const here = v.here ? `${v.here.toLocaleString("en")} here` + (v.accepted >= 0 ? `, ${v.accepted.toLocaleString("en")} accepted` : "") : "nobody here";
  text($(".counts", a), [here, ...counts].join(" · "));
  const [source, page, url] = ["source", "page", "url"].map(name => $("." + name, a));
  const { Number: number, Folder: folder } = v.stage, file = number ? folder + "/main.go" : folder.split(" ").at(-1);
  source.href = "/book/" + file;
  page.href = `/book/docs/${number ? folder : "your-own-server"}.md`;
  source.hidden = /^\/|\.\./.test(file);
  url.href = v.url || "#";
  url.hidden = !runs;
  showFates(panel);
}

// showTold shows what a server has said: words, a dump, what the stories told.
function showTold(element, v) {
  const now = JSON.stringify([v.words, v.dump, v.told, v.lines, v.verdict, v.state]);
  if (element.dataset.now === now) return;
  element.dataset.now = now;
  const parts = [];
  const add = (tag, text, className = "") => {
    if (text) parts.push(Object.assign(document.createElement(tag), { textContent: text, className }));
  };
  const fold = (summary, texts) => {
    const details = document.createElement("details");
    details.append(Object.assign(document.createElement("summary"), { textContent: summary }),
      ...texts.map(textContent => Object.assign(document.createElement("pre"), { textContent })));
    parts.push(details);
  };
  if (v.told) add("p", v.told, "small");
  if (v.lines.length) {
    add("p", (v.ok ? "✓ " : "✗ ") + v.verdict.split("\n")[0], v.ok ? "yes" : "no");
    for (const line of v.lines) {
      const [name, says] = line.split(/ {2,}/);
      const sign = /^no|^all but|not as in|as in no/.test(says) ? "✗ " : /^yes|^in /.test(says) ? "✓ " : "· ";
      add("p", sign + name + (says === "yes" ? "" : ": " + says), "line");
    }
    add("pre", v.verdict.split("\n").slice(1).join("\n").trim(), "story");
  }
  if (!v.lines.length) add("pre", v.words, "words");
  if (v.dump) showDump(v.dump, add, fold);
  element.replaceChildren(...parts);
  element.hidden = !parts.length;
  element.closest("article").classList.toggle("wide", v.lines.length > 0 || !!v.dump);
}

// showDump shows goroutine 1, then the server's own goroutines, those at the same place once, and
// the others folded.
function showDump(dump, add, fold) {
  // What nobody reads: addresses, folders, arguments.
  const all = dump.replace(/( gp| m| mp| fp| sp| pc)=\S+| \+0x\S+|\S*\/(?=[^\s\/]+\.\w+:\d)/g, "").replace(/\((0x|\{|\.\.\.).*\)/g, "()").replaceAll("\n\t", "  ")
    .split("\n\n").map(g => g.trim()).filter(g => g.startsWith("goroutine ") && !g.includes("labGoroutines"));
  const places = [...Map.groupBy(all, g => g.replace(/^goroutine \d+/, "")).values()]
    .map(same => (same.length > 1 ? `${same.length} like ` : "") + same[0]);
  const first = places.find(g => g.startsWith("goroutine 1 ")), others = places.filter(g => g !== first);
  const [own, rest] = [true, false].map(is => others.filter(g => /^main\./m.test(g) === is));
  add("p", "goroutine 1", "small");
  add("pre", first, "first");
  if (own.length) add("p", "the server's other goroutines", "small");
  own.forEach(g => add("pre", g));
  fold(`${rest.length} more are the runtime's, or of packages`, rest);
}

// showFates says of each visitor in a sentence what has become of them, and speaks what is new.
function showFates(panel) {
  const seen = new Set();
  for (const lane of panel.view.lanes) {
    seen.add(lane.name);
    const kind = lane.over ? lane.kind : lane.served ? "is being served" : "waits";
    const after = lane.over ? ` after ${((lane.over - lane.arrived) / 1000).toFixed(1)} seconds` : "";
    let item = panel.fates.get(lane.name);
    if (!item) {
      panel.fates.set(lane.name, item = document.createElement("li"));
      $(".fates", panel.article).append(item);
    }
    if (item.dataset.kind === kind) continue;
    item.dataset.kind = kind;
    item.dataset.visitor = lane.name;
    item.textContent = `${lane.name} ${kind}${after}.`;
    if (lane.over) speak(panel, kind, item.textContent);
  }
  for (const [name, item] of panel.fates) {
    if (!seen.has(name)) { item.remove(); panel.fates.delete(name); }
  }
}

let toSpeak = [];
function speak(panel, kind, sentence) {
  if (!toSpeak.length) setTimeout(speakAll, 1000);
  toSpeak.push({ where: $("h2", panel.article).textContent, kind, sentence });
}
function speakAll() {
  const groups = Map.groupBy(toSpeak, s => s.where + ": " + s.kind);
  $("#spoken").textContent = [...groups].map(([key, all]) =>
    all.length > 2 ? `${all[0].where}: of ${all.length} visitors each ${all[0].kind}.` : all.map(s => `${s.where}: ${s.sentence}`).join(" ")).join(" ");
  toSpeak = [];
}

// --- the stream

const stream = new EventSource("/events");
stream.addEventListener("open", () => { say(""); document.body.classList.remove("cut"); });
stream.addEventListener("error", () => {
  say("The lab does not answer. Is it still running?");
  document.body.classList.add("cut");
});
stream.addEventListener("now", event => { state.clock = +event.data - performance.now(); });
stream.addEventListener("prediction", event => {
  state.prediction = JSON.parse(event.data);
  showQuestion();
});
stream.addEventListener("panel", event => {
  const view = JSON.parse(event.data);
  view.lanes ??= [];
  view.lines ??= [];
  if (!panels.length) addTarget(-1, "all", "0");
  if (panels.length === view.id) { // they come in order
    panels.push(addPanel(view.id));
    addTarget(view.id, String(view.stage.Number || "yours"), String(view.stage.Number || 6));
  }
  panels[view.id].view = view;
  for (const input of document.querySelectorAll("#times input")) { // all servers have the same times
    if (document.activeElement !== input && !view.id) input.value = view[input.name];
  }
  show(panels[view.id]);
  showQuestion();
  draw(state);
});
const drawSigns = () => document.querySelectorAll("[data-sign]").forEach(sign);
drawSigns();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { drawSigns(); draw(state); });
addEventListener("resize", () => draw(state));
