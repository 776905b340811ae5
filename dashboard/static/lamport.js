// An item's history as a space-time diagram: a lane a region, a dot a write, an arrow from where it was made to where it
// was applied; a write that lost is crossed out. Only the last writes are drawn: with more, nothing can be told apart.

import { h, s } from "./dom.js";
import { clock, duration } from "./format.js";

const WIDTH = 900;
const LEFT = 130;
const LANE = 46;
const TOP = 26;
const WRITES_MAX = 12;

// A write is known by its timestamp, in whichever region it is met.
const name = (change) => `${change.hlc}@${change.origin}`;

export function diagram(regions) {
  const lanes = Object.keys(regions);
  const all = Object.entries(regions).flatMap(([region, it]) => (it?.history || []).map((change) => ({ ...change, region })));
  const last = new Set([...new Set(all.sort((one, other) => other.seen_ms - one.seen_ms).map(name))].slice(0, WRITES_MAX));
  const seen = all.filter((change) => last.has(name(change)));
  if (!seen.length) return h("p", { class: "hint" }, "No region's log holds a change of it any more.");
  const at = (change) => change.seen_ms;
  const from = Math.min(...seen.map(at), ...seen.map((it) => Math.floor(it.hlc / 65536)));
  const to = Math.max(...seen.map(at), from + 1);
  const x = (ms) => LEFT + ((ms - from) / (to - from)) * (WIDTH - LEFT - 40);
  const y = (region) => TOP + lanes.indexOf(region) * LANE + 12;
  const lost = new Set(Object.values(regions).flatMap((it) => it?.conflicts || []).map((conflict) => name(conflict.loser)));
  const height = TOP + lanes.length * LANE;
  return s("svg", { viewBox: `0 0 ${WIDTH} ${height + 18}`, role: "img", "aria-label": `${seen.length} changes over ${duration(to - from)} in ${lanes.length} regions` },
    s("defs", {}, s("marker", { id: "arrow", markerWidth: 8, markerHeight: 8, refX: 7, refY: 4, orient: "auto" }, s("path", { class: "head", d: "M0,0 L8,4 L0,8 Z" }))),
    lanes.map((region) => s("g", {}, s("text", { x: 0, y: y(region) + 4 }, region), s("line", { class: "cursor-line", x1: LEFT, x2: WIDTH, y1: y(region), y2: y(region) }))),
    seen.filter((it) => it.region !== it.origin && lanes.includes(it.origin)).map((it) => s("line", {
      class: "spark", "marker-end": "url(#arrow)", x1: x(Math.floor(it.hlc / 65536)), y1: y(it.origin), x2: x(at(it)), y2: y(it.region),
    })),
    seen.map((it) => s("g", { class: lost.has(name(it)) ? "link bad" : "link good" },
      s("circle", { class: "head", cx: x(at(it)), cy: y(it.region), r: it.region === it.origin ? 6 : 4 },
        s("title", {}, `${it.image === null ? "deleted" : "written"} in ${it.origin} at ${clock(Math.floor(it.hlc / 65536))}, in ${it.region} at ${clock(at(it))}${lost.has(name(it)) ? "; lost to a concurrent write" : ""}`)),
      lost.has(name(it)) ? s("text", { x: x(at(it)) - 5, y: y(it.region) - 9 }, "✗") : null,
    )),
    s("text", { class: "quiet", x: LEFT, y: height + 14 }, clock(from)),
    s("text", { class: "quiet", x: WIDTH, y: height + 14, "text-anchor": "end" }, clock(to)),
  );
}
