"""Effects that happen twice: writes that call a function in several regions, and functions that set themselves off.

What: every region tells the others, in a register of the table, which functions it calls with what changes there
(:func:`announcement`). So a region that hands a record to a function knows which others hand the same write to the same
function (:func:`also_called_in`), and whether its own call is the one too many (:func:`is_superfluous`). Pure.

Invariants: of the regions that call a function with one write, one is the first: the write's own region if it is
among them, otherwise the least by name. The calls of all others are superfluous, so the sum over regions counts each
exactly once.

Hazard: what a region knows of another is as old as their link.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from atoll.triggers.patterns import Predicate, compile_filters
from atoll.triggers.report import TriggerRecord
from region.model import settings
from region.model.settings import Registers

TRIGGERS: Final = "triggers:"
"""How the registers are called that say which functions a region calls; its name follows."""


def announcement(records: Iterable[tuple[str, TriggerRecord]]) -> dict[str, Any] | None:
    """Return what a region tells of a table's triggers, each with its function's name; ``None`` for none."""
    told: dict[str, Any] = {}
    for function, record in records:
        if record.settings.enabled:
            latest = record.settings.starting_position == "LATEST" and not record.configured
            told[function] = {
                "since": record.created_ms if latest else 0,
                "origin": record.settings.origin,
                "filters": list(record.settings.filters),
            }
    return told or None


def elsewhere(registers: Registers, region: str, function: str) -> dict[str, dict[str, Any]]:
    """Return the other members of a table that call the same function, and how."""
    members = settings.members(registers)
    return {
        other: told[function]
        for other, told in settings.family(registers, TRIGGERS).items()
        if other != region and other in members and function in told
    }


def also_called_in(others: Mapping[str, Mapping[str, Any]], origin: str, hlc: int, body: bytes) -> list[str]:
    """Return which of ``others`` call the function with a write, too; ``body`` is its record as shown here."""
    found = []
    for other, how in others.items():
        if (how["origin"] == "local" and other != origin) or hlc >> 16 < how["since"]:
            continue
        matches = _filters(tuple(how["filters"]))
        if matches is None or matches({**orjson.loads(body), "awsRegion": other}):
            found.append(other)
    return found


def is_superfluous(region: str, others: Iterable[str], origin: str) -> bool:
    """Whether a region's call is not the first of those of one write."""
    calling = {region, *others}
    return len(calling) > 1 and region != (origin if origin in calling else min(calling))


@lru_cache(maxsize=64)
def _filters(texts: tuple[str, ...]) -> Predicate | None:
    return compile_filters(texts)
