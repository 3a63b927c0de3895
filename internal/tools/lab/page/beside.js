// Read beside it: a page of the book, and the source, next to the panel that they speak of.
import { $, $$, make, state } from "./base.js";
import { find, showLines } from "./code.js";
import { choose } from "./panel.js";
import { actsOf, openAct } from "./scenes.js";
import { isRecorded } from "./recorded.js";
import { post } from "./lab.js";

const nowhere = { id: -1, path: "", hash: "", file: "", lines: [], depth: 0 };
let here = nowhere; // the panel, the page and the place in it, the source and what is lit in it
let loaded = "", opener = null, chosenBefore = -1;

export const openSource = (panel, file = "", lines = []) => go({ id: panel.id, file, lines });
export const openPage = panel => {
  const { Number: number, Folder: folder } = panel.view.stage, file = `${number ? folder : "your-own-server"}.md`;
  if (isRecorded()) open("../" + file, "_blank", "noopener");
  else go({ id: panel.id, path: "docs/" + file, hash: "", file: "", lines: [] });
};

// go opens what there is to read, as a step that Back takes back.
function go(place) {
  if (!here.depth) [opener, chosenBefore] = [document.activeElement, state.to];
  const to = { ...here, ...place, depth: here.depth + 1 };
  history.pushState(to, "");
  showPlace(to);
  if (to.depth === 1) $("#shut").focus();
}
export const shut = () => { if (here.depth) history.go(-here.depth); };

async function showPlace(place) {
  here = place;
  const reads = place.depth > 0, panel = state.panels[place.id];
  document.body.classList.toggle("reading", reads);
  $("#beside").hidden = !reads;
  if (!reads) {
    loaded = "";
    $("#book").replaceChildren();
    choose(chosenBefore);
    return opener?.focus();
  }
  choose(place.id);
  $("#book").hidden = !place.path;
  showSource(panel, place.file, place.lines);
  if (!place.path) return;
  if (loaded !== place.path) await load(panel, place.path);
  const goal = place.hash ? document.getElementById("at-" + decodeURIComponent(place.hash.slice(1))) : null;
  for (let e = goal; e; e = e.parentElement) if (e.matches("details")) e.open = true;
  if (goal) goal.scrollIntoView();
  else $("#book").scrollTop = 0;
}

// showSource shows a file with the loop, or the lines that are lit, in sight.
function showSource(panel, file, lit) {
  const source = $("#source"), { loop, files } = panel.code ?? {};
  source.hidden = !files;
  if (!files) return;
  const name = files[file] ? file : loop?.file ?? Object.keys(files)[0], key = panel.id + name;
  const list = make("ol", "", { className: "code" });
  if (source.dataset.key !== key || source.code !== panel.code) {
    [source.dataset.key, source.code] = [key, panel.code];
    const tabs = Object.keys(files).map(f => make("button", f, { onclick: () => go({ id: panel.id, file: f, lines: [] }) }));
    tabs.forEach(b => b.setAttribute("aria-pressed", String(b.textContent === name)));
    list.dataset.panel = panel.id;
    showLines(list, name, files[name], 1);
    source.replaceChildren(make("p", "", {}, ...tabs), list);
    panel.sample = null; // the marks are to be put in
    dispatchEvent(new Event("draw"));
  }
  for (const item of $$("li", source)) item.classList.toggle("lit", lit.includes(+item.dataset.line));
  const first = lit[0] ?? (name === loop?.file ? loop.first : 1), goal = $(`li[data-line="${first}"]`, source);
  if (goal) source.scrollTop = goal.offsetTop - source.clientHeight / 4;
}

// load fills in a page of the book. What it names by id, links to or shows is found from here too.
async function load(panel, path) {
  loaded = path;
  const base = new URL("/book/" + path, location.href), reply = await fetch(base);
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  if (loaded !== path) return;
  $("#book").replaceChildren(...page.body.childNodes);
  for (const e of $$("#book [id]")) e.id = "at-" + e.id;
  for (const e of $$("#book img")) e.src = new URL(e.getAttribute("src"), base);
  for (const a of $$("#book a[href]")) {
    a.href = new URL(a.getAttribute("href"), base);
    if (a.origin !== location.origin) Object.assign(a, { target: "_blank", rel: "noopener" });
  }
  addExcerpts();
  addVisitors(panel);
  const predict = $("#at-predict");
  if (predict) predict.after(...actsOf(panel).map(act => make("p", "", {}, make("button", "Guess: " + act.asks, { onclick: () => openAct(act) }))));
}

// addExcerpts makes each excerpt and each diff light its lines in the source.
function addExcerpts() {
  const comments = document.createTreeWalker($("#book"), NodeFilter.SHOW_COMMENT);
  while (comments.nextNode()) {
    const [, folder, file] = comments.currentNode.data.match(/^ (?:excerpt|diff \S+) ([^\s\/]+)\/(\S+)/) ?? [];
    const panel = state.panels.find(p => p.view.stage.Folder === folder), pre = comments.currentNode.nextElementSibling;
    const text = panel?.code?.files[file];
    if (!text || !pre) continue;
    const isDiff = comments.currentNode.data.startsWith(" diff");
    const shown = isDiff ? pre.textContent.split("\n").filter(l => l[0] === "+").map(l => l.slice(1)).join("\n") : pre.textContent;
    const light = () => showSource(panel, file, find(text, shown));
    pre.tabIndex = 0;
    pre.classList.add("excerpt");
    pre.addEventListener("focus", light);
    pre.addEventListener("pointerenter", light);
  }
}

// addVisitors puts a button behind each session in which a visitor comes with curl.
function addVisitors(panel) {
  const kinds = [[/^\$ curl .*:7878\/sleep\b/, "slow"], [/^\$ curl .*ftp:/, "silent"], [/^\$ curl \S*:7878\/?$/, "quick"]];
  for (const pre of $$("#book pre")) {
    for (const line of pre.textContent.split("\n")) {
      const [, kind] = kinds.find(([is]) => is.test(line)) ?? [];
      if (kind) pre.after(make("p", "", {}, make("button", `send this visitor (${kind}) to ${panel.name}`, { onclick: () => post("send", { to: panel.id + 1, kind, n: 1 }) })));
    }
  }
}

export function addBeside() {
  $("#shut").addEventListener("click", shut);
  addEventListener("popstate", event => showPlace(event.state?.depth ? event.state : nowhere));
  $("#book").addEventListener("click", event => {
    const a = event.target.closest("a[href]");
    if (!a || a.target || event.ctrlKey || event.metaKey || event.shiftKey || !a.pathname.startsWith("/book/")) return;
    event.preventDefault();
    const path = decodeURIComponent(a.pathname.replace("/book/", "")), [folder, file] = path.split("/");
    const of = state.panels.find(p => p.view.stage.Folder === folder && p.code?.files[file]);
    if (of) go({ id: of.id, file, lines: a.hash ? [+a.hash.slice(2)] : [] });
    else go({ id: state.panels.find(p => path === `docs/${p.view.stage.Folder}.md`)?.id ?? here.id, path, hash: a.hash });
  });
}
