// Draws the visitors: a lane each, time from left to right, in the language of the book's figures.
import { as } from "./time.js";
import { drawStrip, drawThreads } from "./strip.js";

// drawPanel draws goroutine 1, the visitors, the threads and the axis of one server as they were at
// the frame's time t.
export function drawPanel(panel, frame) {
  const canvas = panel.canvas, { clientWidth: width, clientHeight: height } = canvas.parentElement;
  if (!width || !height) return;
  const g = context(canvas, width, height), { color } = frame;
  const size = Math.max(13, Math.min(width / 14, height / 13, 32));
  const font = scale => { g.font = `${Math.round(size * scale)}px system-ui, sans-serif`; };
  font(1);
  const lanes = [...panel.past.lanes.values()]
    .filter(l => l.arrived <= frame.t && (!l.over || l.over > Math.max(frame.from, panel.view.from ?? 0)))
    .sort((a, b) => a.n - b.n).map(l => as(l, frame.t));
  // Below the visitors are the threads, if there is room, and the axis.
  const more = panel.past.at(frame.t).more ?? 0, isLow = height < size * 13;
  const top = size * 2.9, bottom = height - size * (isLow ? 1.2 : 3.2), room = bottom - top - (more ? size : 0);
  const rows = layOut(lanes, room, Math.max(1.5 * size, Math.min(room / Math.max(4, lanes.length), 2.6 * size)));
  const limit = width * (width < 200 ? 0.36 : width < 400 ? 0.3 : 0.22);
  const label = 10 + Math.min(limit, Math.max(size * 3.4, ...rows.filter(r => r.big).map(r => g.measureText(r.lane.name).width)));
  const right = width - 4;
  const x = t => label + Math.min(Math.max(0, t - frame.from) / (frame.to - frame.from), 1) * (right - label);
  const d = { g, color, size, x, label, right, frame, font };

  drawAxis(d, top, bottom, height);
  drawStrip(d, panel, size * 1.5, bottom);
  for (const row of rows) drawLane(d, row, top + row.y);
  drawGroups(d, rows, top, more, bottom);
  if (!isLow) drawThreads(d, panel, bottom + size * 0.4, size * 1.4);
  canvas.ariaLabel = `Goroutine 1, ${lanes.length} visitors and the threads over time; a list in words follows.`;
}

// layOut gives each lane its row. If there are more than there is room for, the visitors who came in
// a crowd, and the earliest of the others, share what the latest leave.
function layOut(lanes, room, pitch) {
  const kind = l => l.name.replace(/ \d+$/, "");
  const crowd = 5, fit = Math.floor(room / pitch);
  const rows = lanes.map(lane => ({ lane, kind: kind(lane), big: true }));
  if (rows.length > fit) {
    for (let i = 0, j; i < rows.length; i = j) {
      for (j = i; j < rows.length && rows[j].kind === rows[i].kind;) j++;
      if (j - i >= crowd) for (const row of rows.slice(i, j)) row.big = false;
    }
    rows.filter(r => r.big).slice(0, -Math.max(2, Math.floor(fit * 0.6))).forEach(r => { r.big = false; });
  }
  const big = rows.filter(r => r.big).length;
  const small = Math.min(pitch, (room - big * pitch) / (rows.length - big));
  let y = 0;
  for (const row of rows) {
    row.pitch = row.big ? pitch : small;
    row.y = y + row.pitch / 2;
    y += row.pitch;
  }
  return rows;
}

function drawAxis({ g, color, x, right, size, frame, font }, top, bottom, height) {
  font(0.8);
  [g.strokeStyle, g.fillStyle, g.textAlign, g.textBaseline] = [color("tick"), color("small"), "center", "middle"];
  const px = x(frame.from + 1000) - x(frame.from);
  const step = 1000 * ([1, 2, 5, 10, 20].find(s => s * px > size * 2.4) ?? 60);
  for (let t = Math.ceil((frame.from - frame.begin) / step) * step; frame.begin + t <= frame.to; t += step) {
    const at = x(frame.begin + t), text = t / 1000 + "s";
    line(g, at, top, at, bottom, 1);
    if (at < right - g.measureText(text).width / 2) g.fillText(text, at, height - size * 0.5);
  }
  g.textAlign = "left";
  font(1);
}

