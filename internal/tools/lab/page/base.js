// What all of the page's files share.
export const state = {
  panels: [], // of servers, in their order; see panel.js
  to: -1, // the panel that is chosen, or -1: all
  scene: null, // what is being played, or was last
};

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

export const make = (tag, textContent = "", properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), { textContent, ...properties });
  element.append(...children);
  return element;
};

export const setText = (element, value) => { if (element.textContent !== value) element.textContent = value; };
export const number = n => n.toLocaleString("en");

// say shows a message beside the title, for as long as it takes to read it.
let saying;
export function say(text, seconds = 10) {
  setText($("#line"), text);
  clearTimeout(saying);
  saying = setTimeout(() => setText($("#line"), ""), seconds * 1000);
}

// speak puts into the live region what has happened to a server: once a second, and what is alike
// together. A sentence is as in "stage 3: slow 1 is answered."
let toSpeak = [];
export function speak(where, kind, sentence) {
  if (!toSpeak.length) setTimeout(speakAll, 1000);
  toSpeak.push({ where, kind, sentence });
}
function speakAll() {
  const groups = [...Map.groupBy(toSpeak, s => s.where + ": " + s.kind)];
  setText($("#spoken"), groups.map(([kind, all]) => all.length > 2 ? `${kind}, ${all.length} times.` : all.map(s => `${s.where}: ${s.sentence}`).join(" ")).join(" "));
  toSpeak = [];
}
