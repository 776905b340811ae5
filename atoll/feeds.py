"""The conflicts of a whole cluster: the feeds of its regions, read on from where they were, and merged.

What: several regions record the same pair of writes, each as it met them. :class:`Feeds` reads every region's feed and
puts what is about one pair into one :class:`Merged`: what any region knows of it counts.

Invariants: an entry belongs to one pair of writes of one item; no pair is told twice, except again as a double grant
when only a later entry shows that it is one. A region that does not answer is named, because without its feed the whole
may not be complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from atoll.failure import UnreachableError
from atoll.findings import ConflictEntry, Granted, Side
from atoll.remote import AdminClient, RequestError

PAGE: Final = 500
NOT_FOUND: Final = "404"
_TOLD_MAX: Final = 100_000

Pair = tuple[str, str, int, str, int, str]


class Merged(msgspec.Struct, kw_only=True):
    """One conflict as all regions that met it know it."""

    table: str | None
    table_uid: str
    key: str
    item_key: dict[str, Any] | None
    margin_ms: int
    attributes_lost: list[str]
    recorded_ms: int
    """When a region first recorded it, by that region's clock."""
    recorded_by: dict[str, int]
    """The numbers of the entries, by the regions that recorded it."""
    winner: Side
    loser: Side
    double_grant: bool
    grants: list[Granted]


def pair_of(entry: ConflictEntry) -> Pair:
    """Return what makes two entries be about the same conflict: the item and both writes."""
    winner, loser = entry.winner, entry.loser
    return entry.table_uid, entry.key, winner.hlc, winner.origin, loser.hlc, loser.origin


def merge(known: Merged | None, region: str, entry: ConflictEntry) -> Merged:
    """Return a conflict with what one more region knows of it."""
    if known is None:
        fields = {name: getattr(entry, name) for name in ConflictEntry.__struct_fields__ if name != "number"}
        return Merged(recorded_by={region: entry.number}, **fields)
    grants = _more(known.grants, entry.grants)
    return msgspec.structs.replace(
        known,
        table=known.table or entry.table,
        item_key=known.item_key or entry.item_key,
        recorded_ms=min(known.recorded_ms, entry.recorded_ms),
        recorded_by={**known.recorded_by, region: entry.number},
        winner=_known(known.winner, entry.winner),
        loser=_known(known.loser, entry.loser),
        double_grant=bool(grants),
        grants=grants,
    )


def _known(one: Side, other: Side) -> Side:
    """Return a write with the request and the condition that either view of it has."""
    return msgspec.structs.replace(
        one, request_id=one.request_id or other.request_id, condition=one.condition or other.condition
    )


def _more(one: list[Granted], other: list[Granted]) -> list[Granted]:
    """Return the view of a double grant that names more of its requests."""

    def named(grants: list[Granted]) -> tuple[int, int]:
        return len(grants), sum(grant.request_id is not None for grant in grants)

    return max(one, other, key=named)


class Feeds:
    """The feeds of some regions, each read on from its last entry. ``parameters`` are those of ``GET /conflicts``."""

    def __init__(self, clients: Mapping[str, AdminClient], parameters: Mapping[str, str]) -> None:
        self._clients = clients
        self._parameters = dict(parameters)
        self._after = dict.fromkeys(clients, 0)
        self._waiting: dict[Pair, Merged] = {}
        self._told: dict[Pair, bool] = {}
        self.dropped: dict[str, int] = {}
        """How many entries each region has dropped."""
        self.unreachable: dict[str, str] = {}
        """The regions that did not answer when last asked, and why."""

    def read(self) -> list[Merged]:
        """Read what is new in every region's feed, and return all that there is to tell, in the order of recording.

        Raises:
            RequestError: no region has the table, or one refuses the request.
        """
        lacking: list[RequestError] = []
        for region, client in self._clients.items():
            self.unreachable.pop(region, None)
            try:
                self._read(region, client)
            except UnreachableError as error:
                self.unreachable[region] = error.problem
            except RequestError as error:
                lacking.append(error)
        if len(lacking) == len(self._clients) or any(error.name != NOT_FOUND for error in lacking):
            raise lacking[0]
        found, self._waiting = self._waiting, {}
        for pair, merged in found.items():
            self._told[pair] = merged.double_grant
        while len(self._told) > _TOLD_MAX:
            del self._told[next(iter(self._told))]
        return sorted(found.values(), key=lambda merged: (merged.recorded_ms, merged.winner.hlc))

    def _read(self, region: str, client: AdminClient) -> None:
        while True:
            page = client.conflict_page(self._after[region], PAGE, **self._parameters)
            self.dropped[region] = page.dropped
            for entry in page.conflicts:
                pair = pair_of(entry)
                if entry.double_grant > self._told.get(pair, False) or pair not in self._told:
                    self._waiting[pair] = merge(self._waiting.get(pair), region, entry)
            self._after[region] = page.next
            if len(page.conflicts) < PAGE:
                return
