// Answers where `text` is. A program's memory is searched for it in UTF-8 and in UTF-16.
const bytes = new TextEncoder().encode(text);
const wide = new Uint8Array(text.length * 2);
for (let i = 0; i < text.length; i++) new DataView(wide.buffer).setUint16(2 * i, text.charCodeAt(i), true);
const holds = (memory, needle) => {
  for (let at = memory.indexOf(needle[0]); at >= 0; at = memory.indexOf(needle[0], at + 1)) {
    if (needle.every((byte, i) => memory[at + i] === byte)) return true;
  }
  return false;
};
const memories = (window.memories ?? []).map((memory) => new Uint8Array(memory.buffer));
const entries = performance.getEntries().map((entry) => entry.name);
const places = {
  wasm: memories.some((memory) => holds(memory, bytes) || holds(memory, wide)),
  html: document.documentElement.outerHTML.includes(text),
  addresses: [location.href, document.referrer, ...entries].some((address) => address.includes(text)),
  storage: JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state]).includes(text),
};
return Object.keys(places).filter((place) => places[place]);
