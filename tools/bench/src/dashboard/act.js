// Acts once the page is live, and answers the milliseconds until the frame that shows another first row.
const done = arguments[arguments.length - 1];
const rows = () => document.querySelector('.matrix tbody');
const first = () => rows().querySelector('th')?.textContent ?? '';
const begin = () => {
  if (document.documentElement.dataset.live === undefined) return setTimeout(begin, 20);
  const before = first();
  const begun = performance.now();
  const shown = new MutationObserver(() => {
    if (first() === before) return;
    shown.disconnect();
    // After the frame that is being made, not before it.
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
  });
  shown.observe(rows(), { childList: true, subtree: true, characterData: true });
  act();
};
begin();
