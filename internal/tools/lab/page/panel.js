// A panel shows one server: what it is drawn from is in past, what is now in view.
import { $, $$, make, number, setText, speak, state } from "./base.js";
import { Past, now } from "./time.js";
import { showLines, showMarks } from "./code.js";
import { openPage, openSource } from "./beside.js";

export function addPanel(id) {
  const article = $("template").content.cloneNode(true).firstElementChild;
  const panel = { id, article, past: new Past(), name: "", view: {}, code: null, canvas: $("canvas", article) };
  article.id = "panel" + id;
  $("#panels").append(article);
  $(".name", article).addEventListener("click", () => choose(state.to === id ? -1 : id));
  $(".page", article).addEventListener("click", () => openPage(panel));
  $(".source", article).addEventListener("click", () => openSource(panel));
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
  showReport($(".report", a), view);
  if (view.output && view.output !== before.output) speak(panel.name, "output", view.output.split("\n")[0]);
  if (view.verdict && view.verdict !== before.verdict) speak(panel.name, "verdict", view.verdict.split("\n")[0]);
}

export function showCode(panel, code) {
  panel.code = code;
  $(".source", panel.article).hidden = false;
  const { loop, files } = code;
  if (loop) showLines($(".code", panel.article), loop.file, files[loop.file], loop.first, loop.last);
  else $(".code", panel.article).replaceChildren();
  panel.sample = null; // the marks are to be put in again
}

const states = { running: "runs", ended: "has ended", failed: "does not start", building: "is being built" };

// showSample shows how a server was at the time that is shown.
export function showSample(panel, sample, live) {
  if (panel.sample === sample && panel.shownView === panel.view) return;
  [panel.sample, panel.shownView] = [sample, panel.view];
  const { article: a, view: v } = panel, s = sample;
  const { state: was = v.state, status = "" } = s;
  const ended = was === "ended" || was === "failed";
  setText($(".state", a), v.stale ? "does not compile; an older one runs" : ended && status ? status.replace("It has ended: ", "ended: ").replace(/\.$/, "") : states[was] ?? "");
  if (status && live) speak(panel.name, "state", status);
  setText($(".held", a), was === "running" && s.threads ? `+${number(s.held ?? 0)}` : "–");
  setText($(".facts", a), was !== "running" ? "" : [
    s.threads ? `, of ${number(s.threads)} in all` : "",
    s.goroutines ? `${number(s.goroutines)} goroutine${s.goroutines > 1 ? "s" : ""}` : "",
    s.each ? `${(s.each / 1000).toFixed(1)} kB for each visitor` : ""].filter(Boolean).join(" · "));
  const counts = Object.entries(s.counts ?? {}).map(([kind, n]) => `${number(n)} ${kind.replace("is ", "").replace("leaves", "left")}`);
  const here = s.here ? `${number(s.here)} here` + (s.accepted >= 0 ? `, ${number(s.accepted)} accepted` : "") : "nobody here";
  setText($(".counts", a), [here, ...counts].join(" · "));
  showMarks($(".code", a), ended ? {} : s, true);
  for (const list of $$(`#source ol[data-panel="${panel.id}"]`)) showMarks(list, ended ? {} : s, false);
}

// showReport shows the verdict, the cause first, and what a server or the compiler has printed.
function showReport(element, v) {
  const key = JSON.stringify([v.progress, v.verdict, v.output]);
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  const [first, ...rest] = (v.verdict ?? "").split("\n");
  const parts = [["p", v.progress, "small"], ["p", first && (v.ok ? "✓ " : "✗ ") + first, v.ok ? "yes" : "no"],
    ["pre", rest.join("\n").trim(), "cause"], ["pre", v.output, "output"]].filter(([, text]) => text);
  element.replaceChildren(...parts.map(([tag, text, className]) => make(tag, text, { className })));
  if (parts.length) element.closest(".rest").scrollTop = 0;
}

// showFate puts what has become of a visitor into a sentence, and speaks it if it is new.
export function showFate(panel, l) {
  const kind = l.over ? l.kind : { arrives: "waits" }[l.kind] ?? l.kind;
  const after = l.over ? ` after ${((l.over - l.arrived) / 1000).toFixed(1)} seconds` : "";
  const list = $(".fates", panel.article), item = $(`[data-n="${l.n}"]`, list) ?? list.appendChild(make("li"));
  Object.assign(item.dataset, { n: l.n, kind, visitor: l.name });
  item.textContent = `${l.name} ${kind}${after}.`;
  if (l.over && now() - l.over < 3000) speak(panel.name, kind, item.textContent);
  for (const old of [...list.children]) if (!panel.past.lanes.has(+old.dataset.n)) old.remove();
}
