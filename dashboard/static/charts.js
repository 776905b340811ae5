// Two charts, lag and writes, with one cursor that the timeline shares (uPlot).

import uPlot from "./vendor/uPlot.esm.js";
import { byId } from "./dom.js";
import { arrow } from "./format.js";
import { samples } from "./state.js";

const COLOURS = ["#0e7c86", "#c2571a", "#5b4bb0", "#1a7044", "#b3261e", "#8a6d00", "#2563b0", "#a0398c", "#4d6b1f", "#6b4a2f"];
const DASHES = [[], [8, 4], [2, 3]];
const HEIGHT = 190;

class Chart {
  constructor(place, pick, label, onCursor) {
    this.place = place;
    this.pick = pick;
    this.label = label;
    this.onCursor = onCursor;
    this.names = "";
    new ResizeObserver(() => this.plot?.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  }

  make(names) {
    this.plot?.destroy();
    const ink = getComputedStyle(document.body).color;
    const axis = { stroke: ink, grid: { stroke: "rgba(128,128,128,.2)" }, ticks: { stroke: "rgba(128,128,128,.4)" } };
    this.plot = new uPlot({
      width: this.place.clientWidth || 500,
      height: HEIGHT,
      legend: { live: names.length <= 6, show: names.length <= 12 },
      cursor: { sync: { key: "atoll" }, drag: { x: false, y: false } },
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(high || 0, 10) * 1.1] } },
      axes: [axis, { ...axis, size: 60 }],
      hooks: { setCursor: [(plot) => this.onCursor(plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") * 1000 : null)] },
      series: [{}, ...names.map((name, i) => ({
        label: this.label(name), stroke: COLOURS[i % COLOURS.length], width: 1.5, dash: DASHES[Math.floor(i / COLOURS.length) % DASHES.length],
      }))],
    }, [[], ...names.map(() => [])], this.place);
  }

  draw() {
    const names = [...new Set(samples.flatMap((sample) => Object.keys(this.pick(sample))))];
    if (!names.length) return;
    if (names.join() !== this.names) { this.names = names.join(); this.make(names); }
    this.plot.setData([
      samples.map((sample) => sample.at_ms / 1000),
      ...names.map((name) => samples.map((sample) => this.pick(sample)[name] ?? null)),
    ]);
  }
}

export function charts(onCursor) {
  const made = [
    new Chart(byId("lag-chart"), (sample) => sample.lag, arrow, onCursor),
    new Chart(byId("writes-chart"), (sample) => sample.writes, (name) => name, onCursor),
  ];
  let drawn = 0;
  const draw = () => {
    const last = samples.length ? samples[samples.length - 1].at_ms : 0;
    if (last === drawn) return;
    drawn = last;
    for (const chart of made) chart.draw();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const chart of made) chart.names = ""; drawn = 0; draw(); });
  return {
    draw,
    point(at) {
      for (const { plot } of made) plot?.setCursor(at === null ? { left: -10, top: -10 } : { left: plot.valToPos(at / 1000, "x"), top: 10 }, false);
    },
  };
}
