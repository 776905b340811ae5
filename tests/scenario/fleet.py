"""Real regions in one event loop, connected through memory or through WebSockets: the stage of the scenarios."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from clock import HybridLogicalClock, PhysicalClock, SkewedClock, SystemClock
from region.engine import Engine
from region.events import Event
from region.model.change import StoredItem
from region.operation.context import RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import Durability, open_store
from replication import (
    LinkState,
    LinkStatus,
    MemoryNetwork,
    Replication,
    ReplicationSettings,
    Transport,
    WebSocketTransport,
)

DEADLINE_S = 60.0
TABLE = "songs"
EAST, WEST, NORTH = "us-east-1", "us-west-2", "eu-north-1"


async def eventually(condition: Callable[[], bool], what: str = "") -> None:
    """Wait until a condition holds, and fail if it does not within the deadline."""
    never = asyncio.Event()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DEADLINE_S
    while not condition():
        assert loop.time() < deadline, f"it never happened: {what or condition}"
        with suppress(TimeoutError):
            await asyncio.wait_for(never.wait(), 0.003)


class Region:
    """One region: a real engine over a real store, and its replication."""

    def __init__(
        self,
        name: str,
        transport: Transport,
        *,
        source: PhysicalClock | None = None,
        seed: int = 0,
        path: Path | None = None,
        syncs: bool = False,
        **fields: Any,
    ) -> None:
        self.name = name
        self.path = path
        self.source = SkewedClock(source or SystemClock())
        rng = SeededRng(seed)
        durability: Durability = "full" if syncs else "normal" if path else "memory"
        self.store = open_store(path, region=name, durability=durability, rng=rng)
        clock = HybridLogicalClock(
            name, self.source, ceiling=self.store.load_ceiling(), persist=self.store.save_ceiling
        )
        settings = RegionSettings(region=name)
        self.engine = Engine(
            store=self.store,
            clock=clock,
            source=self.source,
            settings=settings,
            rng=rng,
            run_beside=asyncio.to_thread if syncs else None,
        )
        self.events: list[Event] = []
        self.engine.events.subscribe(self.events.append)
        quick = {"heartbeat_ms": 20, "silence_ms": 1000, "backoff_min_ms": 5, "backoff_max_ms": 40, "position_ms": 50}
        self.fields = {**quick, **fields}
        self.transport = transport
        self.rng = rng
        self.replication = self._replication()
        self.port = 0

    def _replication(self) -> Replication:
        settings = ReplicationSettings(region=self.name, host=self.host, **self.fields)
        return Replication(self.engine, settings, self.transport, self.rng)

    @property
    def host(self) -> str:
        return "127.0.0.1" if isinstance(self.transport, WebSocketTransport) else self.name

    @property
    def url(self) -> str:
        scheme = "ws" if isinstance(self.transport, WebSocketTransport) else "memory"
        return f"{scheme}://{self.host}:{self.port}"

    async def start(self) -> None:
        self.port = await self.replication.start()

    async def stop(self) -> None:
        await self.replication.stop()
        await self.engine.close()

    async def run(self, operation: str, **request: Any) -> Any:
        return await self.engine.execute(operation, request)

    async def put(self, key: str, table: str = TABLE, **attributes: str) -> None:
        item = {"pk": {"S": key}, **{name: {"S": value} for name, value in attributes.items()}}
        await self.run("PutItem", TableName=table, Item=item)

    async def delete(self, key: str, table: str = TABLE) -> None:
        await self.run("DeleteItem", TableName=table, Key={"pk": {"S": key}})

    async def get(self, key: str, table: str = TABLE) -> dict[str, Any] | None:
        answer = await self.run("GetItem", TableName=table, Key={"pk": {"S": key}})
        decoded: dict[str, Any] = orjson.loads(orjson.dumps(answer))
        return decoded.get("Item")

    async def create_table(self, name: str = TABLE) -> None:
        await self.run(
            "CreateTable",
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )

    async def add_replica(self, region: str, name: str = TABLE) -> None:
        await self.run("UpdateTable", TableName=name, ReplicaUpdates=[{"Create": {"RegionName": region}}])

    async def remove_replica(self, region: str, name: str = TABLE) -> None:
        await self.run("UpdateTable", TableName=name, ReplicaUpdates=[{"Delete": {"RegionName": region}}])

    def rows(self, name: str = TABLE) -> dict[bytes, tuple[bytes | None, int, str, dict[str, int]]] | None:
        """All items and tombstones with their whole versions; ``None`` where the table is not usable."""
        table = self.engine.catalogue.by_name.get(name)
        if table is None or not self.engine.reading.usable(table):
            return None
        found: list[tuple[bytes, StoredItem]] = self.store.scan_versions(table, b"", 1_000_000)
        return {key: (it.image, it.version.hlc, it.version.origin, it.version.full_vector()) for key, it in found}

    def link(self, source: str, sink: str) -> LinkStatus:
        (status,) = [it for it in self.replication.links() if (it.source, it.sink) == (source, sink)]
        return status

    def seen(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Fleet:
    """Several regions that know each other."""

    def __init__(self, network: MemoryNetwork | None) -> None:
        self.network = network or MemoryNetwork()
        self._memory = network is not None
        self.regions: dict[str, Region] = {}
        self._seeds = 0

    def transport(self, name: str) -> Transport:
        return self.network.transport(name) if self._memory else WebSocketTransport()

    async def add(self, name: str, **fields: Any) -> Region:
        """Start a region and connect it with all others, both ways."""
        self._seeds += 1
        region = Region(name, self.transport(name), seed=self._seeds, **fields)
        await region.start()
        for other in self.regions.values():
            other.replication.add_peer(name, region.url)
            region.replication.add_peer(other.name, other.url)
        self.regions[name] = region
        return region

    async def replace(self, name: str, path: Path | None = None) -> Region:
        """Stop a region and start it again on another port: with its file, with that of ``path``, or with nothing."""
        old = self.regions.pop(name)
        await old.stop()
        return await self.add(name, path=path, **old.fields)

    async def connected(self) -> None:
        """Wait until every link is up."""
        await eventually(
            lambda: all(
                link.state is not LinkState.UNREACHABLE
                for region in self.regions.values()
                for link in region.replication.links()
            ),
            "all links are up",
        )

    async def global_table(self, *names: str, table: str = TABLE) -> None:
        """Create a table in the first region and replicas in the others, and wait until all are ACTIVE."""
        await self.connected()
        first = self.regions[names[0]]
        await first.create_table(table)
        for name in names[1:]:
            await first.add_replica(name, table)
            await self.active(table, *names[: names.index(name) + 1])

    async def active(self, table: str, *names: str, seen_by: tuple[str, ...] = ()) -> None:
        """Wait until some regions, by default the same ones, see these as ACTIVE, and no others."""
        expected = dict.fromkeys(names, "ACTIVE")
        await eventually(
            lambda: all(self.replicas(name, table) == expected for name in seen_by or names),
            f"{table} is ACTIVE in {names}",
        )

    def replicas(self, region: str, table: str = TABLE) -> dict[str, str]:
        """The replicas of a table as one region sees them."""
        held = self.regions[region].engine.catalogue.by_name.get(table)
        if held is None or not self.regions[region].engine.reading.usable(held):
            return {}
        return {name: member["ReplicaStatus"] for name, member in held.members().items()}

    def equal(self, *names: str, table: str = TABLE, tombstones: bool = True) -> bool:
        """Whether these regions hold the same items, tombstones and versions."""
        rows = [self.regions[name].rows(table) for name in names]
        if not tombstones:
            rows = [held and {key: row for key, row in held.items() if row[0] is not None} for held in rows]
        return rows[0] is not None and all(other == rows[0] for other in rows[1:])

    async def converged(self, *names: str, table: str = TABLE, tombstones: bool = True) -> None:
        """Wait until everything committed anywhere is everywhere, then compare.

        ``tombstones`` are not compared where regions may not have purged alike.
        """
        which = names or tuple(self.regions)

        async def settled() -> None:
            for name in which:
                await self.regions[name].replication.wait_delivered()

        await asyncio.wait_for(settled(), DEADLINE_S)
        await eventually(lambda: not any(self.regions[name].replication.fetching for name in which), "all is fetched")
        await eventually(lambda: self.equal(*which, table=table, tombstones=tombstones), f"{which} hold the same")

    async def stop(self) -> None:
        for region in self.regions.values():
            await region.stop()
