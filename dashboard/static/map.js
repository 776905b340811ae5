// The regions in a ring, and the directed links between them, drawn by hand: a line's pattern and a word say the state.

import { byId, h, pressable, s, show } from "./dom.js";
import { arrow, count, duration, rate, struck, tone, word } from "./format.js";

const WIDTH = 640;
const HEIGHT = 420;
const BEND = 0.13;
const NODE = 26;

export function places(regions) {
  const radius = { x: WIDTH / 2 - 110, y: HEIGHT / 2 - 64 };
  return Object.fromEntries(regions.map((region, i) => {
    const angle = -Math.PI / 2 + (2 * Math.PI * i) / regions.length;
    const at = { x: WIDTH / 2 + radius.x * Math.cos(angle), y: HEIGHT / 2 + radius.y * Math.sin(angle) + 2 };
    return [region, { ...at, above: Math.sin(angle) < -0.3 }];
  }));
}

// A curve that keeps to the right of its direction, so that both directions of a pair can be told apart.
function curve(from, to) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const middle = { x: (from.x + to.x) / 2 - dy * BEND, y: (from.y + to.y) / 2 + dx * BEND };
  const cut = (end, toward) => {
    const [ex, ey] = [toward.x - end.x, toward.y - end.y];
    const away = Math.hypot(ex, ey) || 1;
    return { x: end.x + (ex / away) * (NODE + 4), y: end.y + (ey / away) * (NODE + 4) };
  };
  const [start, end] = [cut(from, middle), cut(to, middle)];
  const at = { x: 0.25 * start.x + 0.5 * middle.x + 0.25 * end.x, y: 0.25 * start.y + 0.5 * middle.y + 0.25 * end.y };
  const angle = (Math.atan2(end.y - middle.y, end.x - middle.x) * 180) / Math.PI;
  return { path: `M${start.x},${start.y} Q${middle.x},${middle.y} ${end.x},${end.y}`, at, end, angle };
}

function drawnLink(name, link, place, few, choose) {
  const [source, sink] = name.split("->");
  const line = curve(place[source], place[sink]);
  const kind = tone(link.state);
  const label = kind === "good" ? (few ? duration(link.lag_ms) : "") : word(link.state);
  const figures = struck(link);
  const said = `${arrow(name)}: ${word(link.state)}, lag ${duration(link.lag_ms)}, ${count(link.behind)} behind${figures ? `, ${figures}` : ""}`;
  return s("g", {
    class: `link ${kind}`, role: "button", tabindex: 0, "aria-label": said, "data-name": name, ...pressable(() => choose("link", name)),
  },
    s("title", {}, `${said}, ${rate(link.rate)} changes a second`),
    s("path", { class: "reach", d: line.path }),
    s("path", { class: "line", d: line.path }),
    s("path", { class: "head", d: "M0,0 L-11,-5 L-11,5 Z", transform: `translate(${line.end.x},${line.end.y}) rotate(${line.angle})` }),
    label ? s("text", { x: line.at.x, y: line.at.y, "text-anchor": "middle" }, label) : null,
    figures ? s("text", { class: "struck", x: line.at.x, y: line.at.y + 14, "text-anchor": "middle" }, figures) : null,
  );
}

function drawnNode(name, region, at, choose) {
  const up = region.state === "live";
  // What is said begins with what is seen, in the same order, so that speech and sight agree.
  const figure = up ? rate(region.writes_s) : "✗";
  const unit = up ? "writes a second" : region.state;
  const said = `${name} ${figure} ${unit}`;
  return s("g", {
    class: `node ${up ? "" : "bad"}`, role: "button", tabindex: 0, "aria-label": said, "data-name": name, ...pressable(() => choose("region", name)),
  },
    s("title", {}, said),
    s("circle", { cx: at.x, cy: at.y, r: NODE }),
    s("text", { x: at.x, y: at.y + (at.above ? -NODE - 20 : NODE + 16), "text-anchor": "middle" }, name, " "),
    s("text", { x: at.x, y: at.y + 4, "text-anchor": "middle" }, figure, " "),
    s("text", { class: "quiet", x: at.x, y: at.y + (at.above ? -NODE - 7 : NODE + 30), "text-anchor": "middle" }, unit),
  );
}

export function map(state, choose) {
  const names = Object.keys(state.regions);
  const place = places(names);
  const few = names.length <= 4;
  const links = Object.entries(state.links);
  const key = [
    links.map(([name, link]) => [name, link.state, few ? link.lag_ms : 0, struck(link)]),
    names.map((name) => [name, state.regions[name].state, state.regions[name].writes_s]),
  ];
  show(byId("map-stage"), key, () => names.length === 0 ? h("p", {}, "No region yet.") : s(
    "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": "Map of regions and links" },
    links.map(([name, link]) => drawnLink(name, link, place, few, choose)),
    names.map((name) => drawnNode(name, state.regions[name], place[name], choose)),
  ));
}
