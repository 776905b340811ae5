// The page: one state, drawn at most once a frame, by its parts from general to specific.

import { charts } from "./charts.js";
import { conflicts } from "./conflicts.js";
import { controls, heal, menu } from "./controls.js";
import { byId } from "./dom.js";
import { headline } from "./headline.js";
import { inspect, inspector } from "./inspector.js";
import { map } from "./map.js";
import { matrix } from "./matrix.js";
import { regions } from "./regions.js";
import { ask, follow } from "./state.js";
import { moveLine, timeline } from "./timeline.js";

let state = null;
let kinds = [];
let wanted = false;

function cursor(at) {
  moveLine(at);
  drawn.point(at);
}

const drawn = charts(moveLine);
const choose = (kind, name) => menu(kind, name, state);

function draw() {
  wanted = false;
  if (!state || !state.headline) return;
  headline(state);
  map(state, choose);
  matrix(state, choose);
  timeline(state, cursor);
  drawn.draw();
  conflicts(state, inspect);
  regions(state);
  controls(state);
}

function redraw() {
  if (!wanted) { wanted = true; requestAnimationFrame(draw); }
}

function connection(up) {
  const chip = byId("connection");
  chip.textContent = up ? "✓ connected" : "✗ not connected";
  chip.className = `chip ${up ? "good" : "bad"}`;
}

byId("heal").addEventListener("click", () => heal());
inspector();
kinds = (await ask("control").catch(() => ({ kinds: [] }))).kinds;
follow((next) => { state = { faults: {}, ...next, kinds }; redraw(); }, connection);
setInterval(redraw, 1000);
