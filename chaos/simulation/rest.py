"""Rest: when nothing is under way between the regions any more, and how to wait for it.

What: every region writes a sentinel into a table that all hold. When every region has every sentinel, nothing is left
to be fetched, and no link is behind, everything that was written before is everywhere.

Invariant: the sentinels are written after the faults have healed, each after everything else that its region wrote, and
links keep the order of writes.

Source: the project's design, section 6.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from chaos.stage import UnsettledError
from chaos.workload.client import CallError
from replication import LinkState

if TYPE_CHECKING:
    from chaos.simulation.cluster import SimulatedCluster

TABLE: Final = "sentinels"
LOOK_S: Final = 0.1
START_S: Final = 30.0
AT_REST: Final = (LinkState.LIVE,)


class Rest:
    """Brings one cluster to rest."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self._rounds = 0

    async def prepare(self) -> None:
        """Make the table of sentinels, with a replica in every region.

        Raises:
            UnsettledError: that did not happen in time.
        """
        first, *others = self._cluster.regions
        client = self._cluster.client(first)
        await self._until(self._unconnected, START_S)
        await client.call(
            "CreateTable",
            {
                "TableName": TABLE,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            },
        )
        for other in others:
            update = {"TableName": TABLE, "ReplicaUpdates": [{"Create": {"RegionName": other}}]}
            await client.call("UpdateTable", update)
            await self._until(self._missing, START_S)

    async def settle(self, deadline_s: float) -> None:
        """Write the sentinels and wait.

        Raises:
            UnsettledError: it did not come to rest in time; the message says who waits for what.
        """
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + deadline_s
        self._rounds += 1
        keys = {region: f"{region}#{self._rounds}" for region in self._cluster.regions}
        for region, key in keys.items():
            await self._write(region, key, ends_s)

        def missing() -> list[str]:
            return self._unseen(list(keys.values())) + self._fetching() + self._behind()

        await self._until(missing, ends_s - loop.time())

    async def _write(self, region: str, key: str, ends_s: float) -> None:
        loop = asyncio.get_running_loop()
        client = self._cluster.client(region)
        while True:
            try:
                await client.call("PutItem", {"TableName": TABLE, "Item": {"pk": {"S": key}}})
            except CallError as error:
                if loop.time() > ends_s:
                    raise UnsettledError(f"{region} takes no sentinel: {error}") from error
                await asyncio.sleep(LOOK_S)
            else:
                return

    async def _until(self, missing: Callable[[], list[str]], seconds: float) -> None:
        """Wait until nothing is missing."""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + seconds
        while lacks := missing():
            if loop.time() > ends_s:
                raise UnsettledError("; ".join(lacks))
            await asyncio.sleep(LOOK_S)

    # What is missing.

    def _unseen(self, keys: list[str]) -> list[str]:
        found = []
        for name, machine in self._cluster.machines.items():
            if machine.assembly is None:
                found.append(f"{name} is down")
                continue
            engine = machine.assembly.engine
            table = engine.catalogue.by_name.get(TABLE)
            if table is None:
                found.append(f"{name} has lost the table of sentinels")
                continue
            held = {item.image for _, item in engine.store.scan_versions(table, b"", 10_000)}
            found += [f"{name} lacks {key}" for key in keys if not any(key.encode() in (it or b"") for it in held)]
        return found

    def _fetching(self) -> list[str]:
        return [
            f"{name} is still fetching a table"
            for name, machine in self._cluster.machines.items()
            if machine.assembly is not None and machine.assembly.replication.fetching
        ]

    def _behind(self) -> list[str]:
        return [
            f"{link.source}->{link.sink} at {link.at}: {link.state} {link.detail}, {link.records_behind} behind"
            for machine in self._cluster.machines.values()
            if machine.assembly is not None
            for link in machine.assembly.replication.links()
            if link.state not in AT_REST or link.records_behind
        ]

    def _unconnected(self) -> list[str]:
        return [
            f"{link.source}->{link.sink} at {link.at}: {link.detail}"
            for machine in self._cluster.machines.values()
            if machine.assembly is not None
            for link in machine.assembly.replication.links()
            if link.state is LinkState.UNREACHABLE
        ]

    def _missing(self) -> list[str]:
        """Who does not see every replica that there is as ACTIVE."""
        states = {}
        for name, machine in self._cluster.machines.items():
            table = None if machine.assembly is None else machine.assembly.engine.catalogue.by_name.get(TABLE)
            if table is not None:
                states[name] = {region: it["ReplicaStatus"] for region, it in table.members().items()}
        members = set().union(*states.values())
        expected = dict.fromkeys(members, "ACTIVE")
        return [f"{name} sees {states.get(name)}" for name in sorted(members) if states.get(name) != expected]
