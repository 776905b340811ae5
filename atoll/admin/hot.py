"""The room of the hottest keys: what Contributor Insights have counted of late."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from atoll.admin.answers import BadRequestError, NotFoundError, answer, number
from atoll.admin.parts import Parts
from atoll.hot_keys import HotKey, HotKeysReport, RuleReport
from region.model.key_series import MINUTE_MS, add_up
from region.model.table import Table
from region.operation.key_counts import Counted
from region.operation.setting.contributor_insights import Target

MINUTES: Final = 5
LIMIT: Final = 100


class Hot:
    """``/hot/{table}``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._engine = parts.engine

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [web.get("/hot/{table}", self.hot)]

    async def hot(self, request: web.Request) -> web.Response:
        """``GET /hot/{table}?index=&minutes=&limit=``: the heaviest keys of the last minutes, this one too."""
        table = self._parts.table(request.match_info["table"])
        index = request.query.get("index") or None
        minutes, limit = number(request, "minutes", MINUTES), number(request, "limit", LIMIT)
        if not minutes:
            raise BadRequestError("minutes must be 1 or more.")
        mode = self._mode(table, index)
        counted = self._engine.guards.counts.of(table, index)
        now = self._engine.source.now_ms() // MINUTE_MS
        return answer(
            HotKeysReport(
                table=table.name,
                index=index,
                mode=mode,
                minutes=minutes,
                rules=[]
                if counted is None
                else [_rule(counted, kind, now - minutes + 1, now, limit) for kind in counted.series],
            )
        )

    def _mode(self, table: Table, index: str | None) -> str | None:
        if index is not None and (index not in table.indexes or not table.indexes[index].global_):
            raise NotFoundError(f"{table.name} has no global index {index} in {self._parts.config.region}.")
        entry = Target(table, index).entry()
        return entry["Mode"] if entry is not None and entry["Enabled"] else None


def _rule(counted: Counted, kind: str, first: int, last: int, limit: int) -> RuleReport:
    totals = add_up(counted.series[kind].minutes(first, last))
    return RuleReport(
        kind=kind,
        name=counted.rules[kind],
        total=totals.total,
        observations=totals.observations,
        distinct=totals.distinct,
        exact=totals.exact,
        missing=max((it.most for it in totals.keys[limit:]), default=totals.missing),
        keys=[
            HotKey(key=counted.key_attributes(kind, it.key), least=it.least, most=it.most) for it in totals.keys[:limit]
        ],
    )
