// Lag, source by sink: the greater of recent latency and the age of the oldest change that is not durable at the sink.

import { byId, h, s, show } from "./dom.js";
import { arrow, count, duration, skew, struck, tone, word } from "./format.js";
import { samples } from "./state.js";

const SPARK = { width: 90, height: 18, points: 60 };

function spark(name) {
  const values = samples.slice(-SPARK.points).map((sample) => sample.lag[name] ?? null);
  const top = Math.max(20, ...values.filter((value) => value !== null));
  const points = values
    .map((value, i) => (value === null ? "" : `${(i * SPARK.width) / SPARK.points},${SPARK.height - 1 - (value / top) * (SPARK.height - 2)}`))
    .filter(Boolean);
  return s("svg", { width: SPARK.width, height: SPARK.height, "aria-hidden": "true" }, s("polyline", { class: "spark", points: points.join(" ") }));
}

function cell(name, link, choose) {
  return h("td", {},
    h("button", { type: "button", class: `chip ${tone(link.state)}`, "data-name": name, "aria-label": `${arrow(name)}: ${word(link.state)}`, onclick: () => choose("link", name) }, word(link.state)),
    " ", h("span", { class: "lag" }, duration(link.lag_ms)),
    spark(name),
    h("small", {}, `${count(link.behind)} behind, skew ${skew(link.skew_ms)}${struck(link) ? `, ${struck(link)}` : ""}`),
  );
}

export function matrix(state, choose) {
  const names = Object.keys(state.regions);
  const last = samples.length ? samples[samples.length - 1].at_ms : 0;
  show(byId("matrix"), [state.links, last], () => h("table", {},
    h("caption", { class: "hint" }, "A row is a source, a column a sink."),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "from \\ to"), names.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, names.map((source) => h("tr", {}, h("th", { scope: "row" }, source), names.map((sink) => {
      const link = state.links[`${source}->${sink}`];
      return link ? cell(`${source}->${sink}`, link, choose) : h("td", { class: "self", "aria-label": "the region itself" });
    })))),
  ));
}
