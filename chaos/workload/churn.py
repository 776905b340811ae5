"""Churn: tables come and go, and so do their replicas, while clients write to them.

What: each client has a table of its own, creates it, adds and removes replicas, and deletes it; then it begins again
under a name that nobody has used. Meanwhile clients write to any of these tables, where their regions hold them.

What it is good for: bootstrap, catching up what was missed before it, removal while links are cut, the numbers of
tables and indexes in the store.

Hazard: a table that was deleted, or a region that no longer holds it, proves nothing of what was written to it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, NamedTuple

from chaos.workload.session import Session, Step, delete, get, put
from chaos.workload.workload import Ground, Workload, chance, pick, schema
from region.randomness import Rng


class _Held(NamedTuple):
    table: str
    home: str


LIFE: Final = 0.04
"""How likely the next thing that happens to a table is its end."""


class Churn(Workload):
    """Creates tables, changes who holds them, writes, and deletes them."""

    name: ClassVar[str] = "churn"

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self._held: dict[Session, _Held] = {}
        self._made = 0

    def schemas(self) -> list[dict[str, Any]]:
        """Return nothing: it makes its tables as it goes."""
        return []

    async def act(self, session: Session, ground: Ground, rng: Rng) -> None:
        """Do the next thing to the client's table, or create one."""
        held = self._held.get(session)
        if held is None:
            self._made += 1
            held = _Held(f"{self.table}-{self._made}", session.region)
            await session.perform(Step("create-table", "CreateTable", schema(held.table), (), value=held.table))
            if session.error is None or not session.error.definite:
                self._held[session] = held
            return
        roll = rng.uniform(0, 1)
        if roll < LIFE:
            await session.perform(Step("delete-table", "DeleteTable", {"TableName": held.table}, (), value=held.table))
            if session.error is None:
                del self._held[session]
        elif roll < 0.2:
            await session.perform(self._replicas(held, ground, rng))
        else:
            # Others' tables too, which their regions may or may not hold.
            await self._use(session, pick(rng, [held, *self._held.values()]), ground, rng)

    def _replicas(self, held: _Held, ground: Ground, rng: Rng) -> Step:
        region = pick(rng, [it for it in ground.regions if it != held.home] or [held.home])
        action = "Create" if chance(rng, 0.7) else "Delete"
        request = {"TableName": held.table, "ReplicaUpdates": [{action: {"RegionName": region}}]}
        f = "add-replica" if action == "Create" else "remove-replica"
        return Step(f, "UpdateTable", request, (), value=[held.table, region])

    async def _use(self, session: Session, held: _Held, ground: Ground, rng: Rng) -> None:
        key = self.any_key(rng)
        roll = rng.uniform(0, 1)
        if roll < 0.6:
            await session.perform(put(ground.recorder, held.table, key))
        elif roll < 0.7:
            await session.perform(delete(ground.recorder, held.table, key))
        else:
            await session.perform(get(held.table, key))
