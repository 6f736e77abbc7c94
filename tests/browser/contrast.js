// Return the texts whose contrast with what is behind them is less than 4.5, as WCAG 2.2 (1.4.3) reckons it.
const channel = value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const luminance = colour => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => sum + part * channel(colour[i] / 255), 0);
const contrast = (one, other) => {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
};
const rgba = text => { const parts = text.match(/[\d.]+/g).map(Number); return parts.length > 3 ? parts : [...parts, 1]; };
const mixed = (top, below, alpha) => [0, 1, 2].map(i => top[i] * alpha + below[i] * (1 - alpha));
const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
const around = function* (element) { for (let e = element; e; e = e.parentElement) yield getComputedStyle(e); };
const behind = element => {
  for (const style of around(element)) if (rgba(style.backgroundColor)[3] == 1) return rgba(style.backgroundColor);
  return canvas;
};
const opacity = element => [...around(element)].reduce((all, style) => all * Number(style.opacity), 1);
const holds_text = element => [...element.childNodes].some(node => node.nodeType == 3 && node.data.trim());

return [...document.querySelectorAll("body *")]
  .filter(element => !element.closest("svg") && holds_text(element))
  .map(element => {
    const ground = behind(element), colour = rgba(getComputedStyle(element).color);
    return [element.outerHTML.slice(0, 120), contrast(mixed(colour, ground, colour[3] * opacity(element)), ground)];
  })
  .filter(([, ratio]) => ratio < 4.5);
