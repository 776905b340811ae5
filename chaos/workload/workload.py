"""What every workload is: tables, and clients in every region that use them until it is time to stop.

What: a :class:`Workload` names the tables it needs and says what one client does next; :meth:`Workload.run` lets
``clients`` of them work in every region, each with its own randomness drawn from the run's, with a pause between two
operations. :data:`chaos.workload.WORKLOADS` lists them by name.

Invariants: the same randomness and the same order of events on the loop give the same requests. A client that gets an
error goes on; only the end of the run stops it.

Hazard: keys are few on purpose, so that clients meet; a workload is no benchmark (see :mod:`chaos.workload.mix`).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

from chaos.history import Recorder
from chaos.workload.client import CallError, Client
from chaos.workload.session import Session
from region.randomness import Rng, SeededRng

T = TypeVar("T")


class Ground(NamedTuple):
    """Where a workload works: the regions, a new client of one, the recorder, randomness, and for how long."""

    regions: Sequence[str]
    client: Callable[[str], Client]
    recorder: Recorder
    rng: Rng
    for_s: float


class Workload(ABC):
    """One kind of use.

    Args:
        clients: how many clients work in every region.
        keys: over how many items.
        pause_ms: up to how long a client waits between two operations.
        table: the name of the table, where it is not the workload's own.
        carries_token: clients present session tokens, and move between regions now and then.
    """

    name: ClassVar[str]

    def __init__(
        self,
        *,
        clients: int = 2,
        keys: int = 4,
        pause_ms: float = 40.0,
        table: str | None = None,
        carries_token: bool = False,
    ) -> None:
        self.clients = clients
        self.keys = keys
        self.pause_ms = pause_ms
        self.table = table or self.name
        self.carries_token = carries_token

    def schemas(self) -> list[dict[str, Any]]:
        """Return the ``CreateTable`` requests of the global tables that it needs."""
        return [schema(self.table)]

    async def prepare(self, ground: Ground) -> None:
        """Write what must be there before the clients begin; most workloads begin with nothing."""
        del ground

    async def run(self, ground: Ground) -> None:
        """Let the clients work for the ground's time; return when all have finished their last operation."""
        ends_s = asyncio.get_running_loop().time() + ground.for_s
        async with asyncio.TaskGroup() as group:
            for region in ground.regions:
                for _ in range(self.clients):
                    session = self.session(ground, region)
                    group.create_task(self._work(session, ground, split(ground.rng), ends_s))

    def session(self, ground: Ground, region: str) -> Session:
        """Return a new session of the workload in a region."""
        return Session(ground.client(region), ground.recorder, self.name, carries_token=self.carries_token)

    async def _work(self, session: Session, ground: Ground, rng: Rng, ends_s: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(rng.uniform(0, self.pause_ms) / 1000)
            if loop.time() >= ends_s:
                return
            if self.carries_token and chance(rng, 0.1):
                session.move(ground.client(pick(rng, ground.regions)))
            await self.act(session, ground, rng)

    @abstractmethod
    async def act(self, session: Session, ground: Ground, rng: Rng) -> None:
        """Do the next thing that a client does."""

    def any_key(self, rng: Rng) -> dict[str, Any]:
        """Return the key of one of the workload's items."""
        return {"pk": {"S": f"k{int(rng.uniform(0, self.keys))}"}}


def schema(table: str, *, ranged: bool = False, **fields: Any) -> dict[str, Any]:
    """Return a ``CreateTable`` request: a hash key ``pk``, and with ``ranged`` a range key ``sk``; texts both."""
    names = ["pk", "sk"] if ranged else ["pk"]
    return {
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        "KeySchema": [
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
        ],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        **fields,
    }


async def create(schemas: Sequence[Mapping[str, Any]], regions: Sequence[str], client: Callable[[str], Client]) -> None:
    """Create global tables in the first region, give them replicas in the others, and wait until all are ACTIVE."""
    first = client(regions[0])
    for request in schemas:
        name = str(request["TableName"])
        await first.call("CreateTable", dict(request))
        await active(first, name, [])
        for position, region in enumerate(regions[1:], 1):
            await first.call("UpdateTable", {"TableName": name, "ReplicaUpdates": [{"Create": {"RegionName": region}}]})
            for seen_by in regions[: position + 1]:
                await active(client(seen_by), name, regions[: position + 1])


async def active(client: Client, table: str, replicas: Sequence[str], every_s: float = 0.02) -> None:
    """Wait until a region sees a table as ACTIVE, with these replicas ACTIVE too; it waits for as long as it takes."""
    while True:
        try:
            answer = await client.call("DescribeTable", {"TableName": table})
        except CallError as error:
            if error.definite and error.name != "ResourceNotFoundException":
                raise
        else:
            described = answer["Table"]
            members = {it["RegionName"]: it["ReplicaStatus"] for it in described.get("Replicas", [])}
            others = {region: members.get(region) for region in replicas if region != client.region}
            if described["TableStatus"] == "ACTIVE" and set(others.values()) <= {"ACTIVE"}:
                return
        await asyncio.sleep(every_s)


def split(rng: Rng) -> SeededRng:
    """Return randomness of its own, drawn from another."""
    return SeededRng(int(rng.token(8), 16))


def pick(rng: Rng, choices: Sequence[T]) -> T:
    """Return one of several things."""
    return choices[min(int(rng.uniform(0, len(choices))), len(choices) - 1)]


def chance(rng: Rng, probability: float) -> bool:
    """Return whether something happens that does so with this probability."""
    return rng.uniform(0, 1) < probability
