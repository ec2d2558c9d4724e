// Remembers what the Tab key must reach, once each, and returns how many that are.
const all = document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]');
const groups = new Set();
window.reachable = [...all].filter((element) => {
  if (element.disabled || element.type === 'hidden' || element.tabIndex < 0) return false;
  if (!element.checkVisibility({ visibilityProperty: true })) return false;
  // A group of radio buttons is one stop.
  if (element.type !== 'radio') return true;
  const group = `${element.form?.id ?? ''} ${element.name}`;
  const stop = document.querySelector(`input[type=radio][name="${CSS.escape(element.name)}"]:checked`) ?? element;
  if (groups.has(group) || stop !== element) return false;
  return groups.add(group);
});
document.activeElement?.blur();
return window.reachable.length;
