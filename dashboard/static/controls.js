// The faults: applied by form, preset or menu, each shown as the command and the TOML that do the same.

import { byId, h, show } from "./dom.js";
import { arrow } from "./format.js";
import { ask } from "./state.js";

export const LINK_FAULTS = [
  ["Cut it, without a word (black hole)", { kind: "cut", mode: "blackhole" }],
  ["Cut it, refusing connections", { kind: "cut", mode: "refuse" }],
  ["Cut one way: changes stall, acknowledgements pass", { kind: "cut", mode: "data" }],
  ["Slow it down by 300 ms", { kind: "delay", ms: 300, jitter_ms: 50 }],
  ["Lose connections: one in three attempts", { kind: "loss", share: 0.33 }],
  ["Narrow it to 20 KB/s", { kind: "bandwidth", kb_s: 20 }],
  ["Tear its connection once", { kind: "tear" }],
  ["Pause replication", { kind: "pause" }],
];
export const REGION_FAULTS = [
  ["Isolate it: cut all of its links", { kind: "isolate" }],
  ["Kill it (kill -9), back in 5 s", { kind: "crash", for_ms: 5000 }],
  ["Stop its process for 5 s (SIGSTOP)", { kind: "suspend", for_ms: 5000 }],
  ["Set its clock 2 s ahead", { kind: "clock-offset", ms: 2000 }],
  ["Set its clock 2 s back", { kind: "clock-offset", ms: -2000 }],
  ["Fill its disk", { kind: "disk-full" }],
  ["Slow its disk by 50 ms a commit", { kind: "disk-slow", ms: 50 }],
];

export function toast(text) {
  byId("toast").textContent = text;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { byId("toast").textContent = ""; }, 8000);
}

async function attempt(work) {
  try { return await work(); } catch (error) { toast(error.message); return undefined; }
}

export const heal = (id) => attempt(() => ask("control/heal", id ? { id } : {}));

// A region is isolated by two faults: everything into it, and everything out of it.
export async function apply(fault) {
  const made = fault.kind === "isolate"
    ? [`*->${fault.region}`, `${fault.region}->*`].map((link) => ({ kind: "cut", mode: "blackhole", link, for_ms: fault.for_ms }))
    : [fault];
  for (const each of made) await attempt(() => ask("control/faults", each));
}

export function menu(kind, name, state) {
  const dialog = byId("menu");
  const faults = kind === "link" ? LINK_FAULTS : REGION_FAULTS;
  const target = kind === "link" ? { link: name } : { region: name };
  const known = kind === "link" ? state.links[name] : state.regions[name];
  const supported = state.kinds;
  const offered = faults.filter(([, fault]) => supported.includes(fault.kind === "isolate" ? "cut" : fault.kind));
  const mine = Object.values(state.faults).filter(({ fault }) => (fault.link || fault.region) === name);
  dialog.replaceChildren(
    h("h2", { id: "menu-title" }, kind === "link" ? arrow(name) : name),
    h("p", { class: "hint" }, `${known.state}${known.detail ? `: ${known.detail}` : ""}`),
    offered.length === 0 ? h("p", {}, "This page only watches: the cluster was not started with faults.") : null,
    h("div", { class: "actions" },
      offered.map(([label, fault]) => h("button", { type: "button", onclick: () => { dialog.close(); apply({ ...fault, ...target }); } }, label)),
      mine.map(({ id, text }) => h("button", { type: "button", class: "primary", onclick: () => { dialog.close(); heal(id); } }, `Heal: ${text}`)),
    ),
    h("button", { type: "button", onclick: () => dialog.close() }, "Close"),
  );
  dialog.showModal();
}

const PRESETS = [
  ["Region loss", (regions) => [{ kind: "isolate", region: regions[0] }]],
  ["Split brain", (regions) => regions.slice(1).flatMap((r) => [{ kind: "cut", mode: "blackhole", link: `${regions[0]}->${r}` }, { kind: "cut", mode: "blackhole", link: `${r}->${regions[0]}` }])],
  ["One-way cut", (regions) => [{ kind: "cut", mode: "data", link: `${regions[0]}->${regions[1]}` }]],
  ["Far away (150 ms everywhere)", () => [{ kind: "delay", ms: 150, jitter_ms: 20, link: "*->*" }]],
  ["A clock 3 s ahead", (regions) => [{ kind: "clock-offset", ms: 3000, region: regions[regions.length - 1] }]],
];

