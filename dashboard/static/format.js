// Numbers and times as people read them. What is not known is a dash, never a zero.

export const NOTHING = "–";

export function duration(ms) {
  if (ms === undefined) return NOTHING;
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min`;
}

export const seconds = (s) => (s === undefined ? NOTHING : duration(s * 1000));
export const count = (n) => (n === undefined ? NOTHING : Math.round(n).toLocaleString("en"));
export const rate = (n) => (n === undefined ? NOTHING : n < 10 ? n.toFixed(1) : count(n));
export const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");
export const skew = (ms) => (ms === undefined ? NOTHING : `${ms > 0 ? "+" : ""}${Math.round(ms)} ms`);
// What strikes a link, in figures: the share of connections lost, what is added to each frame's way, how narrow it is.
export function struck(link) {
  const parts = [];
  if (link.loss !== undefined) parts.push(`${Math.round(link.loss * 100)} % lost`);
  if (link.delay_ms !== undefined) parts.push(`+${duration(link.delay_ms)}`);
  if (link.kb_s !== undefined) parts.push(`${link.kb_s} kB/s`);
  return parts.join(", ");
}

export const arrow = (link) => link.replace("->", " → ");

// The tone of a state: how it is coloured, always beside the word itself.
const TONES = { live: "good", "catching up": "warn", bootstrapping: "warn", paused: "hold", parked: "hold" };
export const tone = (state) => TONES[state] || "bad";
export const word = (state) => (state === "unreachable" ? "CUT" : state);
