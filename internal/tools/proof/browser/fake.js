// This script stands in for a lab: a test sends events, and posts has what the page asks for, as in `send {"kind":"quick"}`.
const fake = { streams: new Set(), posts: [], spoken: "" };
fake.send = (name, data) => { for (const s of fake.streams) s.dispatchEvent(new MessageEvent(name, { data })); };
window.EventSource = class extends EventTarget {
  constructor() { super(); fake.streams.add(this); }
  close() { fake.streams.delete(this); }
};
window.fetch = async (url, { body }) => {
  fake.posts.push(url.replace("/do/", "") + " " + body);
  return new Response();
};
