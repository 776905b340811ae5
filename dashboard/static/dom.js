// Elements without a framework: h() for HTML, s() for SVG. What is text stays text; nothing is ever parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
export const byId = (id) => document.getElementById(id);

// Replace what a place holds only when its text form is another one, so that focus and selection survive a tick.
const shown = new WeakMap();
export function show(place, key, make) {
  const text = JSON.stringify(key);
  if (shown.get(place) === text) return;
  shown.set(place, text);
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.name : undefined;
  place.replaceChildren(...[make()].flat());
  if (focused) place.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
}

// What a click does, a key press does too.
export const pressable = (act) => ({
  onclick: act,
  onkeydown: (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act(event); }
  },
});
