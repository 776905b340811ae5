"""Where replicas differ: what a region's admin address answers about comparing tables, and all answers put together.

What: every region compares its replica of a table with each of its peers'. :func:`gather` asks all regions and merges
what they say into one line a key: what each region holds under it.

Invariant: a pair of regions that could not be compared is named; without it, "equal" is not claimed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from atoll.comparisons import HeldVersion
from atoll.failure import RemedyError
from atoll.remote import AdminClient, RequestError

ROUNDS: Final = 5
ROUND_S: Final = 0.3
"""How often, and after how long, regions are asked again while what differs may still be on its way."""
NOT_FOUND: Final = "404"


class DifferingKey(msgspec.Struct, kw_only=True):
    """One key that differs, in all regions that are concerned; ``None``: no row."""

    key: str
    item_key: dict[str, Any]
    regions: dict[str, HeldVersion | None]
    settled: bool


class Differences(msgspec.Struct, kw_only=True):
    """A table in all regions. ``problems``: pairs that could not be compared, and why."""

    table: str
    regions: list[str]
    keys: list[DifferingKey]
    problems: dict[str, str]


def gather(
    clients: Mapping[str, AdminClient],
    table: str,
    *,
    recount: bool = False,
    wait: Callable[[float], None] = time.sleep,
) -> Differences:
    """Ask every region to compare a table with its peers; ask again while what differs may still be on its way.

    ``recount`` has every region make its digest anew from its rows first.
    """
    found = _gather(clients, table, recount=recount)
    for _ in range(ROUNDS - 1):
        if found.problems or not found.keys or any(key.settled for key in found.keys):
            break
        wait(ROUND_S)
        found = _gather(clients, table, recount=False)
    return found


def _gather(clients: Mapping[str, AdminClient], table: str, *, recount: bool) -> Differences:
    keys: dict[str, DifferingKey] = {}
    problems: dict[str, str] = {}
    regions: list[str] = []
    for region, client in clients.items():
        try:
            answers = client.compare(table, recount=recount)
        except RequestError as error:
            if error.name != NOT_FOUND:
                problems[region] = error.message
            continue
        except RemedyError as error:
            problems[region] = error.problem
            continue
        regions.append(region)
        for answer in answers:
            if answer.problem is not None:
                problems[f"{region} with {answer.peer}"] = answer.problem
            for each in answer.differences:
                merged = keys.setdefault(
                    each.key, DifferingKey(key=each.key, item_key=each.item_key, regions={}, settled=False)
                )
                merged.regions |= {region: each.here, answer.peer: each.there}
                merged.settled |= each.settled
    return Differences(table=table, regions=regions, keys=[keys[key] for key in sorted(keys)], problems=problems)
