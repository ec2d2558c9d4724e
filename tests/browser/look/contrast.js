// Returns one line for each visible text whose contrast with what is behind it is too low.
const canvas = document.createElement('canvas');
canvas.width = canvas.height = 1;
const pen = canvas.getContext('2d', { willReadFrequently: true });
const known = new Map();
// The browser reads its own colour syntax, whatever it is: red, green, blue, opacity.
const rgba = (color) => {
  if (!known.has(color)) {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data;
    known.set(color, [red, green, blue, alpha / 255]);
  }
  return known.get(color);
};
const over = (top, below) => {
  const alpha = top[3];
  return [0, 1, 2].map((i) => top[i] * alpha + below[i] * (1 - alpha)).concat(1);
};
const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
const behind = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const style = getComputedStyle(at);
    layers.push(rgba(style.backgroundColor));
    if (layers.at(-1)[3] === 1) break;
  }
  const scheme = getComputedStyle(document.documentElement).colorScheme;
  const canvasColor = isDark && scheme.includes('dark') ? [18, 18, 18, 1] : [255, 255, 255, 1];
  return layers.reverse().reduce((below, layer) => over(layer, below), canvasColor);
};
const luminance = (color) => {
  const [red, green, blue] = color.slice(0, 3).map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const opacity = (element) => {
  let product = 1;
  for (let at = element; at; at = at.parentElement) product *= Number(getComputedStyle(at).opacity);
  return product;
};
const flaws = new Set();
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const text = texts.currentNode.data.trim();
  const element = texts.currentNode.parentElement;
  if (text === '' || element.closest('script, style, noscript, template, [disabled], option')) continue;
  if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
  const box = element.getBoundingClientRect();
  if (box.width < 2 || box.height < 2) continue;
  const style = getComputedStyle(element);
  const back = behind(element);
  const front = rgba(style.color).slice();
  front[3] *= opacity(element);
  const [light, dark] = [luminance(over(front, back)), luminance(back)].sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  const size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (isLarge ? 3 : 4.5)) {
    const where = element.className ? `${element.localName}.${element.className}` : element.localName;
    flaws.add(`contrast ${ratio.toFixed(2)} of "${text.slice(0, 40)}" in ${where} (${style.color} on ${back})`);
  }
}
return [...flaws];
