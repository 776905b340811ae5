// A lane for each region and link: what state it was in, second by second, with faults as marks across all lanes.

import { byId, s, show } from "./dom.js";
import { arrow, clock, tone } from "./format.js";
import { samples } from "./state.js";

const WIDTH = 1200;
const LEFT = 210;
const LANE = 15;
const HEAD = 22;
const LANES_MAX = 24;

let cursorAt = null;

// The span that lanes and charts share, in ms: the last five minutes, or as much as there is.
export function span() {
  if (!samples.length) return [0, 1];
  const last = samples[samples.length - 1].at_ms;
  return [Math.max(samples[0].at_ms, last - 300_000), Math.max(last, samples[0].at_ms + 10_000)];
}

const scale = (at, [from, to]) => LEFT + ((at - from) / (to - from)) * (WIDTH - LEFT - 10);

// Runs of equal tone: [from, to, tone].
function runs(toneOf) {
  const made = [];
  for (const sample of samples) {
    const kind = toneOf(sample);
    const last = made[made.length - 1];
    if (last && last[2] === kind) last[1] = sample.at_ms + 1000;
    else made.push([sample.at_ms, sample.at_ms + 1000, kind]);
  }
  return made;
}

// With many links, those that were ever ill come first, and the rest is told in words.
function lanes(state) {
  const regions = Object.keys(state.regions).map((name) => ({ name, runs: runs((it) => (it.up.includes(name) ? "good" : "bad")) }));
  const links = Object.keys(state.links).map((name) => ({ name: arrow(name), runs: runs((it) => tone(it.states[name])) }));
  links.sort((one, other) => other.runs.length - one.runs.length);
  return [...regions, ...links].slice(0, Math.max(LANES_MAX, regions.length));
}

export function timeline(state, onCursor) {
  const window = span();
  show(byId("timeline"), [window, state.marks, Object.keys(state.links).length], () => {
    const drawn = lanes(state);
    const height = HEAD + drawn.length * LANE + 6;
    const marks = state.marks.filter((mark) => mark.at_ms >= window[0] && (mark.kind === "fault" || mark.kind === "heal"));
    const line = s("line", { class: "cursor-line", x1: -9, x2: -9, y1: 0, y2: height });
    const move = (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * WIDTH;
      const at = window[0] + ((x - LEFT) / (WIDTH - LEFT - 10)) * (window[1] - window[0]);
      onCursor(x < LEFT ? null : at);
    };
    const svg = s("svg", {
      viewBox: `0 0 ${WIDTH} ${height}`, role: "img", onmousemove: move, onmouseleave: () => onCursor(null),
      "aria-label": `States of ${drawn.length} regions and links over time; ${marks.length} faults and heals`,
    },
      [0, 0.25, 0.5, 0.75, 1].map((part) => {
        const at = window[0] + part * (window[1] - window[0]);
        return s("text", { class: "quiet", x: scale(at, window), y: 12, "text-anchor": part === 1 ? "end" : part ? "middle" : "start" }, clock(at));
      }),
      drawn.map((lane, i) => s("g", {},
        s("text", { class: "quiet", x: 0, y: HEAD + i * LANE + 10 }, lane.name),
        s("rect", { class: "lane", x: LEFT, y: HEAD + i * LANE, width: WIDTH - LEFT - 10, height: LANE - 3 }),
        lane.runs.filter((run) => run[1] > window[0]).map(([from, to, kind]) => {
          const x = scale(Math.max(from, window[0]), window);
          return s("rect", { class: `lane-${kind}`, x, y: HEAD + i * LANE + (kind === "good" ? 5 : 0), width: Math.max(1, scale(Math.min(to, window[1]), window) - x), height: kind === "good" ? LANE - 13 : LANE - 3 });
        }),
      )),
      marks.map((mark) => s("g", {},
        s("line", { class: `${mark.kind}-mark`, x1: scale(mark.at_ms, window), x2: scale(mark.at_ms, window), y1: HEAD - 4, y2: height }),
        s("text", { class: "quiet", x: scale(mark.at_ms, window) + 3, y: HEAD - 1 }, mark.kind === "fault" ? "✗" : "✓", s("title", {}, mark.text)),
      )),
      line,
    );
    svg.cursor = (at) => { const x = at === null ? -9 : scale(at, window); line.setAttribute("x1", x); line.setAttribute("x2", x); };
    svg.cursor(cursorAt);
    return svg;
  });
}

export function moveLine(at) {
  cursorAt = at;
  byId("timeline").querySelector("svg")?.cursor?.(at);
}
