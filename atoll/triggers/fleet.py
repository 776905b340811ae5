"""What the triggers of all regions have had, merged: the effects that happened in several, and those that echo.

What: a write has one timestamp everywhere, so what regions tell of it is put together by that. An :class:`Effect` is
one write and one function. Unlike the numbers that a region keeps, which rest on what it knows of the others, this
rests on what each has done.

Invariant: a region that does not answer is named: without it something may be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from atoll.failure import UnreachableError
from atoll.remote import AdminClient
from atoll.triggers.report import Delivery


class Effect(msgspec.Struct, kw_only=True):
    """One write that triggers have handed to one function."""

    function: str
    table: str
    item_key: dict[str, Any]
    origin: str
    hlc: int
    seen_ms: int
    """When the first region saw it, by its clock."""
    chain: list[str]
    """Through which functions the write came (``function:region``), the latest last."""
    echoes: int
    """How often it came through this one."""
    regions: dict[str, str]
    """The regions whose triggers have had it, each with the trigger's name."""


class Effects:
    """The effects of a fleet, as its regions tell of them one after another."""

    def __init__(self) -> None:
        self._effects: dict[tuple[str, str, str, int, str], Effect] = {}

    def add(self, region: str, told: Delivery) -> None:
        """Take in what one region tells."""
        identity = (told.table_uid, told.key, told.origin, told.hlc, told.function)
        known = self._effects.get(identity)
        if known is None:
            self._effects[identity] = Effect(
                function=told.function,
                table=told.table,
                item_key=told.item_key,
                origin=told.origin,
                hlc=told.hlc,
                seen_ms=told.seen_ms,
                chain=told.chain,
                echoes=told.echoes,
                regions={region: told.trigger},
            )
        else:
            known.regions[region] = told.trigger
            known.seen_ms = min(known.seen_ms, told.seen_ms)

    def duplicates(self) -> list[Effect]:
        """Return the writes that one function got in several regions, oldest first."""
        return self._sorted(lambda effect: len(effect.regions) > 1)

    def echoes(self) -> list[Effect]:
        """Return the writes that a function got though it had caused them itself, oldest first."""
        return self._sorted(lambda effect: effect.echoes > 0)

    def _sorted(self, wanted: Callable[[Effect], bool]) -> list[Effect]:
        return sorted((each for each in self._effects.values() if wanted(each)), key=lambda each: each.hlc)


def gather(clients: Mapping[str, AdminClient], parameters: Mapping[str, str]) -> tuple[Effects, dict[str, str]]:
    """Ask regions what their triggers have had; return that, and which did not answer, and why."""
    effects = Effects()
    silent: dict[str, str] = {}
    for region, client in clients.items():
        try:
            for told in client.trigger_deliveries(**parameters):
                effects.add(region, told)
        except UnreachableError as error:
            silent[region] = error.problem
    return effects, silent
