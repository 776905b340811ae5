"""A peer that connects again and again is served on its newest connection alone; one that is gone is not waited for."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from fleet import EAST, WEST, Fleet, eventually
from weather import Cut

from region.errors import ReplicationError
from replication import LinkState, resynchronisation
from replication.backlog import Backlog
from replication.link import Backoff, ReplicationSettings, Surroundings
from replication.membership import Membership
from replication.message import Frame, Subscribe, Welcome, decode
from replication.outlet import Outlet


class Slow:
    """A connection whose end takes until someone lets it."""

    def __init__(self) -> None:
        self.peer = WEST
        self.sent: list[Frame] = []
        self.let_go = asyncio.Event()
        self._closed = asyncio.Event()

    async def send(self, frame: bytes) -> None:
        self.sent.append(decode(frame))

    async def receive(self) -> bytes:
        await self._closed.wait()
        raise ReplicationError("closed")

    async def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            await self.let_go.wait()

    @property
    def welcomed(self) -> bool:
        return any(isinstance(frame, Welcome) for frame in self.sent)


async def test_of_two_that_come_while_an_old_connection_ends_the_newer_one_is_served(fleet: Fleet) -> None:
    east = await fleet.add(EAST)
    settings = ReplicationSettings(region=EAST)
    around = Surroundings(east.engine, settings, east.transport, east.rng, Membership(EAST, [WEST]))
    outlet = Outlet(around, WEST, Backlog(east.store, EAST), lambda: None, lambda: None)
    subscribe = Subscribe(WEST, EAST, "", 0, 1 << 20)
    old, second, third = Slow(), Slow(), Slow()
    sessions = []
    for connection in (old, second, third):
        sessions.append(asyncio.ensure_future(outlet.serve(connection, subscribe)))
        if connection is old:
            await eventually(lambda: old.welcomed, "the first one is served")
    old.let_go.set()
    await eventually(lambda: third.welcomed, "the newest one is served")
    with pytest.raises(ReplicationError, match="connected again"):
        await sessions[1]
    assert not second.welcomed
    assert outlet.status().state is LinkState.LIVE
    third.let_go.set()
    await outlet.close()
    await asyncio.wait(sessions)
    assert outlet.status().state is LinkState.UNREACHABLE


async def test_a_plan_is_known_though_the_connection_that_it_came_of_ends_while_it_is_saved(fleet: Fleet) -> None:
    east, _ = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    settings = ReplicationSettings(region=EAST)
    told: list[int] = []
    for turns in range(12):
        around = Surroundings(east.engine, settings, east.transport, east.rng, Membership(EAST, [WEST]))
        outlet = Outlet(around, WEST, Backlog(east.store, EAST), partial(told.append, turns), lambda: None)
        await around.durably(lambda context: resynchronisation.forget(context, WEST))
        session = asyncio.ensure_future(outlet.serve(Slow(), Subscribe(WEST, EAST, "a lost life", 5, 1 << 20)))
        for _ in range(turns):
            await asyncio.sleep(0)
        session.cancel()
        await asyncio.wait([session])
        saved = resynchronisation.load(east.store, WEST)
        assert around.plans.get(WEST) == saved
        assert (turns in told) == (saved is not None)
    assert told


async def test_a_connection_that_ends_at_once_does_not_shorten_the_next_wait(fleet: Fleet) -> None:
    east = await fleet.add(EAST)
    backoff = Backoff(ReplicationSettings(region=EAST, backoff_min_ms=50, backoff_max_ms=1000), east.rng)
    for _ in range(5):
        backoff.next_s()
        backoff.lasted(0.01)
    assert backoff.next_s() >= 0.5
    backoff.lasted(1.0)
    assert backoff.next_s() <= 0.05


async def test_a_removed_peer_is_not_waited_for(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    fleet.network.faults = Cut(WEST)
    await east.put("never arrives")
    waiting = asyncio.ensure_future(east.replication.wait_delivered())
    await eventually(lambda: east.link(EAST, WEST).records_behind > 0)
    await east.replication.remove_peer(WEST)
    await asyncio.wait_for(waiting, 5)
    assert len(west.rows() or ()) == 0


async def test_hundreds_of_tables_are_fetched_from_one_region_over_one_connection(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.connected()
    west.replication.pause("in")
    names = [f"table-{n}" for n in range(300)]
    for name in names:
        await east.create_table(name)
        await east.add_replica(WEST, name)
    await eventually(lambda: len(west.engine.catalogue.by_name) == 300, "west knows all tables")
    west.replication.resume()
    await eventually(lambda: not west.replication.fetching, "all is fetched")
    assert west.link(EAST, WEST).connections == 1
    assert west.link(EAST, WEST).errors == 0
