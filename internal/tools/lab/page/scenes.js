// Scenes: a guess, what happens, and why. What the servers do decides.
import { $, $$, make, setText, speak, state } from "./base.js";
import { goLive, isLive, shown } from "./time.js";
import { post } from "./lab.js";

let acts = []; // of all scenes, in their order
let at = 0; // which is shown
let guesses = []; // what was guessed, and how many hands were raised for each answer
let drawn = null; // what the answers on the page were made of

export function setScenes(scenes) {
  acts = scenes.flatMap(({ title, acts }, scene) => acts.map((a, act) => ({ ...a, title, scene, act, n: acts.length })));
  guesses = acts.map((_, i) => guesses[i] ?? { chosen: -1, hands: [] });
  $("#titles").replaceChildren(...scenes.map(({ title }, scene) => make("li", "", {},
    make("button", String(scene + 1), { title, onclick: () => openAct(acts.find(a => a.scene === scene)) }, make("span", " " + title)))));
}

// asked is the panel that an act asks about: the chosen panel, or the best that is there.
const asked = act => {
  const there = act.of.map(n => state.panels.find(p => p.view.stage?.Number === n)).filter(Boolean);
  return there.find(p => p.id === state.to) ?? there[0];
};
export const actsOf = panel => acts.filter(a => a.of.includes(panel.view.stage.Number));
export function openAct(act) {
  at = acts.indexOf(act);
  showTab("scenes");
  showScene();
  $("#choices button")?.focus();
}
const step = by => {
  at = (at + by + acts.length) % acts.length;
  showScene();
};

// played is what is known of the act that is shown, if it is being played or was.
const played = () => state.scene && acts[at]?.scene === state.scene.scene && acts[at].act === state.scene.act ? state.scene : null;
export const isPlaying = () => state.scene?.state === "playing";

function play(chosen) {
  const act = acts[at], panel = asked(act);
  if (isPlaying() || !panel) return;
  guesses[at].chosen = chosen;
  guesses[at].hands = $$("#choices input").map(i => +i.value);
  goLive();
  post("play", { scene: act.scene, act: act.act, stage: panel.view.stage.Number });
}

// receiveScene shows the scene that the lab plays, even if another page has begun it.
export function receiveScene(scene) {
  const before = state.scene;
  state.scene = scene;
  if (scene?.state === "playing" && before?.state !== "playing") {
    at = Math.max(0, acts.findIndex(a => a.scene === scene.scene && a.act === scene.act));
    showTab("scenes");
  }
  showScene();
  if (scene?.state === "done" && before?.state === "playing") speak("the scene", "end", $("#outcome").textContent);
}

export function showScene() {
  const act = acts[at];
  if (!act || !state.panels.length) return;
  const scene = played(), playing = isPlaying();
  const panel = scene ? state.panels.find(p => p.view.stage.Number === scene.stage) : asked(act);
  setText($("#asks"), (act.n > 1 ? `${act.act + 1} of ${act.n}. ` : "") + act.asks + (state.panels.length > 1 && panel ? ` (In ${panel.name}.)` : ""));
  $("#act").classList.toggle("watch", !!scene);
  $$("#titles button").forEach((b, i) => b.setAttribute("aria-current", i === act.scene ? "step" : "false"));
  for (const p of state.panels) p.article.classList.toggle("asked", p === panel && !$("#scenes").hidden);
  showChoices(act, scene);
  const button = $("#play");
  setText($("span", button), playing ? "stop" : scene ? "play again" : "play");
  button.classList.toggle("playing", playing);
  showCaption();
}

function showChoices(act, scene) {
  if (drawn !== act) {
    drawn = act;
    $("#choices").replaceChildren(...act.choices.map(({ answer }, i) => {
      const button = make("button", "", { onclick: () => play(i) }, make("kbd", String(i + 1), { ariaHidden: "true" }), " ", make("b"), make("span", answer));
      button.dataset.key = i + 1;
      button.setAttribute("aria-keyshortcuts", i + 1);
      const hands = make("input", "", { type: "number", min: 0, max: 999, placeholder: "hands", ariaLabel: "hands for answer " + (i + 1) });
      hands.value = guesses[at].hands[i] || "";
      return make("li", "", {}, button, hands);
    }));
  }
  const done = scene?.state === "done", { chosen } = guesses[at];
  $$("#choices button").forEach((button, i) => {
    const right = done && (scene.right ?? []).includes(i), mine = !!scene && chosen === i;
    button.ariaDisabled = String(isPlaying());
    button.ariaPressed = String(mine);
    button.className = right ? "right" : done && mine ? "wrong" : "";
    setText($("b", button), right ? "✓ " : done && mine ? "✗ " : "");
  });
}

// showCaption describes what happens at the time that is shown, and in the end what happened, and why.
export function showCaption() {
  const act = acts[at], scene = played();
  if (!act) return;
  const t = shown(), steps = (scene?.steps ?? []).filter(s => s <= t).length;
  const ended = scene && scene.state !== "playing" && (isLive() || steps === act.steps.length);
  const of = scene?.seen?.find(s => s.id === (state.to < 0 ? asked(act)?.id : state.to)) ?? scene?.seen?.[0];
  setText($("#caption"), !scene ? "Guess, and the visitors come. Or just play."
    : ended ? (scene.state === "done" ? "" : "That did not count. " + scene.reason) : steps ? `${steps} of ${act.steps.length}: ${act.steps[steps - 1].caption}` : "The servers start again ...");
  const { hands } = guesses[at], all = hands.reduce((sum, n) => sum + n, 0);
  const right = (scene?.right ?? []).reduce((sum, i) => sum + (hands[i] ?? 0), 0);
  const done = ended && scene.state === "done";
  setText($("#why"), done ? of?.why ?? "" : "");
  setText($("#outcome"), done ? [of && `What happened: ${of.seen}`, all && `${right} of ${all} hands were right.`].filter(Boolean).join(" ") : "");
  for (const p of state.panels) setText($(".why", p.article), done ? scene.seen?.find(s => s.id === p.id)?.why ?? "" : "");
}

// showTab shows the scenes, or all single controls.
function showTab(name) {
  for (const tab of $$("[data-tab]")) {
    tab.setAttribute("aria-pressed", String(tab.dataset.tab === name));
    $("#" + tab.dataset.tab).hidden = tab.dataset.tab !== name;
  }
}

export function addScenes() {
  for (const tab of $$("[data-tab]")) tab.addEventListener("click", () => { showTab(tab.dataset.tab); showScene(); });
  $("#back").addEventListener("click", () => step(-1));
  $("#next").addEventListener("click", () => step(1));
  $("#play").addEventListener("click", () => isPlaying() ? post("stop") : play(-1));
  addEventListener("chosen", showScene);
}
