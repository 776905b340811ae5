// Are the replicas equal now, and if not, since when; and the four figures that say how it goes.

import { byId, h, show } from "./dom.js";
import { arrow, count, duration, rate } from "./format.js";

export function headline(state) {
  const head = state.headline;
  const since = duration(Math.max(0, Date.now() - head.since_ms));
  const key = [head.equal, head.why, since];
  show(byId("headline"), key, () => [
    h("span", { class: `chip ${head.equal ? "good" : "bad"}` }, head.equal ? "✓ converged" : "✗ diverged"),
    ` for ${since}`,
    h("small", {}, head.why),
  ]);
  const figures = [
    ["writes a second", rate(head.writes_s)],
    ["conflicts, last minute", count(head.conflicts_min)],
    ["worst lag", duration(head.worst_lag_ms)],
    ["on", head.worst_link ? arrow(head.worst_link) : "–"],
  ];
  show(byId("figures"), figures, () => figures.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  document.title = `${head.equal ? "✓" : "✗"} Atoll`;
}
