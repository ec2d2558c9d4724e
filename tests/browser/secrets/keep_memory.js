// Evaluated before the page's own scripts.
window.memories = [];
for (const name of ['instantiate', 'instantiateStreaming']) {
  const original = WebAssembly[name];
  WebAssembly[name] = async (...given) => {
    const made = await original.apply(WebAssembly, given);
    const { memory } = (made.instance ?? made).exports;
    if (memory) window.memories.push(memory);
    return made;
  };
}
