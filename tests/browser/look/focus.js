// Returns which of the reachable elements has the focus (-1: none), what it is, and whether the focus is to be seen.
const element = document.activeElement;
const rings = [element, element.closest('label'), element.nextElementSibling, element.parentElement];
const isRinged = rings.filter(Boolean).some((one) => {
  const style = getComputedStyle(one);
  return (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none';
});
const name = element.textContent.trim().slice(0, 30) || element.name || element.id;
return [window.reachable.indexOf(element), `${element.localName} "${name}"`, isRinged];
