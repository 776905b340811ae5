"""The space-time diagram of a run, after Lamport: a lane for each region, its writes, and the arrows of their arrival.

What: :func:`diagram` makes a :class:`Diagram` of a run's evidence: local writes, their application elsewhere,
conflicts, and faults as shaded spans. :func:`svg` draws it without scripts, for reports and for the dashboard.

Invariants: an arrow never points back in time; what was applied without a record (a snapshot, a stale change) has no
arrow. Simulated and real runs look alike.

Hazard: a log does not say when a change was applied here. Where the caller does not know either (``arrivals``), the
moment is estimated: not before the write, not before what precedes it in the same log, not before this region's own
write before it.

Source: L. Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System" (1978).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from html import escape
from typing import Final

import msgspec

from chaos import faults
from chaos.checker.evidence import Evidence
from chaos.checker.replica import tag_of
from chaos.faults import Fault
from clock.timestamp import wall_ms
from region.model.change import ITEM, LogRecord

Item = tuple[str, str]
Arrivals = Mapping[tuple[str, int], float]
"""When a record was applied: by region and sequence of its log, in ms since the start of the run."""

Place = Callable[[float], float]
"""From a moment to its place on the axis."""

MARKS_MAX: Final = 600
WIDTH: Final = 1600
LANE: Final = 130
TOP: Final = 40
LEFT: Final = 150
RADIUS: Final = 5
COLOURS: Final = ("#1b6ca8", "#b5541c", "#2e7d4f", "#7b3fa0", "#a8871b", "#0f7f86", "#b03060", "#5a6b1f")


class Mark(msgspec.Struct, frozen=True):
    """Something at one region at one moment: a ``write``, a ``delete``, an ``apply`` or a ``conflict``."""

    region: str
    at_ms: float
    kind: str
    item: str
    told: str


class Arrow(msgspec.Struct, frozen=True):
    """A change on its way: from its write to its application."""

    source: str
    sent_ms: float
    sink: str
    arrived_ms: float
    item: str


class Span(msgspec.Struct, frozen=True):
    """A fault: whom it struck, from when to when."""

    regions: tuple[str, ...]
    from_ms: float
    to_ms: float
    told: str


class Diagram(msgspec.Struct, frozen=True):
    """All that is drawn. ``left_out`` counts the marks that there was no room for."""

    regions: tuple[str, ...]
    marks: tuple[Mark, ...]
    arrows: tuple[Arrow, ...]
    spans: tuple[Span, ...]
    left_out: int = 0


def diagram(
    evidence: Evidence,
    *,
    epoch_ms: float,
    items: Collection[Item] = (),
    arrivals: Arrivals | None = None,
) -> Diagram:
    """Return the diagram of a run.

    Args:
        evidence: what the run left.
        epoch_ms: the wall clock at the start of the run, from which all times count.
        items: tables and key texts to show; without any, all there are.
        arrivals: when records were applied, where that is known.
    """
    regions = tuple(evidence.replicas)
    written: dict[tuple[int, str], float] = {}
    marks: list[Mark] = []
    arrows: list[Arrow] = []
    for region, held in evidence.replicas.items():
        for record in held.log:
            if record.version.origin == region:
                written[record.version.timestamp] = wall_ms(record.version.hlc) - epoch_ms
    for region, held in evidence.replicas.items():
        now_ms = 0.0
        for record in held.log:
            own = record.version.origin == region
            sent_ms = written.get(record.version.timestamp, wall_ms(record.version.hlc) - epoch_ms)
            known = (arrivals or {}).get((region, record.sequence))
            now_ms = max(now_ms, sent_ms) if known is None else known
            item = _item(evidence, record)
            if item is None or (items and item not in items):
                continue
            text = "/".join(item)
            marks.append(Mark(region, now_ms, _kind(record, own=own), text, _told(record)))
            if not own:
                arrows.append(Arrow(record.version.origin, min(sent_ms, now_ms), region, now_ms, text))
        marks += _conflicts(evidence, region, epoch_ms, items)
    marks.sort(key=lambda mark: mark.at_ms)
    end_ms = max((mark.at_ms for mark in marks), default=1000.0)
    kept = marks[:MARKS_MAX]
    last_ms = kept[-1].at_ms if kept else end_ms
    return Diagram(
        regions,
        tuple(kept),
        tuple(arrow for arrow in arrows if arrow.arrived_ms <= last_ms),
        tuple(_spans(evidence.faults, regions, end_ms)),
        len(marks) - len(kept),
    )


def _item(evidence: Evidence, record: LogRecord) -> Item | None:
    if record.kind != ITEM:
        return None
    return evidence.table_name(record.table_uid), evidence.key_text(record)


def _kind(record: LogRecord, *, own: bool) -> str:
    if not own:
        return "apply"
    return "delete" if record.image is None else "write"


def _told(record: LogRecord) -> str:
    what = "deleted" if record.image is None else tag_of(record.image) or "written"
    return f"{what} at {record.version.hlc}@{record.version.origin}"


def _conflicts(evidence: Evidence, region: str, epoch_ms: float, items: Collection[Item]) -> list[Mark]:
    found = []
    for _, conflict in evidence.replicas[region].conflicts:
        item = evidence.table_name(conflict.table_uid), evidence.text(conflict.table_uid, conflict.key)
        if items and item not in items:
            continue
        winner, loser = conflict.winner.version, conflict.loser.version
        at_ms = max(wall_ms(winner.hlc), wall_ms(loser.hlc)) - epoch_ms
        told = f"{loser.hlc}@{loser.origin} lost to {winner.hlc}@{winner.origin}"
        found.append(Mark(region, at_ms, "conflict", "/".join(item), told))
    return found


def _spans(tables: Sequence[Mapping[str, object]], regions: Sequence[str], end_ms: float) -> list[Span]:
    found = []
    for table in tables:
        fault: Fault = faults.decode(table)
        until_ms = end_ms if fault.for_ms is None else fault.at_ms + fault.for_ms
        found.append(Span(tuple(faults.strikes(fault, regions)), fault.at_ms, until_ms, faults.describe(fault)))
    return found


# Drawing.


def svg(drawn: Diagram) -> str:
    """Return a diagram as an SVG element that stands on its own."""
    end_ms = max(
        [1.0, *(mark.at_ms for mark in drawn.marks), *(min(span.to_ms, span.from_ms + 1e6) for span in drawn.spans)]
    )
    height = TOP + LANE * max(1, len(drawn.regions))
    lanes = {region: TOP + LANE * number + LANE // 2 for number, region in enumerate(drawn.regions)}

    def x(at_ms: float) -> float:
        return round(LEFT + (WIDTH - LEFT - 30) * max(0.0, at_ms) / end_ms, 1)

    colours = {item: COLOURS[n % len(COLOURS)] for n, item in enumerate(dict.fromkeys(m.item for m in drawn.marks))}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif" '
        f'font-size="12"><title>{len(drawn.marks)} events in {len(drawn.regions)} regions</title>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#888"/></marker></defs>',
        *_axis(end_ms, x, height),
        *(_shade(span, region, lanes, x) for span in drawn.spans for region in span.regions if region in lanes),
        *(
            f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - 20}" y2="{y}" stroke="#444"/>'
            f'<text x="10" y="{y + 4}" font-weight="bold">{escape(region)}</text>'
            for region, y in lanes.items()
        ),
        *(
            f'<line x1="{x(it.sent_ms)}" y1="{lanes[it.source]}" x2="{x(it.arrived_ms)}" y2="{lanes[it.sink]}" '
            f'stroke="{colours.get(it.item, "#888")}" stroke-opacity="0.5" marker-end="url(#tip)"/>'
            for it in drawn.arrows
            if it.source in lanes
        ),
        *(_draw(mark, lanes[mark.region], x, colours[mark.item]) for mark in drawn.marks),
        "</svg>",
    ]
    return "\n".join(parts)


def _axis(end_ms: float, x: Place, height: int) -> list[str]:
    step_ms = next(step for step in (10, 50, 100, 500, 1000, 5000, 10_000, 60_000, 10**9) if end_ms / step <= 20)
    ticks = range(0, int(end_ms) + 1, step_ms)
    return [
        f'<line x1="{x(at)}" y1="{TOP - 12}" x2="{x(at)}" y2="{height}" stroke="#ddd"/>'
        f'<text x="{x(at)}" y="{TOP - 18}" text-anchor="middle" fill="#555">{at / 1000:g} s</text>'
        for at in ticks
    ]


def _shade(span: Span, region: str, lanes: Mapping[str, int], x: Place) -> str:
    left = x(span.from_ms)
    width = max(2.0, round(x(span.to_ms) - left, 1))
    top = lanes[region] - LANE // 2 + 8
    return (
        f'<rect x="{left}" y="{top}" width="{width}" height="{LANE - 16}" fill="#c0392b" fill-opacity="0.08">'
        f"<title>{escape(span.told)}</title></rect>"
    )


def _draw(mark: Mark, y: int, x: Place, colour: str) -> str:
    at = x(mark.at_ms)
    title = f"<title>{escape(f'{mark.at_ms / 1000:.3f} s {mark.kind} {mark.item}: {mark.told}')}</title>"
    if mark.kind == "conflict":
        cross = f"M{at - 6} {y - 20} l12 12 m0 -12 l-12 12"
        return f'<path d="{cross}" stroke="#c0392b" stroke-width="2.5">{title}</path>'
    if mark.kind == "delete":
        return f'<rect x="{at - 5}" y="{y - 5}" width="10" height="10" fill="{colour}">{title}</rect>'
    fill = colour if mark.kind == "write" else "#fff"
    return f'<circle cx="{at}" cy="{y}" r="{RADIUS}" fill="{fill}" stroke="{colour}" stroke-width="2">{title}</circle>'
