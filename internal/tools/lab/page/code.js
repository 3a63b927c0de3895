// Shows source with the goroutines standing on its lines.
import { $, $$, make, number } from "./base.js";

// A word of Go, a text or a comment; the capturing groups say which.
const tokens = /(\/\/.*)|("(?:\\.|[^"\\])*"|`[^`]*`)|\b(break|case|const|continue|default|defer|else|for|func|go|if|import|interface|package|range|return|select|struct|switch|type|var)\b/g;

// showLines puts lines of a file into a list: margin and code, each with its place as in "main.go:58".
export function showLines(list, file, text, first, last, isNew = []) {
  const lines = text.split("\n").slice(first - 1, last);
  const indent = lines[0]?.match(/^\t*/)[0].length ?? 0;
  list.replaceChildren(...lines.map((textOfLine, i) => {
    const code = make("code"), source = textOfLine.slice(Math.min(indent, textOfLine.match(/^\t*/)[0].length));
    let end = 0;
    for (const m of source.matchAll(tokens)) {
      code.append(source.slice(end, m.index), make("span", m[0], { className: m[1] ? "comment" : m[2] ? "string" : "word" }));
      end = m.index + m[0].length;
    }
    code.append(source.slice(end));
    const item = make("li", "", { className: /^\s*\/\//.test(source) ? "remark" : "" }, make("span", "", { className: "margin" }), code);
    item.dataset.line = first + i;
    item.dataset.place = `${file}:${first + i}`;
    item.classList.toggle("new", isNew.includes(first + i));
    return item;
  }));
}

// showMarks puts goroutine 1 and the others into the margin of the lines where they are. In the
// loop, a line counts those too who were called or started from it.
export function showMarks(list, sample, inLoop) {
  for (const item of $$("li", list)) {
    const place = item.dataset.place, [on = 0, held = 0, inner = 0] = sample.lines?.[place] ?? [];
    const lines1 = sample.lines1 ?? [], is1 = inLoop ? lines1.includes(place) : lines1.at(-1) === place;
    const others = inLoop ? on : inner, holding = inLoop ? held : on === held ? inner : 0;
    const key = `${is1} ${others} ${holding}`;
    if (item.dataset.marks === key) continue;
    item.dataset.marks = key;
    const margin = $(".margin", item), parked = others - holding;
    const count = (n, sign) => n > 3 ? sign + number(n) : sign.repeat(n);
    margin.replaceChildren(...is1 ? [make("b", "1", { title: "goroutine 1" })] : [], count(holding, "●") + count(parked, "○"));
    margin.title = [is1 ? "goroutine 1" : "", holding ? `${holding} that hold a thread` : "", parked ? `${parked} parked` : ""].filter(Boolean).join(", ");
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
