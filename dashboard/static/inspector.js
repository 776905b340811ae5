// One item in every region, side by side: image, version, what differs; and its history as a Lamport diagram.

import { byId, h } from "./dom.js";
import { NOTHING } from "./format.js";
import { diagram } from "./lamport.js";
import { ask } from "./state.js";
import { toast } from "./controls.js";

const plain = (value) => {
  const [[kind, content]] = Object.entries(value);
  if (kind === "S") return content;
  if (kind === "N") return content;
  return JSON.stringify(content);
};

function differing(regions) {
  const images = Object.values(regions).map((it) => it?.held?.image || {});
  const names = new Set(images.flatMap(Object.keys));
  return new Set([...names].filter((name) => new Set(images.map((image) => JSON.stringify(image[name]))).size > 1));
}

function side(name, seen, different) {
  if (!seen) return h("div", { class: "side" }, h("h3", {}, name), h("p", { class: "hint" }, "does not answer, or does not hold the table"));
  const held = seen.held;
  const rows = Object.entries(held?.image || {}).sort().map(([attribute, value]) => h("tr", {},
    h("th", { scope: "row" }, attribute),
    h("td", {}, different.has(attribute) ? h("mark", {}, `≠ ${plain(value)}`) : plain(value)),
  ));
  const builtOn = Object.entries(held?.vector || {}).map(([region, hlc]) => `${region} ${stamp(hlc)}`);
  return h("div", { class: "side" },
    h("h3", {}, name),
    h("p", { class: "hint" }, held ? `written in ${held.origin} ${stamp(held.hlc)}` : "never seen here", builtOn.length ? h("br") : null, builtOn.length ? `builds on ${builtOn.join(", ")}` : null),
    held?.image ? h("table", {}, h("tbody", {}, rows)) : h("p", {}, h("span", { class: "chip hold" }, held ? "deleted (tombstone)" : NOTHING)),
  );
}

// The time of a write without its date: what is compared here is seconds apart.
const stamp = (hlc) => new Date(Math.floor(hlc / 65536)).toISOString().slice(11, 23);

export async function inspect(table, key) {
  const form = byId("inspect");
  form.elements.table.value = table || "";
  form.elements.key.value = key;
  try {
    const regions = await ask(`inspect?table=${encodeURIComponent(table)}&key=${encodeURIComponent(key)}`);
    const different = differing(regions);
    byId("inspector").replaceChildren(
      h("p", {}, h("span", { class: `chip ${different.size ? "bad" : "good"}` }, different.size ? `≠ ${different.size} attributes differ` : "✓ equal in every region")),
      h("div", { class: "sides" }, Object.entries(regions).map(([name, held]) => side(name, held, different))),
      h("h3", {}, "How it came to be"),
      diagram(regions),
    );
    byId("inspector").scrollIntoView({ block: "nearest" });
  } catch (error) {
    toast(error.message);
  }
}

export function inspector() {
  byId("inspect").addEventListener("submit", (event) => {
    event.preventDefault();
    inspect(event.target.elements.table.value, event.target.elements.key.value);
  });
}
