// The time that is shown. All that has happened has a time, so to go back is to draw.
import { $, setText, state } from "./base.js";

const kept = 300_000; // milliseconds, after which the past is forgotten
const slowly = 0.25;

let offset = 0; // of the lab's clock from the page's
let until = 0; // the page's time at which the lab's clock stands still, unless it is heard of again
let shownAt = null, since = 0, rate = 1; // what is shown was then, and goes on; null: what is now

// tick sets the lab's clock, which goes on by itself for a while.
export function tick(ms, ahead = 3000) {
  offset = ms - performance.now();
  until = performance.now() + ahead;
}
export const now = () => offset + Math.min(performance.now(), until);
export const shown = () => shownAt === null ? now() : Math.min(now(), shownAt + (performance.now() - since) * rate);
export const isLive = () => shownAt === null;

function showAt(at, newRate) {
  [shownAt, since, rate] = [at, performance.now(), newRate];
  $("#pause").setAttribute("aria-pressed", String(at !== null && rate === 0));
  $("#slowly").setAttribute("aria-pressed", String(at !== null && rate === slowly));
  dispatchEvent(new Event("draw"));
}
export const goLive = () => showAt(null, 1);

export function addTimeControls() {
  $("#pause").addEventListener("click", () => showAt(shown(), shownAt !== null && rate === 0 ? 1 : 0));
  $("#slowly").addEventListener("click", () => showAt(shown(), shownAt !== null && rate === slowly ? 1 : slowly));
  $("#live").addEventListener("click", goLive);
  $("#ago").addEventListener("input", event => +event.target.value >= 0 ? goLive() : showAt(now() + event.target.value * 1000, 0));
}

// showTime moves the slider to the time that is shown.
export function showTime() {
  const slider = $("#ago"), begin = Math.min(...state.panels.map(p => p.past.samples[0]?.at ?? now()));
  const ago = Math.round((shown() - now()) / 100) / 10;
  const least = String(Math.min(-1, Math.floor((Math.max(begin, now() - kept) - now()) / 1000)));
  if (slider.min !== least) slider.min = least;
  if (+slider.value !== ago) slider.value = ago;
  const text = isLive() ? "now" : `${(-ago).toFixed(1)} s ago`;
  if (slider.ariaValueText === text) return;
  slider.ariaValueText = text;
  setText($("#when"), text);
  $("#live").hidden = isLive();
}

// A Past is what has happened to one server: a lane for each visitor, and samples of the server,
// each of which holds until the next.
export class Past {
  lanes = new Map();
  samples = [];

  addLane(lane) {
    this.lanes.set(lane.n, lane);
    for (const [n, { over }] of this.lanes) if (over && over < now() - kept) this.lanes.delete(n);
  }
  addSample(sample) {
    this.samples.push(sample);
    if (this.samples[1]?.at < now() - kept) this.samples.shift();
  }

  at(t) { return this.samples.findLast(s => s.at <= t) ?? {}; }
}

// as returns a lane as it was at a time.
export const as = (lane, t) => {
  const then = time => time && time <= t ? time : 0;
  return { ...lane, accepted: then(lane.accepted), served: then(lane.served), over: then(lane.over) };
};
