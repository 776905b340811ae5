"""The room of comparing tables with peers, and of repairing them."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from atoll import item_keys
from atoll.admin.answers import answer, body, number
from atoll.admin.parts import Parts
from atoll.comparisons import HeldVersion, KeyDifference, PeerComparison, RepairRequest
from region.model.table import Table
from replication.comparison import Difference

MALFORMED: Final = "The body must be JSON with table, which may be left out."


class Comparing:
    """``/compare/{table}`` and ``/repair``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [web.get("/compare/{table}", self.compare), web.post("/repair", self.repair)]

    async def compare(self, request: web.Request) -> web.Response:
        """``GET /compare/{table}?recount=``: the keys under which this region and each of its peers differ.

        ``recount=1`` makes the digest anew from the rows first.
        """
        table = self._parts.table(request.match_info["table"])
        return answer(await self._compare(table, repair=False, recount=number(request, "recount", 0) > 0))

    async def repair(self, request: web.Request) -> web.Response:
        """``POST /repair``: compare one global table, or all, and take what is missing here."""
        asked = await body(request, RepairRequest, MALFORMED)
        tables = [self._parts.table(asked.table)] if asked.table is not None else self._global_tables()
        found: list[PeerComparison] = []
        for table in tables:
            found += await self._compare(table, repair=True, recount=True)
        return answer(found)

    def _global_tables(self) -> list[Table]:
        return [table for _, table in sorted(self._parts.engine.catalogue.by_name.items()) if table.members()]

    async def _compare(self, table: Table, *, repair: bool, recount: bool) -> list[PeerComparison]:
        if not table.members():
            return []
        found = await self._parts.replication.compare(table.name, repair=repair, recount=recount)
        return [
            PeerComparison(peer=peer, table=table.name, problem=tally)
            if isinstance(tally, str)
            else PeerComparison(
                peer=peer,
                table=table.name,
                differences=[_report(table, each) for each in tally.differences],
                repaired=tally.rows,
            )
            for peer, tally in found.items()
        ]


def _report(table: Table, difference: Difference) -> KeyDifference:
    return KeyDifference(
        key=difference.key.hex(),
        item_key=dict(item_keys.attributes(table, difference.key)),
        here=_held(difference.here),
        there=_held(difference.there),
        settled=difference.settled,
    )


def _held(side: tuple[int, str, bool] | None) -> HeldVersion | None:
    return None if side is None else HeldVersion(hlc=side[0], origin=side[1], deleted=not side[2])
