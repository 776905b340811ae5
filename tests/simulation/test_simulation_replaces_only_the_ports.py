"""Between simulation and production nothing differs but what is behind the four ports, and the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from atoll.composition import Region
from atoll.config import Config
from chaos.simulation.cluster import ClusterSettings, SimulatedCluster
from chaos.simulation.loop import VirtualLoop
from region.randomness import SeededRng

OURS = ("clock.", "region.", "replication.", "chaos.", "atoll.")


def reachable(root: Any, stop: tuple[str, ...] = ()) -> set[str]:
    """The classes of ours of all objects that can be reached from one, by their dotted names."""
    seen: dict[int, Any] = {}
    found: set[str] = set()
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen[id(thing)] = thing
        name = f"{type(thing).__module__}.{type(thing).__qualname__}"
        if name.startswith(OURS):
            found.add(name)
            if name in stop:
                continue
        waiting += parts(thing)
    return found


def parts(thing: Any) -> Iterator[Any]:
    if isinstance(thing, dict):
        yield from thing.values()
    elif isinstance(thing, list | tuple | set | frozenset):
        yield from thing
    elif type(thing).__module__.startswith(OURS):
        yield from getattr(thing, "__dict__", {}).values()
        for kind in type(thing).__mro__:
            for slot in getattr(kind, "__slots__", ()):
                name = f"_{kind.__name__.lstrip('_')}{slot}" if slot.startswith("__") else slot
                if hasattr(thing, name):
                    yield getattr(thing, name)


WEBSOCKETS = ("replication.websocket.WebSocketTransport", "replication.websocket._WebSocketListener")
SIMULATED = ("chaos.simulation.network.SimulatedTransport", "chaos.simulation.network._Listener")

ARCHIVE = ("region.archive.shelf.VaultShelf", "region.archive.folder.FolderVault")
"""Where backups are kept, a folder or a bucket, is a port of its own; a simulated region keeps none."""


async def production(folder: Path) -> set[str]:
    region = Region(Config(region="us-east-1", data=str(folder), durability="normal"), lambda code: None)
    await region.start()
    try:
        return reachable(region._assembly, WEBSOCKETS)
    finally:
        await region.stop()


def simulation() -> set[str]:
    loop = VirtualLoop()
    clusters: list[SimulatedCluster] = []

    async def main() -> set[str]:
        clusters.append(SimulatedCluster(ClusterSettings(regions=("us-east-1",)), SeededRng(1)))
        machine = clusters[0].machines["us-east-1"]
        machine.start()
        await asyncio.sleep(1)
        return reachable(machine.assembly, SIMULATED)

    try:
        return loop.run(main())
    finally:
        clusters[0].close()
        loop.close()


def test_only_clock_randomness_and_transport_are_other_objects(tmp_path: Path) -> None:
    produced, simulated = asyncio.run(production(tmp_path)), simulation()
    assert {"region.store.sqlite.SqliteStore", "region.engine.Engine"} <= produced
    real = {"clock.source.SystemClock", "region.randomness.SystemRng", *WEBSOCKETS, *ARCHIVE}
    assert produced - simulated == real
    assert simulated - produced == {
        "chaos.simulation.clocks.SimulatedClock",
        "region.randomness.SeededRng",
        "region.archive.port.EmptyShelf",
        *SIMULATED,
    }
