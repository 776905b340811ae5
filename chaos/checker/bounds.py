"""Bounds: log, memory, connections and tasks stay within their limits, and nothing leaks.

What: no sample of a size is above the limit that the run sets for it (:attr:`Evidence.limits`); and what should come
back to where it was (connections, tasks, …) is, at the end, not above what the region had at its busiest in the first
quarter of the run, but for some slack.

Invariant: sizes without a limit, and sizes that grow by nature (the log), are not judged for leaks.

Hazard: a leak that is slower than the slack allows for is not seen in a short run.

Source: the project's design, section 6, invariant 14.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from chaos.checker.evidence import Evidence, Violation

INVARIANT: Final = "bounds"
RETURNING: Final = ("connections", "tasks")
SLACK: Final = 16
FEW: Final = 8
"""Fewer samples of a region than this say nothing about leaks."""


def check(evidence: Evidence) -> list[Violation]:
    """Return the sizes that were above their limits, and those that did not come back."""
    found: list[Violation] = []
    by_region: dict[str, list[tuple[int, Mapping[str, int]]]] = {}
    for sample in evidence.samples:
        by_region.setdefault(sample.region, []).append((sample.time_ns, sample.sizes))
    for region, sizes in by_region.items():
        found += _over(evidence, region, sizes)
        found += _leaks(region, sizes)
    return found


def _over(evidence: Evidence, region: str, sizes: list[tuple[int, Mapping[str, int]]]) -> Iterator[Violation]:
    for name, limit in evidence.limits.items():
        time_ns, worst = max(((at_ns, it.get(name, 0)) for at_ns, it in sizes), key=lambda it: it[1])
        if worst > limit:
            sentence = f"{region} had {worst} {name} at {evidence.clock(time_ns)}, and {limit} is the limit"
            yield Violation(INVARIANT, sentence)


def _leaks(region: str, sizes: list[tuple[int, Mapping[str, int]]]) -> Iterator[Violation]:
    if len(sizes) < FEW:
        return
    first = sizes[: len(sizes) // 4]
    for name in RETURNING:
        usual = max(it.get(name, 0) for _, it in first)
        # The lowest of the last samples: a leak does not go away, a moment's work does.
        last = min(it.get(name, 0) for _, it in sizes[-3:])
        if last > 2 * usual + SLACK:
            yield Violation(INVARIANT, f"{region} had {last} {name} in the end, and at most {usual} in the beginning")
