"""Load by a mix of operations: YCSB's A to F, conditional writes and transactions, at a rate for each region.

What: a :class:`Mix` says how often an operation reads, updates, inserts, scans, and so on, and how keys are chosen; a
:class:`Load` runs one from workers in every region. With a rate, the moments at which operations are meant to begin
come from a Poisson process that knows nothing of how long they take (an open loop); without, each worker begins as
soon as it has its answer (a closed loop).

Invariants: latency counts from the intended moment. Every write carries a tag, so the histories of loads can be judged
by the same checkers as those of workloads.

Hazards: where all workers are busy, operations begin late, and latency says so; more workers, not a better figure, is
the remedy. A scan is a Query for a short range of one partition of :data:`PARTITION_ITEMS` items.

Source: B. Cooper et al., "Benchmarking Cloud Serving Systems with YCSB" (2010), core workloads.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple

from chaos.history import Access, key_text
from chaos.workload.session import Answer, Session, Step, get, put, tag_in, update, when
from chaos.workload.skew import THETA, chooser
from chaos.workload.workload import Ground, Workload, schema, split
from region.randomness import Rng

PARTITION_ITEMS: Final = 100
SCAN_ITEMS_MAX: Final = 100
FIELDS: Final = 10
FIELD_CHARACTERS: Final = 100


class Mix(NamedTuple):
    """Shares of kinds of operations, 1 in sum, and how keys are chosen: ``zipf``, ``latest`` or ``uniform``."""

    shares: Mapping[str, float]
    chooser: str = "zipf"


MIXES: Final[Mapping[str, Mix]] = {
    "ycsb-a": Mix({"read": 0.5, "update": 0.5}),
    "ycsb-b": Mix({"read": 0.95, "update": 0.05}),
    "ycsb-c": Mix({"read": 1.0}),
    "ycsb-d": Mix({"read": 0.95, "insert": 0.05}, "latest"),
    "ycsb-e": Mix({"scan": 0.95, "insert": 0.05}),
    "ycsb-f": Mix({"read": 0.5, "read-modify-write": 0.5}),
    "conditional": Mix({"read": 0.5, "conditional": 0.5}),
    "transactions": Mix({"transact-read": 0.5, "transact-write": 0.5}),
}


class Load(Workload):
    """A mix at work.

    Args:
        mix: what it does.
        items: how many there are at first.
        rates: how many operations a second begin in each region; a region that is missing has none. ``None``: as many
            as the workers manage.
        workers: how many operations may be under way in each region.
        theta: how skewed keys are, between 0 and 1.
    """

    name: ClassVar[str] = "load"

    def __init__(
        self,
        mix: Mix,
        *,
        items: int = 1000,
        rates: Mapping[str, float] | None = None,
        workers: int = 32,
        theta: float = THETA,
        table: str = "usertable",
    ) -> None:
        super().__init__(clients=workers, keys=items, table=table)
        self._mix = mix
        self._rates = rates
        self._items = items
        self._chooser = chooser(mix.chooser, items, theta)
        self._next: dict[str, float] = {}

    def schemas(self) -> list[dict[str, Any]]:
        """Return one table of partitions with ordered items."""
        return [schema(self.table, ranged=True)]

    async def prepare(self, ground: Ground) -> None:
        """Write the items that there are at first, from as many sessions as there are workers."""
        numbers = iter(range(self._items))
        region = ground.regions[0]

        async def fill(session: Session) -> None:
            for number in numbers:
                await session.perform(self._put(ground, ground.rng, number, f="load"))

        sessions = [self.session(ground, region) for _ in range(self.clients)]
        await asyncio.gather(*map(fill, sessions))

    async def run(self, ground: Ground) -> None:
        """Let the workers of every region work for the ground's time."""
        now_s = asyncio.get_running_loop().time()
        regions = [it for it in ground.regions if self._rates is None or self._rates.get(it, 0) > 0]
        self._next = dict.fromkeys(regions, now_s)
        async with asyncio.TaskGroup() as group:
            for region in regions:
                arrivals = split(ground.rng)
                for _ in range(self.clients):
                    session = self.session(ground, region)
                    rng = split(ground.rng)
                    group.create_task(self._keep_on(session, ground, rng, arrivals, now_s + ground.for_s))

    async def _keep_on(self, session: Session, ground: Ground, rng: Rng, arrivals: Rng, ends_s: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            intended_s = self._intended(session.region, arrivals, loop.time())
            if intended_s >= ends_s:
                return
            await asyncio.sleep(max(0.0, intended_s - loop.time()))
            if loop.time() >= ends_s:
                return  # It could not be begun in time; what comes after it cannot either.
            await self._perform(session, ground, rng, intended_s)

    def _intended(self, region: str, arrivals: Rng, now_s: float) -> float:
        """Return when the region's next operation is meant to begin."""
        if self._rates is None:
            return now_s
        self._next[region] += -math.log(1 - arrivals.uniform(0, 1)) / self._rates[region]
        return self._next[region]

    async def act(self, session: Session, ground: Ground, rng: Rng) -> None:
        """Perform one operation now."""
        await self._perform(session, ground, rng, asyncio.get_running_loop().time())

    async def _perform(self, session: Session, ground: Ground, rng: Rng, intended_s: float) -> None:
        intended_ns = int(intended_s * 1e9)
        kind = self._draw(rng)
        number = self._chooser.draw(rng)
        answer = await session.perform(self._first(kind, ground, rng, number)._replace(intended_ns=intended_ns))
        if answer is not None and kind in ("read-modify-write", "conditional"):
            second = self._update(ground, rng, number, f="modify")
            await session.perform(when(second, tag_in(answer.get("Item"))) if kind == "conditional" else second)

    def _draw(self, rng: Rng) -> str:
        left = rng.uniform(0, 1)
        for kind, share in self._mix.shares.items():
            left -= share
            if left < 0:
                return kind
        return list(self._mix.shares)[-1]

    def _first(self, kind: str, ground: Ground, rng: Rng, number: int) -> Step:
        """Return an operation of a kind; of one that reads and then writes it is the read."""
        if kind == "update":
            return self._update(ground, rng, number, f=kind)
        if kind == "insert":
            number, self._items = self._items, self._items + 1
            self._chooser.grow()
            return self._put(ground, rng, number, f=kind)
        if kind == "scan":
            return self._scan(number, 1 + int(rng.uniform(0, SCAN_ITEMS_MAX)))
        if kind.startswith("transact"):
            # One item twice in one transaction is refused.
            other = self._chooser.draw(rng)
            numbers = [number, other if other != number else (number + 1) % self._items]
            return self._look(numbers) if kind == "transact-read" else self._transact(ground, rng, numbers)
        return get(self.table, self._key(number), f="read")

    def _key(self, number: int) -> dict[str, Any]:
        return {"pk": {"S": f"user{number // PARTITION_ITEMS}"}, "sk": {"S": f"{number:012d}"}}

    def _put(self, ground: Ground, rng: Rng, number: int, *, f: str) -> Step:
        fields = {f"field{each}": {"S": _text(rng)} for each in range(FIELDS)}
        return put(ground.recorder, self.table, self._key(number), f=f, **fields)

    def _update(self, ground: Ground, rng: Rng, number: int, *, f: str) -> Step:
        expression = f"SET field{int(rng.uniform(0, FIELDS))} = :value"
        return update(ground.recorder, self.table, self._key(number), expression, {":value": {"S": _text(rng)}}, f=f)

    def _scan(self, number: int, limit: int) -> Step:
        key = self._key(number)

        def found(answer: Answer) -> tuple[Access, ...]:
            return tuple(
                Access("r", self.table, f"{item['pk']['S']}/{item['sk']['S']}", tag_in(item))
                for item in answer["Items"]
            )

        request = {
            "TableName": self.table,
            "KeyConditionExpression": "pk = :pk AND sk >= :first",
            "ExpressionAttributeValues": {":pk": key["pk"], ":first": key["sk"]},
            "Limit": limit,
            "ConsistentRead": True,
        }
        return Step("scan", "Query", request, (Access("r", self.table, key_text(key)),), found=found)

    def _look(self, numbers: list[int]) -> Step:
        keys = [self._key(number) for number in numbers]

        def found(answer: Answer) -> tuple[Access, ...]:
            return tuple(
                Access("r", self.table, key_text(key), tag_in(response.get("Item")))
                for key, response in zip(keys, answer["Responses"], strict=True)
            )

        request = {"TransactItems": [{"Get": {"TableName": self.table, "Key": key}} for key in keys]}
        accesses = tuple(Access("r", self.table, key_text(key)) for key in keys)
        return Step("transact-read", "TransactGetItems", request, accesses, found=found)

    def _transact(self, ground: Ground, rng: Rng, numbers: list[int]) -> Step:
        puts = [self._put(ground, rng, number, f="transact-write") for number in numbers]
        request = {"TransactItems": [{"Put": it.request} for it in puts], "ClientRequestToken": rng.token(16)}
        return Step("transact-write", "TransactWriteItems", request, tuple(it.accesses[0] for it in puts))


def _text(rng: Rng) -> str:
    return rng.token(FIELD_CHARACTERS // 2)