function drawLane({ g, color, x, label, right, size, frame }, { lane: l, big, pitch }, y) {
  const bar = big ? pitch * 0.38 : Math.max(1, pitch * 0.7), end = x(l.over || frame.t);
  const taken = l.accepted || l.served, begin = x(l.arrived), asked = l.served ? x(l.served) : end;
  if (!l.over || l.over > l.arrived) dashed(g, color("waits"), begin + 2, (taken ? x(taken) : end) - 2, y, Math.max(1.6, bar * 0.5), [0, Math.max(4, bar)], "round");
  if (l.accepted && big) hatch(g, color("served"), x(l.accepted), asked, y, bar);
  else if (l.accepted) dashed(g, color("served"), x(l.accepted), Math.max(x(l.accepted) + 3, asked), y, bar, [3, 3]); // too thin to be hatched
  if (l.served) {
    g.fillStyle = color("served");
    g.fillRect(x(l.served), y - bar / 2, Math.max(3, end - x(l.served)), bar);
  }
  if (big) {
    g.fillStyle = color("text");
    g.fillText(cut(g, l.name, label - 6), 0, y);
  }
  if (!l.over || end <= label && l.over < frame.from) return;
  mark(g, color, l.kind, end, y, big ? size * 0.46 : Math.max(1.2, Math.min(size * 0.4, pitch * 0.5)));
  const word = l.kind.replace("is ", "").replace("leaves", "left");
  if (big && end + size * 0.8 + g.measureText(word).width < right) {
    g.fillStyle = color("text");
    g.fillText(word, end + size * 0.8, y);
  }
}

// drawGroups names the crowds, and says how many visitors have no lane.
function drawGroups({ g, color, label, size, font }, rows, top, more, bottom) {
  font(0.85);
  g.fillStyle = color("small");
  for (let i = 0, j; i < rows.length; i = j) {
    for (j = i; j < rows.length && rows[j].kind === rows[i].kind && rows[j].big === rows[i].big;) j++;
    const height = (j - i) * rows[i].pitch, middle = top + (rows[i].y + rows[j - 1].y) / 2, name = `${j - i} ${rows[i].kind}`;
    if (rows[i].big || height < size * 0.9) continue;
    const words = g.measureText(name).width < label - 6 || height < size * 2 ? [name] : name.split(" ");
    words.forEach((word, k) => g.fillText(cut(g, word, label - 6), 0, middle + (k - (words.length - 1) / 2) * size));
  }
  if (more) g.fillText(`and ${more.toLocaleString("en")} more`, 0, bottom - size * 0.5);
  font(1);
}

function context(canvas, width, height) {
  const [w, h] = canvas.pixels ?? [width, height].map(n => Math.round(n * devicePixelRatio));
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const g = canvas.getContext("2d");
  g.setTransform(w / width, 0, 0, h / height, 0, 0);
  g.clearRect(0, 0, width, height);
  return g;
}

export function colors() {
  const style = getComputedStyle(document.documentElement), known = {};
  return name => known[name] ??= style.getPropertyValue("--" + name);
}

export function line(g, x1, y1, x2, y2, width) {
  g.lineWidth = width;
  g.beginPath();
  g.moveTo(x1, y1);
  g.lineTo(x2, y2);
  g.stroke();
}

// dashed draws a horizontal line, of dashes or dots.
export function dashed(g, color, from, to, y, width, pattern, cap = "butt") {
  if (to <= from) return;
  [g.strokeStyle, g.lineCap] = [color, cap];
  g.setLineDash(pattern);
  line(g, from, y, to, y, width);
  g.setLineDash([]);
  g.lineCap = "butt";
}

// hatch fills a bar with slanted lines.
export function hatch(g, color, from, to, y, height, gap = Math.max(4, height * 0.6)) {
  const width = Math.max(3, to - from);
  g.save();
  g.beginPath();
  g.rect(from, y - height / 2, width, height);
  g.clip();
  g.strokeStyle = color;
  g.lineWidth = gap * 0.36;
  g.beginPath();
  for (let at = from - height - from % gap; at < from + width; at += gap) {
    g.moveTo(at, y + height / 2);
    g.lineTo(at + height, y - height / 2);
  }
  g.stroke();
  g.lineWidth = 2;
  g.strokeRect(from, y - height / 2, width, height);
  g.restore();
}

function mark(g, color, kind, x, y, r) {
  g.beginPath();
  switch (kind) {
    case "is answered":
      g.fillStyle = color("served");
      g.arc(x, y, r, 0, 7);
      return g.fill();
    case "leaves":
      [g.fillStyle, g.strokeStyle, g.lineWidth] = [color("paper"), color("small"), r / 2.2];
      g.arc(x, y, r * 0.8, 0, 7);
      g.fill();
      return g.stroke();
    case "is dropped":
      g.strokeStyle = color("dropped");
      line(g, x - r * 0.8, y - r * 0.8, x + r * 0.8, y + r * 0.8, r / 2);
      return line(g, x - r * 0.8, y + r * 0.8, x + r * 0.8, y - r * 0.8, r / 2);
    default:
      g.fillStyle = color("other");
      g.fillRect(x - r * 0.8, y - r * 0.8, r * 1.6, r * 1.6);
  }
}

// cut shortens a text to a width.
export function cut(g, text, width) {
  if (g.measureText(text).width <= width) return text;
  while (text && g.measureText(text + "…").width > width) text = text.slice(0, -1);
  return text + "…";
}
