"""The report of one simulation that failed: a page that explains itself, and the trial to repeat it with.

What: :func:`write_report` puts into a folder ``trial.json`` (what ``atoll sim --scenario`` runs again),
``history.jsonl``, and ``report.html``: the violations, the faults, the space-time diagram of the items concerned, and
their history.

Invariant: the page needs nothing but itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Final

import msgspec

from chaos import faults, history, lamport
from chaos.checker import Evidence, Violation
from chaos.lamport import Item
from chaos.simulation.clocks import EPOCH_MS
from chaos.simulation.simulate import Outcome, Witness
from region.events import Event
from replication.events import Applied

TRIAL: Final = "trial.json"
HISTORY: Final = "history.jsonl"
REPORT: Final = "report.html"
EVENTS_MAX: Final = 400
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:110rem;padding:0 1rem;color:#222}"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}code,pre{background:#f4f4f2;padding:.15em .35em;"
    "border-radius:4px}pre{padding:.8em;overflow:auto}table{border-collapse:collapse;font-size:13px}"
    "td,th{padding:.2em .7em;text-align:left;border-bottom:1px solid #e4e4e0;vertical-align:top}"
    ".bad{color:#b3261e}figure{margin:0;overflow:auto}svg{width:100%;min-width:60rem;height:auto}"
)


def write_report(folder: Path, outcome: Outcome, witness: Witness, command: str) -> Path:
    """Write the files of a failed trial; return the page's path. ``command`` is how to run it again."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRIAL).write_bytes(msgspec.json.format(msgspec.json.encode(outcome.trial), indent=1) + b"\n")
    history.write(folder / HISTORY, witness.evidence.events)
    page = folder / REPORT
    page.write_text(html(outcome, witness, command))
    return page


def html(outcome: Outcome, witness: Witness, command: str) -> str:
    """Return the page."""
    evidence, trial = witness.evidence, outcome.trial
    items = concerned(outcome.violations)
    started_s = evidence.started_ns / 1e9
    drawn = lamport.diagram(
        evidence,
        epoch_ms=EPOCH_MS + started_s * 1000,
        items=items,
        arrivals=arrivals(evidence, witness.events, started_s),
    )
    shown = ", ".join("/".join(item) for item in sorted(items)) or "all items"
    left_out = f" {drawn.left_out} later events are left out." if drawn.left_out else ""
    setting = (
        f"{len(trial.regions)} regions, {trial.span_s:g} s of faults, durability {trial.durability}, "
        f"{trial.delay_ms:g} ms between regions, workloads {', '.join(trial.workloads)}"
    )
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            f"<title>Seed {trial.seed}</title><style>{_STYLE}</style>",
            f"<h1>Seed {trial.seed}: <span class=bad>{len(outcome.violations)} violations</span></h1>",
            f"<p>{escape(setting)}.</p><p>Run it again: <code>{escape(command)}</code></p>",
            "<h2>What was violated</h2><ul>",
            *(f"<li><b>{escape(it.invariant)}</b> {escape(it.sentence)}</li>" for it in outcome.violations[:50]),
            "</ul><h2>What was done to the regions</h2><ol>",
            *(f"<li>{escape(faults.describe(fault))}</li>" for fault in trial.script),
            f"</ol><h2>Space and time</h2><p>{escape(shown)}. Filled: written here; hollow: applied here; square: "
            f"deleted; cross: a conflict; red: a fault.{left_out}</p>",
            f"<figure>{lamport.svg(drawn)}</figure>",
            "<h2>What clients asked and were told</h2>",
            *_events(evidence, items),
            "</html>",
        ]
    )


def concerned(violations: Iterable[Violation]) -> set[Item]:
    """Return the items that violations name."""
    return {(violation.table, violation.key) for violation in violations if violation.table and violation.key}


def arrivals(
    evidence: Evidence, events: Iterable[tuple[float, str, Event]], started_s: float
) -> dict[tuple[str, int], float]:
    """Return when each record of another region was applied, from the order and the times of the regions' events."""
    waiting: dict[tuple[str, str], list[int]] = defaultdict(list)
    for region, held in evidence.replicas.items():
        for record in held.log:
            if record.version.origin != region:
                waiting[region, record.version.origin].append(record.sequence)
    found: dict[tuple[str, int], float] = {}
    taken: dict[tuple[str, str], int] = defaultdict(int)
    for moment_s, region, event in events:
        if isinstance(event, Applied):
            link = region, event.source
            first = taken[link]
            taken[link] = last = min(first + event.changes, len(waiting[link]))
            for sequence in waiting[link][first:last]:
                found[region, sequence] = (moment_s - started_s) * 1000
    return found


def _events(evidence: Evidence, items: set[Item]) -> list[str]:
    rows = []
    for event in evidence.events:
        if items and not any((it.table, it.key) in items for it in event.accesses):
            continue
        accesses = ", ".join(f"{it.action} {it.table}/{it.key} {it.tag or ''}" for it in event.accesses)
        moment_s = (event.time_ns - evidence.started_ns) / 1e9
        cells = (f"{moment_s:.4f}", event.process, event.region, event.type, event.f, accesses, event.error)
        rows.append("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>")
    heads = "".join(f"<th>{name}</th>" for name in ("s", "process", "region", "type", "f", "items", "error"))
    more = [f"<p>{len(rows) - EVENTS_MAX} more are in {HISTORY}.</p>"] if len(rows) > EVENTS_MAX else []
    return [f"<table><tr>{heads}</tr>", *rows[:EVENTS_MAX], "</table>", *more]
