// Notes down what is drawn on each canvas since it was cleared last, in CSS pixels: texts with the
// boxes that they take, filled rectangles, and lines. $ and $$ find elements.
const $ = q => document.querySelector(q), $$ = q => [...document.querySelectorAll(q)];
{
  const proto = CanvasRenderingContext2D.prototype;
  const wrap = (name, note) => {
    const original = proto[name];
    proto[name] = function (...args) {
      note(this, this.canvas.drawn ??= [], ...args);
      return original.apply(this, args);
    };
  };
  wrap("clearRect", (g, drawn, x, y, width, height) => { drawn.length = 0; g.canvas.drawnSize = width + "x" + height; });
  wrap("fillText", (g, drawn, text, x, y) => {
    const width = g.measureText(text).width, size = parseFloat(g.font);
    drawn.push({ text, size, left: g.textAlign === "center" ? x - width / 2 : x, width, top: y - size / 2, height: size, color: g.fillStyle });
  });
  wrap("fillRect", (g, drawn, left, top, width, height) => drawn.push({ rect: true, left, top, width, height, color: g.fillStyle, alpha: g.globalAlpha }));
  wrap("strokeRect", (g, drawn, left, top, width, height) => drawn.push({ frame: true, left, top, width, height, color: g.strokeStyle }));
  wrap("moveTo", (g, drawn, x, y) => { g.from = [x, y]; });
  wrap("lineTo", (g, drawn, x, y) => {
    drawn.push({ line: true, left: g.from[0], top: g.from[1], right: x, bottom: y, color: g.strokeStyle, dashed: g.getLineDash().length > 0 });
    g.from = [x, y];
  });
}
