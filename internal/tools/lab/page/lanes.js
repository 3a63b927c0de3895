// Draws the lanes: one a visitor, time from left to right, in the language of the
// book's figures.

const still = matchMedia("(prefers-reduced-motion: reduce)");
const pause = 4000; // after so long without anybody a new scene begins
let begin = 0;
let planned = false;

export function draw(state) {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    const lanes = state.panels.flatMap(p => p.view.lanes);
    const open = lanes.some(l => !l.over);
    const last = Math.max(0, ...lanes.map(l => l.over));
    let now = open ? state.clock + performance.now() : last + 300;
    if (still.matches) now = Math.ceil(now / 1000) * 1000;
    begin = scene(lanes, begin);
    const { slow, patience } = state.panels[0]?.view ?? {}, span = 1000 * Math.max(8, 3.2 * slow, patience + 3);
    const from = Math.max(begin, now - span);
    for (const panel of state.panels) drawPanel(panel, from, from + span, now);
    if (open && still.matches) setTimeout(() => draw(state), 1000);
    else if (open) draw(state);
  });
}

// scene returns when the last scene began: with a visitor who came when nobody had been there for
// a while.
function scene(lanes, begin) {
  let quiet = 0;
  for (const l of lanes.toSorted((a, b) => a.arrived - b.arrived)) {
    if (quiet && l.arrived > quiet + pause || !begin) begin = Math.max(begin, l.arrived);
    quiet = Math.max(quiet, l.over || Infinity);
  }
  return begin;
}

function colors() {
  const style = getComputedStyle(document.documentElement);
  return name => style.getPropertyValue("--" + name);
}

function context(canvas, width, height) {
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const g = canvas.getContext("2d");
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.clearRect(0, 0, width, height);
  return g;
}

function drawPanel(panel, from, to, now) {
  const canvas = panel.canvas ??= panel.article.querySelector(".lanes canvas");
  const width = canvas.parentElement.clientWidth, height = canvas.parentElement.clientHeight;
  if (!width || !height) return;
  const g = context(canvas, width, height), color = colors();
  const lanes = panel.view.lanes.filter(l => !l.over || l.over > from);
  canvas.setAttribute("aria-label", `${lanes.length} lanes, one a visitor; a list in words follows`);

  // The newest lanes have room for a name; those above them, if there are many, share the rest.
  const axis = 20, pitch = 24, room = height - axis;
  let large = Math.min(lanes.length, Math.floor(room / pitch));
  if (large < lanes.length) large = Math.min(large, Math.max(3, Math.floor(room / pitch / 2)));
  const small = lanes.length - large;
  const squeezed = small ? Math.min(8, (room - large * pitch) / small) : 0;
  g.font = "13px system-ui, sans-serif";
  const label = 8 + Math.max(54, ...lanes.slice(small).map(l => g.measureText(l.name).width)), right = width - 16;
  const x = t => label + Math.max(0, t - from) * (right - label) / (to - from);

  g.textBaseline = "middle";
  g.strokeStyle = color("tick");
  g.fillStyle = color("small");
  g.textAlign = "center";
  const step = [1000, 2000, 3000, 5000, 10000].find(ms => ms * (right - label) / (to - from) > 30) ?? 20000;
  for (let t = Math.ceil((from - begin) / step) * step; t <= to - begin; t += step) {
    line(g, x(begin + t), 0, x(begin + t), room, 1);
    if (x(begin + t) < right + 4) g.fillText(t / 1000 + "s", x(begin + t), height - 9);
  }
  g.textAlign = "left";
  lanes.forEach((l, i) => {
    const big = i >= small;
    const y = big ? small * squeezed + (i - small) * pitch + pitch / 2 : i * squeezed + squeezed / 2;
    const size = big ? 1 : Math.max(0.2, squeezed / pitch);
    const end = x(l.over || now);
    const served = l.served ? x(l.served) : end;
    if (served - x(l.arrived) > 2) waits(g, color, x(l.arrived), l.served ? served : end, y, size);
    if (l.served) {
      g.strokeStyle = color("served");
      line(g, served - x(l.arrived) > 2 ? served : x(l.arrived), y, Math.max(end, served + 3), y, 9 * size);
    }
    if (big) {
      g.fillStyle = color("text");
      g.fillText(l.name, 0, y);
    }
    if (!l.over) return;
    mark(g, color, l.kind, Math.max(end, served + 3), y, big ? 0.8 : 2.2 * size);
    const word = l.kind.replace("is ", "").replace("leaves", "left");
    if (big && end + 12 + g.measureText(word).width < width) {
      g.fillStyle = color("text");
      g.fillText(word, end + 11, y);
    }
  });
  if (small * squeezed > 14) {
    g.fillStyle = color("small");
    g.fillText(`${small} more`, 0, Math.max(8, small * squeezed / 2));
  }
}

function line(g, x1, y1, x2, y2, width) {
  g.lineWidth = width;
  g.beginPath();
  g.moveTo(x1, y1);
  g.lineTo(x2, y2);
  g.stroke();
}

function waits(g, color, from, to, y, size) {
  g.strokeStyle = color("waits");
  g.lineCap = "round";
  g.setLineDash([0, Math.max(4, 8 * size)]);
  line(g, from + 2, y, to - 2, y, Math.max(1.6, 4 * size));
  g.setLineDash([]);
  g.lineCap = "butt";
}

function mark(g, color, kind, x, y, size) {
  const r = 8 * Math.min(size, 0.8);
  g.beginPath();
  switch (kind) {
    case "is answered":
      g.fillStyle = color("served");
      g.arc(x, y, r, 0, 7);
      return g.fill();
    case "leaves":
      g.fillStyle = color("paper");
      g.strokeStyle = color("small");
      g.lineWidth = r / 2.2;
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

// sign draws an entry of the legend.
export function sign(canvas) {
  const line_ = ["waits", "served"].includes(canvas.dataset.sign), width = line_ ? 36 : 18;
  canvas.style.width = width + "px";
  canvas.style.height = "18px";
  const g = context(canvas, width, 18), color = colors();
  if (canvas.dataset.sign === "waits") waits(g, color, 1, width, 9, 1);
  else if (canvas.dataset.sign === "served") {
    g.strokeStyle = color("served");
    line(g, 2, 9, width - 2, 9, 9);
  } else mark(g, color, canvas.dataset.sign, 9, 9, 0.8);
}