const PARAMETERS = {
  cut: [["mode", ["blackhole", "refuse", "data", "acks"]]],
  delay: [["ms", 200], ["jitter_ms", 20]],
  loss: [["share", 0.3]],
  bandwidth: [["kb_s", 50]],
  "clock-offset": [["ms", 1000]],
  "clock-drift": [["ppm", 5000]],
  "clock-jump": [["ms", 1000]],
  "disk-slow": [["ms", 50]],
};
const ON_REGIONS = ["clock-offset", "clock-drift", "clock-jump", "clock-freeze", "crash", "suspend", "disk-full", "disk-slow", "restore-old-copy"];

function field([name, given]) {
  const input = Array.isArray(given)
    ? h("select", { name }, given.map((value) => h("option", {}, value)))
    : h("input", { name, type: "number", step: "any", value: given, required: true, size: 7 });
  return h("label", {}, name, input);
}

function form(kinds, regions) {
  const links = regions.flatMap((source) => regions.filter((sink) => sink !== source).map((sink) => `${source}->${sink}`));
  const rest = h("span", { class: "row" });
  const kind = h("select", { name: "kind", onchange: () => refill() }, kinds.map((name) => h("option", {}, name)));
  const refill = () => {
    const onRegion = ON_REGIONS.includes(kind.value);
    const targets = onRegion ? regions : ["*->*", ...links, ...regions.flatMap((name) => [`*->${name}`, `${name}->*`])];
    rest.replaceChildren(
      h("label", {}, onRegion ? "region" : "link", h("select", { name: onRegion ? "region" : "link" }, targets.map((name) => h("option", {}, name)))),
      ...(PARAMETERS[kind.value] || []).map(field),
    );
  };
  refill();
  const submit = (event) => {
    event.preventDefault();
    const fault = {};
    for (const [name, value] of new FormData(event.target)) {
      if (name === "for_s") { if (value) fault.for_ms = Math.round(Number(value) * 1000); }
      else fault[name] = event.target.elements[name].type === "number" ? Number(value) : value;
    }
    apply(fault);
  };
  return h("form", { class: "row", id: "fault-form", onsubmit: submit },
    h("label", {}, "fault", kind), rest,
    h("label", {}, "for, seconds", h("input", { name: "for_s", type: "number", min: 0.1, step: "any", placeholder: "until healed", size: 10 })),
    h("button", { type: "submit", class: "primary" }, "Apply"),
  );
}

function listed(faults) {
  return h("ul", { class: "faults" }, Object.values(faults).map((it) => h("li", {},
    h("strong", {}, it.text), " ",
    h("button", { type: "button", "data-name": `heal-${it.id}`, onclick: () => heal(it.id) }, "Heal"),
    it.effects.map((effect) => h("p", { class: "hint" }, `measured: ${effect}`)),
    h("pre", {}, it.command), h("pre", {}, it.toml),
  )));
}

let recording = false;

function recorder() {
  const toggle = h("button", { type: "button", "aria-pressed": String(recording), onclick: async () => {
    const answer = await attempt(() => ask("recording", { on: !recording }));
    if (answer) { recording = answer.on; toggle.textContent = recording ? "■ End recording" : "● Record this session"; toggle.setAttribute("aria-pressed", String(recording)); }
  } }, recording ? "■ End recording" : "● Record this session");
  return h("p", { class: "row" }, toggle, h("a", { href: "recording", download: "recorded.toml" }, "Save it as an experiment file"));
}

export function controls(state) {
  const regions = Object.keys(state.regions);
  const place = byId("controls");
  if (!place.firstChild) {
    place.append(h("div", { id: "break" }), h("h3", {}, "In force"), h("div", { id: "in-force", "aria-live": "polite" }));
  }
  show(byId("break"), [state.kinds, regions], () => state.kinds.length === 0
    ? h("p", { class: "hint" }, "This page only watches: the cluster was not started with faults.")
    : [
      form(state.kinds, regions),
      h("p", { class: "row", role: "group", "aria-label": "Presets" }, PRESETS.map(([label, make]) => h("button", { type: "button", onclick: () => make(regions).forEach(apply) }, label))),
      recorder(),
    ]);
  show(byId("in-force"), state.faults, () => Object.keys(state.faults).length ? listed(state.faults) : h("p", { class: "hint" }, "Nothing: the weather is fair."));
}
