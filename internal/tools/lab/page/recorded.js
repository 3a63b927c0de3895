// A page without a server plays what was recorded: the events that a lab sent, each at its time.
import { $, say } from "./base.js";
import { goLive, tick } from "./time.js";

let playing = null; // the act that is played, and how far

export const isRecorded = () => typeof recordings !== "undefined";

// begin shows an act as it was before anybody came, or plays it, from its beginning or to its end at once.
function begin(receive, scene, act, plays, began = performance.now()) {
  const found = recordings.acts.find(a => a.scene === scene && a.act === act) ?? recordings.acts[0];
  goLive();
  for (const [, name, data] of recordings.common) receive(name, data);
  const views = Map.groupBy(found.events.filter(([, name]) => name === "panel"), ([, , view]) => view.id);
  for (const [[, name, view]] of views.values()) receive(name, { ...view, from: 0 });
  tick(0, 0);
  playing = { ...found, next: 0, began, end: plays ? found.end : 0, receive };
  advance();
  if (!plays) receive("scene", null);
}

function advance() {
  const clock = Math.min(performance.now() - playing.began, playing.end);
  tick(clock, 100);
  for (; playing.next < playing.events.length && playing.events[playing.next][0] <= clock; playing.next++) {
    playing.receive(playing.events[playing.next][1], structuredClone(playing.events[playing.next][2]));
  }
}

export function listenToRecording(receive) {
  document.body.classList.add("recorded");
  $("#made").textContent = recordings.made;
  say("");
  begin(receive, 1, 0, true, -Infinity); // a quick visitor has waited for a slow one: that tells what this is about
  const step = () => {
    if (playing.end && playing.next < playing.events.length) advance();
    setTimeout(step, 40);
  };
  step();
  return (what, fields) => {
    if (what === "play") begin(receive, fields.scene, fields.act, true);
    else if (what === "stop") begin(receive, playing.scene, playing.act, false);
    else say("This page plays what was recorded. With the lab itself you can do more: make lab.");
  };
}
