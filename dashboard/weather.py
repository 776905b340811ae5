"""What is in force on one directed link, as figures: what share of its connections is lost, how slow and narrow it is.

What: the faults that stand, as the control address lists them, for the link that a page draws. Pure.

Invariant: what nothing strikes has no figure. Losses of several faults are independent; delays add up; the narrowest
limit counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def on_link(name: str, faults: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return ``loss`` (a share), ``delay_ms`` and ``kb_s`` of a link (``source->sink``), as far as there are any."""
    kept, delay_ms = 1.0, 0
    limits: list[float] = []
    for fault in faults:
        if not _strikes(str(fault.get("link", "")), name):
            continue
        if fault["kind"] == "loss":
            kept *= 1 - fault["share"]
        elif fault["kind"] == "delay":
            delay_ms += fault["ms"]
        elif fault["kind"] == "bandwidth":
            limits.append(fault["kb_s"])
    found: dict[str, Any] = {}
    if kept < 1:
        found["loss"] = round(1 - kept, 4)
    if delay_ms:
        found["delay_ms"] = delay_ms
    if limits:
        found["kb_s"] = min(limits)
    return found


def _strikes(pattern: str, name: str) -> bool:
    """Whether a fault's link, in which ``*`` is every region, is or includes a link."""
    struck, ends = pattern.split("->"), name.split("->")
    return len(struck) == 2 and all(part in ("*", end) for part, end in zip(struck, ends, strict=True))
