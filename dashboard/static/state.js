// The one stream: a snapshot, then deltas (RFC 7386 merge patches); the browser itself resumes with Last-Event-ID.

const SAMPLES_KEPT = 300;

export const samples = [];

function merge(old, patch) {
  const made = { ...old };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete made[name];
    else if (typeof value === "object" && !Array.isArray(value)) made[name] = merge(made[name] || {}, value);
    else made[name] = value;
  }
  return made;
}

function keep(state) {
  for (const sample of state.samples || []) {
    if (samples.length && samples[samples.length - 1].at_ms >= sample.at_ms) continue;
    samples.push(sample);
    if (samples.length > SAMPLES_KEPT) samples.shift();
  }
}

export async function follow(onState, onConnection) {
  try {
    samples.push(...(await (await fetch("samples")).json()));
  } catch {
    onConnection(false);
  }
  let state = {};
  const source = new EventSource("stream");
  source.onopen = () => onConnection(true);
  source.onerror = () => onConnection(false);
  source.addEventListener("snapshot", (event) => { state = JSON.parse(event.data); keep(state); onState(state); });
  source.addEventListener("delta", (event) => { state = merge(state, JSON.parse(event.data)); keep(state); onState(state); });
}

export async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const answer = await fetch(path, options);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error || `The dashboard answered ${answer.status}.`);
  return content;
}
