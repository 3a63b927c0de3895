// Shows source with the goroutines standing on its lines.
import { $, $$, make, number } from "./base.js";

// showLines puts lines of a file into a list: margin and code, each with its place as in "main.go:58".
export function showLines(list, file, text, first, last) {
  const lines = text.split("\n").slice(first - 1, last);
  const indent = lines[0]?.match(/^\t*/)[0].length ?? 0;
  list.replaceChildren(...lines.map((textOfLine, i) => {
    const source = textOfLine.slice(Math.min(indent, textOfLine.match(/^\t*/)[0].length));
    const item = make("li", "", { className: /^\s*\/\//.test(source) ? "remark" : "" }, make("span", "", { className: "margin" }), make("code", source));
    item.dataset.line = first + i;
    item.dataset.place = `${file}:${first + i}`;
    return item;
  }));
}

// showMarks puts goroutine 1 and the others into the margin of the lines where they are. A line of the
// loop also counts the goroutines that were called or started from it.
export function showMarks(list, sample, inLoop) {
  for (const item of $$("li", list)) {
    const place = item.dataset.place, [on = 0, held = 0, inner = 0] = sample.lines?.[place] ?? [];
    const stack = sample.stack ?? [], is1 = inLoop ? stack.includes(place) : stack.at(-1) === place;
    const others = inLoop ? on : inner, holding = inLoop ? held : on === held ? inner : 0;
    const margin = $(".margin", item), parked = others - holding;
    const count = (n, sign) => n > 3 ? sign + number(n) : sign.repeat(n);
    margin.replaceChildren(...is1 ? [make("b", "1")] : [], count(holding, "●") + count(parked, "○"));
    item.classList.toggle("on", is1 || others > 0);
  }
}

// find returns the lines of a file that an excerpt shows, one after the other.
export function find(text, excerpt) {
  const lines = text.split("\n").map(l => l.trim()), found = [];
  for (const wanted of excerpt.split("\n").map(l => l.trim()).filter(l => l && l !== "// ...")) {
    const at = lines.indexOf(wanted, found.at(-1) ?? 0);
    if (at >= 0) found.push(at + 1);
  }
  return found;
}
