// Predict: a class chooses an answer, and the servers say which one is right.
import { state, post, open } from "./lab.js";

const section = document.querySelector("#question");
let file = []; // of questions, each of which is asked of some stages
fetch("questions.json").then(reply => reply.json()).then(all => { file = all; known = null; showQuestion(); });
let at = 0;
let known = null;

const make = (tag, textContent, properties = {}) => Object.assign(document.createElement(tag), { textContent, ...properties });

// showQuestion shows a question: the next one, the one before, or the one that is being
// answered, by whichever browser.
export function showQuestion(what) {
  const prediction = state.prediction;
  const questions = state.panels.flatMap(({ view: v }) => file.map((q, id) => ({ ...q, id, stage: v.stage.Number, page: `docs/${v.stage.Folder}.md#${q.page}` })))
    .filter(q => q.stages.includes(q.stage));
  const isMine = q => q.id === prediction?.question && q.stage === prediction.stage;
  const asked = questions.findIndex(isMine);
  if (what === "toggle") section.hidden = !section.hidden;
  if (asked >= 0 && JSON.stringify(prediction) !== known) {
    known = JSON.stringify(prediction);
    at = asked;
    section.hidden = false;
  } else if (!what) return;
  for (const p of state.panels) p.article.classList.toggle("asked", !section.hidden && p.view.stage.Number === questions[at]?.stage);
  document.querySelector("#predict").setAttribute("aria-expanded", String(!section.hidden));
  if (section.hidden || !questions.length) return;

  const q = questions[at];
  const mine = isMine(q) ? prediction : null;
  const busy = prediction && !prediction.seen;
  const head = make("p", `Stage ${q.stage}, question ${at + 1} of ${questions.length}`, { className: "small" });
  const step = (text, by) => make("button", text, { onclick: () => { at = (at + by + questions.length) % questions.length; showQuestion("again"); } });
  const choices = make("ol", "");
  q.choices.forEach(({ says }, i) => {
    const button = make("button", says, { disabled: !!busy, onclick: () => post("predict", { stage: q.stage, question: q.id, chosen: i }) });
    if (mine?.chosen === i) button.classList.add("chosen");
    if (mine?.seen) {
      const right = (mine.right ?? []).includes(i);
      button.classList.toggle("right", right);
      if (right) button.append(" ✓ so it was");
      else if (mine.chosen === i) button.append(" ✗ not so");
    }
    const item = make("li", "");
    item.append(button);
    choices.append(item);
  });
  const outcome = make("p", mine?.seen ? "What happened: " + mine.seen : mine ? "The visitors are on their way ..." : "Choose an answer. The visitors then come, and what the server does decides.");
  outcome.setAttribute("role", "status");
  const read = make("button", "read on", { onclick: () => open(q.page) });
  const foot = make("p", "");
  foot.append(step("← before", -1), " ", step("next →", 1), " ", read);
  const focused = [...section.querySelectorAll("button")].indexOf(document.activeElement);
  section.replaceChildren(head, make("h2", q.asks), choices, outcome, foot);
  if (focused >= 0) section.querySelectorAll("button")[focused]?.focus();
}
