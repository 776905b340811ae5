"""One item in all regions side by side: which attributes differ, and one history of what every region saw.

What: :func:`look` asks every region of a cluster for an item, :func:`differing` compares what they hold, and
:func:`history` puts their logs together, a write a line, with when each region saw it.

Hazard: a write that lost where it arrived has no record there; that it lost is in the conflicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from atoll.failure import UnreachableError
from atoll.feeds import NOT_FOUND, Merged, merge, pair_of
from atoll.findings import Inspection, Write
from atoll.remote import AdminClient, RequestError

UNKNOWN: Final = "unknown"


class Step(msgspec.Struct, kw_only=True):
    """One write of the item, and when each region saw it, by that region's clock."""

    write: Write
    seen_ms: dict[str, int]


class View(msgspec.Struct, kw_only=True):
    """An item in all regions. ``None`` stands for a region that does not answer."""

    table: str
    regions: dict[str, Inspection | None]
    differing: list[str]
    """The attributes that are not alike in all regions whose item is known."""
    history: list[Step]
    """All writes that a region's log has, oldest first."""
    conflicts: list[Merged]


def look(clients: Mapping[str, AdminClient], table: str, key: str, parameters: Mapping[str, str]) -> View:
    """Ask all regions for an item.

    Raises:
        RequestError: no region has the table, or one refuses the key.
    """
    found: dict[str, Inspection | None] = {}
    lacking: list[RequestError] = []
    for region, client in clients.items():
        try:
            found[region] = client.inspect(table, key, **parameters)
        except UnreachableError:
            found[region] = None
        except RequestError as error:
            lacking.append(error)
            if error.name != NOT_FOUND:
                raise
    if lacking and not any(found.values()):
        raise lacking[0]
    answers = {region: each for region, each in found.items() if each is not None}
    conflicts: dict[Any, Merged] = {}
    for region, each in answers.items():
        for entry in each.conflicts:
            pair = pair_of(entry)
            conflicts[pair] = merge(conflicts.get(pair), region, entry)
    return View(
        table=table,
        regions=found,
        differing=differing(answers),
        history=history(answers),
        conflicts=sorted(conflicts.values(), key=lambda merged: merged.recorded_ms),
    )


def image_of(inspection: Inspection) -> dict[str, Any]:
    """Return the item's attributes in a region; none where there is no item."""
    image: dict[str, Any] | None = inspection.held.image if inspection.held else None
    return image or {}


def differing(answers: Mapping[str, Inspection]) -> list[str]:
    """Return the attributes that are not alike in all regions whose item is known, sorted."""
    images = [image_of(each) for each in answers.values() if each.source != UNKNOWN]
    names = {name for image in images for name in image}
    return sorted(name for name in names if any(image.get(name) != images[0].get(name) for image in images))


def history(answers: Mapping[str, Inspection]) -> list[Step]:
    """Put the histories of all regions together, oldest write first."""
    steps: dict[tuple[int, str], Step] = {}
    for region, each in answers.items():
        for write in each.history:
            step = steps.setdefault((write.hlc, write.origin), Step(write=write, seen_ms={}))
            step.seen_ms[region] = write.seen_ms
            if write.origin == region:
                step.write = write
    return [step for _, step in sorted(steps.items())]
