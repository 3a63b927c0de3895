// Draws goroutine 1 over time, by the place where it is, and the threads that visitors hold.
import { cut, dashed, hatch } from "./lanes.js";

// How a place is drawn: where goroutine 1 is in Accept, the next visitor can come; anywhere else,
// they wait. Each place has a pattern of its own.
const patterns = { Accept: "free", handleConnection: "solid", await: "slanted", readRequest: "open" };

// spans joins the samples in which goroutine 1 is at the same place.
function* spans(samples, frame) {
  const what = s => s.state !== "running" && s.state !== undefined ? "gone" : s.place;
  for (let i = Math.max(0, samples.findLastIndex(s => s.at <= frame.from)), j; i < samples.length && samples[i].at <= frame.t; i = j) {
    const place = what(samples[i]);
    for (j = i + 1; j < samples.length && what(samples[j]) === place;) j++;
    const from = Math.max(samples[i].at, frame.from), to = Math.min(samples[j]?.at ?? frame.t, frame.t);
    if (to > from) yield { place: place ?? "", wait: samples[i].wait, from, to };
  }
}

// Where nobody waits for goroutine 1, the name gives way to the others.
const frees = place => place === "Accept" || place === "gone";

// drawStrip draws where goroutine 1 was, and below it, from where it came there, the place's name.
export function drawStrip(d, panel, height, bottom) {
  const { g, color, x, label, right, size, frame, font } = d, middle = height / 2, r = size * 0.62;
  g.fillStyle = color("text");
  g.beginPath();
  g.arc(r, middle, r, 0, 7);
  g.fill();
  [g.fillStyle, g.textAlign] = [color("paper"), "center"];
  g.fillText("1", r, middle + 1);
  [g.fillStyle, g.textAlign] = [color("text"), "left"];
  if (g.measureText("goroutine").width < label - r * 2 - 10) g.fillText("goroutine", r * 2 + 4, middle);
  if (panel.view.go === false && panel.view.state === "running") return g.fillText("not in Go: cannot be seen", label, middle);
  const all = [...spans(panel.past.samples, frame)];
  font(0.9);
  let free = label; // from where the next name can be written
  all.forEach(({ place, wait, from, to }, i) => {
    const left = x(from), width = Math.max(1, x(to) - left), isFree = frees(place);
    drawPlace(g, color, place, left, width, height, bottom);
    const next = isFree ? i + 1 : all.findIndex((s, j) => j > i && !frees(s.place) && s.to - s.from > 300);
    const room = (all[next] && next > 0 ? x(all[next].from) : right) - Math.max(left, free) - 6;
    const text = cut(g, room > g.measureText(`${place} [${wait}]`).width && wait ? `${place} [${wait}]` : place, room);
    if (to - from < 300 || text.length < Math.min(4, place.length)) return;
    g.fillStyle = color("text");
    g.fillText(text, Math.max(left, free), height + size * 0.75);
    free = Math.max(left, free) + g.measureText(text).width + 8;
  });
  font(1);
}

// drawPlace draws one span, and where goroutine 1 is not in Accept a shade behind the visitors.
function drawPlace(g, color, place, left, width, height, bottom) {
  const bar = height * 0.86, middle = height / 2, top = middle - bar / 2, pattern = patterns[place] ?? "other";
  if (!place) return;
  if (place === "gone") return dashed(g, color("small"), left, left + width, middle, 1.5, [4, 4]);
  if (pattern === "free") {
    [g.strokeStyle, g.lineWidth] = [color("link"), 2];
    if (width > 3) g.strokeRect(left + 1, top + 1, width - 2, bar - 2);
    return;
  }
  g.fillStyle = color(pattern === "other" ? "small" : "waits");
  g.globalAlpha = 0.13;
  g.fillRect(left, top, width, bottom - top);
  g.globalAlpha = 1;
  if (pattern === "slanted") hatch(g, color("waits"), left, left + width, middle, bar, 9);
  else if (pattern === "open") {
    [g.strokeStyle, g.lineWidth] = [color("waits"), 3];
    g.setLineDash([6, 4]);
    g.strokeRect(left + 1.5, top + 1.5, Math.max(1, width - 3), bar - 3);
    g.setLineDash([]);
  } else g.fillRect(left, top, width, bar);
}

// drawThreads draws the threads that visitors hold.
export function drawThreads({ g, color, x, label, right, frame, font }, panel, y, height) {
  const samples = panel.past.samples, first = Math.max(0, samples.findLastIndex(s => s.at <= frame.from));
  const seen = samples.slice(first).filter(s => s.at <= frame.t);
  const highest = Math.max(4, ...seen.map(s => s.held ?? 0)), up = n => y + height - 1 - (n / highest) * (height - 2);
  const held = panel.past.at(frame.t).held ?? 0, now = x(frame.t);
  font(0.85);
  g.fillStyle = color("text");
  g.fillText("threads", 0, y + height / 2);
  g.beginPath();
  g.moveTo(label, up(seen[0]?.held ?? 0));
  seen.forEach((s, i) => {
    const at = x(Math.max(s.at, frame.from));
    g.lineTo(at, up(seen[Math.max(0, i - 1)].held ?? 0));
    g.lineTo(at, up(s.held ?? 0));
  });
  g.lineTo(now, up(held));
  [g.strokeStyle, g.lineWidth] = [color("link"), 2];
  g.stroke();
  g.fillText("+" + held, Math.min(now + 5, right - g.measureText("+" + held).width), y + height / 2);
  font(1);
}
