// The lab itself: what it sends, and what is sent to it.
import { $, say } from "./base.js";
import { tick } from "./time.js";

const silent = "The lab does not answer. Is it still running?";
let last = Promise.resolve(); // what is pressed first arrives first

export function postLive(what, fields = {}) {
  return last = last.then(async () => {
    try {
      const reply = await fetch("/do/" + what, { method: "POST", body: JSON.stringify(fields), signal: AbortSignal.timeout(5000) });
      if (!reply.ok) say(await reply.text());
    } catch {
      say(silent);
    }
  });
}

// listen hands on what the lab sends. A browser has few streams for all its tabs, so a page
// that nobody sees gives its own up.
export function listen(receive) {
  let stream, heard = 0;
  const open = () => {
    stream?.close();
    if (document.hidden) return;
    stream = new EventSource("/events");
    for (const name of ["lab", "code", "panel", "lane", "sample", "scene"]) {
      stream.addEventListener(name, event => receive(name, JSON.parse(event.data)));
    }
    stream.addEventListener("now", event => {
      tick(+event.data);
      heard = performance.now();
      if ($("#line").textContent === silent) say("");
    });
    heard = performance.now();
  };
  document.addEventListener("visibilitychange", open);
  open();
  setInterval(() => {
    if (!document.hidden && performance.now() - heard > 3000) say(silent, 3600);
  }, 500);
}
