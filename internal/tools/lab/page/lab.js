// The page shows what the lab sends, and decides nothing.
import { $, $$, make, state } from "./base.js";
import { addTimeControls, isLive, now, shown, showTime } from "./time.js";
import { colors, drawPanel } from "./lanes.js";
import { addPanel, choose, showCode, showFate, showSample, showView } from "./panel.js";
import { addBeside, shut } from "./beside.js";
import { addScenes, isPlaying, receiveScene, setScenes, showCaption } from "./scenes.js";
import { listen, postLive } from "./live.js";
import { isRecorded, listenToRecording } from "./recorded.js";

export let post = postLive;

function receive(name, data) {
  if (name === "lab") {
    state.panels.forEach(p => p.article.remove());
    state.panels = [];
    setScenes(data.scenes);
  } else if (name === "scene") receiveScene(data);
  else {
    const known = state.panels.length;
    while (state.panels.length <= data.id) state.panels.push(addPanel(state.panels.length));
    const panel = state.panels[data.id];
    if (name === "code") showCode(panel, data);
    if (name === "lane") panel.past.addLane(data), showFate(panel, data);
    if (name === "sample") panel.past.addSample(data);
    if (name === "panel") {
      showView(panel, data);
      for (const input of $$("#times input")) { // all servers have the same times
        if (document.activeElement !== input && !data.id) input.value = data[input.name];
      }
    }
    if (known < state.panels.length) choose(state.to);
  }
  if (name === "lane" || name === "sample") plan();
  else draw();
}

const pause = 4000; // ms; when visitors come after nobody was there for so long, the axis begins anew
let planned = false, isStale = true;
let painted = { t: 0, step: 0 }; // the time that was drawn, and in how many ms the axis moves by half a pixel

// draw draws a frame, and then others as long as something goes on.
function draw() {
  isStale = true;
  plan();
}
function plan() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    if (drawFrame()) plan();
  });
}

function drawFrame() {
  const panels = state.panels.filter(p => p.view.stage), lanes = panels.flatMap(p => [...p.past.lanes.values()]);
  const open = lanes.some(l => !l.over) || isPlaying();
  const last = Math.max(0, ...lanes.map(l => l.over ?? 0), ...panels.map(p => p.past.samples.at(-1)?.at ?? 0)) + 400;
  const t = isLive() && !open ? Math.min(now(), last) : shown();
  const goesOn = open || !isLive() || now() < last;
  if (!isStale && goesOn && Math.abs(t - painted.t) < painted.step) return true; // nobody would see a difference
  const begin = findBegin(lanes.filter(l => l.arrived <= t), Math.min(t, ...panels.map(p => p.view.from ?? 0)));
  const { slow = 2 } = panels[0]?.view ?? {};
  // The axis grows with what there is to see, until it moves on. Now stands at 70 %.
  const least = 1000 * Math.max(8, 2.5 * slow), span = Math.min(Math.max(least, (t - begin) / 0.7), 2.5 * least);
  const from = Math.max(begin, t - 0.7 * span), color = colors();
  for (const panel of panels) {
    showSample(panel, panel.past.at(t), isLive());
    drawPanel(panel, { from, to: from + span, t, begin, color });
  }
  showCaption();
  showTime();
  isStale = false;
  painted = { t, step: span / 2 / Math.max(1, ...panels.map(p => p.canvas.clientWidth)) };
  return goesOn;
}

// findBegin returns when the axis begins: with a visitor who came when nobody had been there for a
// while, and not before the time from.
function findBegin(lanes, from) {
  let begin = 0, quiet = 0;
  for (const l of lanes.filter(l => l.arrived >= from || !l.over).sort((a, b) => a.arrived - b.arrived)) {
    if (!begin || quiet && l.arrived > quiet + pause) begin = Math.max(l.arrived, from);
    quiet = Math.max(quiet, l.over || Infinity);
  }
  return begin || from;
}

function addControls() {
  for (const button of $$("[data-do]")) button.addEventListener("click", () => {
    const { do: what, kind, n } = button.dataset;
    post(what, { to: state.to + 1, kind, n: +n || 0 });
  });
  $("#times").addEventListener("change", ({ target }) => {
    if (!target.name) return;
    if (target.value && target.checkValidity()) return post("set", { slow: +$("[name=slow]").value, patience: +$("[name=patience]").value });
    target.value = state.panels[0].view[target.name];
  });
  for (const button of $$("[data-key]")) {
    const key = button.dataset.key;
    if (!/^\d$/.test(key)) button.append(" ", make("kbd", key === " " ? "space" : key, { ariaHidden: "true" }));
    button.setAttribute("aria-keyshortcuts", key === " " ? "Space" : key);
  }
  addEventListener("keydown", press);
}

// press presses the button that is in sight and has the key. With AltGr, a key is what it writes.
function press(event) {
  if (event.key === "Escape") return shut();
  const isAltGr = event.getModifierState("AltGraph");
  if (event.repeat || !$("#keys").checked || !isAltGr && (event.ctrlKey || event.metaKey || event.altKey)) return;
  if (event.target.matches("input:not([type=checkbox])") || event.key === " " && event.target.matches("button, a, summary, input")) return;
  const key = event.key.toLowerCase(), isDigit = /^\d$/.test(key) && !$("#hand").hidden;
  const button = $$(`[data-key="${CSS.escape(key)}"]`).find(b => b.offsetParent);
  if (isDigit) choose(key === "0" ? -1 : state.panels.findIndex(p => (p.view.stage.Number || 6) === +key));
  else if (!button) return;
  else button.click();
  event.preventDefault();
}

addTimeControls();
addBeside();
addScenes();
addControls();
addEventListener("draw", draw);
for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) matchMedia(query).addEventListener("change", draw);
if (isRecorded()) post = listenToRecording(receive);
else listen(receive);
