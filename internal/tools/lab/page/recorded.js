// A page without a server plays what was recorded: the events that a lab sent, each at its time.
import { $, say } from "./base.js";
import { goLive, tick } from "./time.js";

let playing = null; // the act that is played, and how far

export const isRecorded = () => typeof recordings !== "undefined";

// begin plays an act from its beginning, or shows its end at once if it began long ago.
function begin(receive, scene, act, began) {
  const found = recordings.acts.find(a => a.scene === scene && a.act === act) ?? recordings.acts[0];
  goLive();
  for (const [, name, data] of recordings.common) receive(name, data);
  playing = { ...found, next: 0, began, receive };
  advance();
}

function advance() {
  const { began, events } = playing, clock = Math.min(events[0][0] + performance.now() - began, events.at(-1)[0]);
  tick(clock, 100);
  for (; events[playing.next]?.[0] <= clock; playing.next++) {
    const [, name, data] = events[playing.next];
    playing.receive(name, structuredClone(data));
  }
}

export function listenToRecording(receive) {
  document.body.classList.add("recorded");
  $("#made").textContent = recordings.made;
  begin(receive, 1, 0, -Infinity); // a quick visitor has waited for a slow one: that tells what this is about
  setInterval(() => { if (playing.next < playing.events.length) advance(); }, 40);
  return (what, fields) => {
    if (what === "play") begin(receive, fields.scene, fields.act, performance.now());
    else if (what === "stop") begin(receive, playing.scene, playing.act, -Infinity);
    else say("This page plays what was recorded. With the lab itself you can do more: make lab.");
  };
}
