// The conflict feed: who won, who lost, what was lost and by how much; a row opens in the inspector.

import { byId, h, show } from "./dom.js";
import { NOTHING, clock, count } from "./format.js";

const when = (side) => Math.floor(side.hlc / 65536);

// A key as people write it, and as the inspector takes it: the value of a string key, DynamoDB JSON for any other.
export function keyText({ item_key: key }) {
  const values = Object.values(key);
  const strings = values.every((value) => "S" in value && !value.S.includes(","));
  return strings ? values.map((value) => value.S).join(",") : JSON.stringify(key);
}

function row(entry, inspect) {
  const lost = entry.attributes_lost.length ? entry.attributes_lost.join(", ") : NOTHING;
  const what = entry.loser.image === null ? "a deletion" : lost;
  return h("tr", {},
    h("td", {}, clock(when(entry.winner))),
    h("td", {}, entry.table || NOTHING),
    h("td", {}, h("button", { type: "button", "data-name": `conflict-${entry.at}-${entry.number}`, onclick: () => inspect(entry.table, keyText(entry)) }, keyText(entry))),
    h("td", {}, entry.winner.origin),
    h("td", {}, entry.loser.origin, entry.double_grant ? h("span", { class: "chip bad" }, "double grant") : null),
    h("td", {}, what),
    h("td", { class: "number" }, `${count(entry.margin_ms)} ms`),
  );
}

export function conflicts(state, inspect) {
  const { total, recent } = state.conflicts;
  show(byId("conflicts"), [total, recent.length], () => recent.length === 0
    ? h("p", { class: "hint" }, "No write has lost to a concurrent one yet.")
    : h("table", {},
      h("caption", { class: "hint" }, `${count(total)} in all since this page's server began; the last ${recent.length} here.`),
      h("thead", {}, h("tr", {}, ["when", "table", "key", "winner", "loser", "lost"].map((name) => h("th", { scope: "col" }, name)), h("th", { scope: "col", class: "number" }, "margin"))),
      h("tbody", {}, recent.map((entry) => row(entry, inspect))),
    ));
}
