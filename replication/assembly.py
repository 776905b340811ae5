"""One replica put together: clock, engine and replication, over the four ports. Production and simulation both use it.

What: :class:`Ports` are the doors to the world: time, storage, network, randomness. :class:`Assembly` wires everything
that lies between them. Whoever makes one opens the doors (a file and WebSockets, or a simulated disk and network) and
decides how it is started and stopped; nothing else differs, which a test asserts.

Invariants: the clock begins at the ceiling that the store holds; engine, clock and replication share one source of time
and one generator.

Source: the project's design, section 1.
"""

from __future__ import annotations

from typing import NamedTuple

from clock import DriftBounds, HybridLogicalClock, PhysicalClock
from region.archive.port import Shelf
from region.checkpoint import RunBeside
from region.engine import Engine
from region.events import Events
from region.operation.context import RegionSettings
from region.randomness import Rng
from region.store.port import Store
from replication.link import ReplicationSettings
from replication.replication import Replication
from replication.transport import Transport


class Ports(NamedTuple):
    """The four doors of a replica to the world."""

    source: PhysicalClock
    store: Store
    transport: Transport
    rng: Rng


class Assembly:
    """The parts of one replica, wired and not started yet.

    ``run_beside`` is how what waits for the disk is run beside the event loop; see
    :class:`~region.engine.Engine`. ``shelf`` keeps backups; without one there are none.
    """

    def __init__(
        self,
        ports: Ports,
        *,
        settings: RegionSettings,
        replication: ReplicationSettings,
        drift: DriftBounds | None = None,
        events: Events | None = None,
        run_beside: RunBeside | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        store = ports.store
        self.ports = ports
        self.clock = HybridLogicalClock(
            settings.region,
            ports.source,
            ceiling=store.load_ceiling(),
            persist=store.save_ceiling,
            drift=drift or DriftBounds(),
        )
        self.engine = Engine(
            store=store,
            clock=self.clock,
            source=ports.source,
            settings=settings,
            rng=ports.rng,
            events=events,
            run_beside=run_beside,
            shelf=shelf,
        )
        self.replication = Replication(self.engine, replication, ports.transport, ports.rng)
