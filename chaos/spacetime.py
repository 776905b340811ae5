"""The Lamport diagram of one item of a run on real processes: which item, and when each region saw what.

What: :func:`figure` chooses the item that says most in least room, and draws it with :mod:`chaos.lamport`. The regions'
logs say by their own clocks when they made or applied a change; the history says when clients asked, on the run's
stopwatch. What both know puts the two together.

Hazard: the clocks of regions may be wrong on purpose; an arrow into a region whose clock is behind is drawn as arriving
when it left.
"""

from __future__ import annotations

import statistics
from collections import Counter
from html import escape
from typing import Final

from chaos import lamport
from chaos.checker.evidence import Evidence
from chaos.lamport import Item
from clock.timestamp import wall_ms
from region.model.change import ITEM

READABLE: Final = 60
"""An item with more records than this fills its diagram to the brim."""


def figure(evidence: Evidence) -> str:
    """Return a diagram as HTML, or a sentence where there is nothing to draw."""
    item = _telling(evidence)
    if item is None:
        return "<p>Nothing was written.</p>"
    epoch_ms = _epoch_ms(evidence)
    arrivals = {
        (region, record.sequence): record.seen_ms - epoch_ms
        for region, held in evidence.replicas.items()
        for record in held.log
    }
    drawn = lamport.diagram(evidence, epoch_ms=epoch_ms, items=[item], arrivals=arrivals)
    named = "/".join(item)
    return (
        f"<p>The item {escape(named)}: a dot is a write, a ring its application elsewhere, a square a deletion, "
        f"a cross a conflict, a shade a fault. Times are those of each region's own clock.</p>{lamport.svg(drawn)}"
    )


def _telling(evidence: Evidence) -> Item | None:
    """Return an item that lost something to a conflict, if there is one, with few enough records to be read."""
    records: Counter[Item] = Counter()
    lost: set[Item] = set()
    for held in evidence.replicas.values():
        for record in held.log:
            if record.kind == ITEM and evidence.table_name(record.table_uid) in evidence.tables:
                records[evidence.table_name(record.table_uid), evidence.key_text(record)] += 1
        for _, conflict in held.conflicts:
            lost.add((evidence.table_name(conflict.table_uid), evidence.text(conflict.table_uid, conflict.key)))
    return min(records, key=lambda item: (item not in lost, abs(records[item] - READABLE), item), default=None)


def _epoch_ms(evidence: Evidence) -> float:
    """Return the wall clock at the start of the run, as most regions had it."""
    starts = [
        wall_ms(record.version.hlc) - (evidence.written[tag].invoked_ns - evidence.started_ns) / 1e6
        for tag, record in evidence.tagged.items()
        if tag in evidence.written
    ]
    return statistics.median(starts) if starts else 0.0
