// The RPO meter, clocks, tables and alarms of each region: what would be lost if it died now, and what waits for a person.

import { byId, h, show } from "./dom.js";
import { NOTHING, count, rate, seconds, skew } from "./format.js";

function row(name, region) {
  const up = region.state === "live";
  const rpo = region.rpo;
  return h("tr", {},
    h("th", { scope: "row" }, name),
    h("td", {}, h("span", { class: `chip ${up ? "good" : "bad"}` }, region.state), region.fenced ? h("span", { class: "chip hold" }, "fenced") : null),
    h("td", { class: "number" }, rpo ? `${rpo.exact ? "" : "≤ "}${count(rpo.records)}` : NOTHING),
    h("td", { class: "number" }, rpo ? `${count(rpo.bytes)} B` : NOTHING),
    h("td", { class: "number" }, rpo ? seconds(rpo.oldest_s) : NOTHING),
    h("td", { class: "number" }, seconds(region.staleness_s)),
    h("td", { class: "number" }, skew(region.skew_ms)),
    h("td", { class: "number" }, rate(region.writes_s)),
    h("td", {}, (region.tables || []).map((table) => `${table.name} (${count(table.items)})`).join(", ") || NOTHING),
    h("td", {}, region.endpoint ? h("code", {}, region.endpoint) : NOTHING),
  );
}

export function regions(state) {
  const key = Object.entries(state.regions);
  show(byId("regions"), key, () => h("table", {},
    h("caption", { class: "hint" }, "Writes that were acknowledged there and that no other region has yet: they would be lost."),
    h("thead", {}, h("tr", {},
      h("th", { scope: "col" }, "region"), h("th", { scope: "col" }, "state"),
      ["writes at risk", "bytes", "oldest", "staleness", "clock off by", "writes a second"].map((name) => h("th", { scope: "col", class: "number" }, name)),
      h("th", { scope: "col" }, "tables"), h("th", { scope: "col" }, "endpoint"),
    )),
    h("tbody", {}, key.map(([name, region]) => row(name, region))),
  ));
  const alarms = key.flatMap(([name, region]) => (region.alarms || []).map((alarm) => [name, alarm]));
  show(byId("alarms"), alarms, () => alarms.map(([name, alarm]) => h("p", {}, h("span", { class: "chip bad" }, "✗ alarm"), ` ${name}: ${alarm}`)));
  const tables = [...new Set(key.flatMap(([, region]) => (region.tables || []).map((table) => table.name)))];
  show(byId("tables"), tables, () => tables.map((name) => h("option", { value: name })));
}
