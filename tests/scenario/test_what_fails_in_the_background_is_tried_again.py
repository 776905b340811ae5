"""What a region does by itself goes on after a failure of its store, and whoever listens hears of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fleet import EAST, NORTH, TABLE, WEST, Fleet, Region, eventually
from weather import Cut

from region.errors import StoreError
from region.operation.context import Context
from region.operation.replica import disassociation
from region.store.transaction import SqliteTransaction
from replication import LinkState, obligations, recounting
from replication.events import (
    BootstrapInterrupted,
    DigestMismatch,
    Disassociated,
    LinkFailed,
    ReplicaDetached,
    WorkInterrupted,
)
from replication.intake import Intake
from replication.link import Surroundings
from replication.outlet import Outlet

FULL = "the disk is full"


class Failing:
    """Lets calls fail like a full disk: those that ``when`` picks, the first of them or all."""

    def __init__(self, call: Callable[..., Any], when: Callable[..., bool], *, always: bool = False) -> None:
        self.times = 0
        self._call = call
        self._when = when
        self._always = always

    def method(self) -> Callable[..., Any]:
        """Return what to put in the place of the call, of a class as well as of a module."""

        def call(*args: Any, **fields: Any) -> Any:
            if (self._always or not self.times) and self._when(*args, **fields):
                self.times += 1
                raise StoreError(FULL)
            return self._call(*args, **fields)

        return call


def fail(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, when: Callable[..., bool], *, always: bool = False
) -> Failing:
    failing = Failing(getattr(owner, name), when, always=always)
    monkeypatch.setattr(owner, name, failing.method())
    return failing


def heard(region: Region, work: str, table: str = "") -> bool:
    """Whether the region has told of work that failed."""
    return any((it.work, it.table) == (work, table) and FULL in it.reason for it in region.seen(WorkInterrupted))


def cut_off(fleet: Fleet, region: str) -> Cut:
    cut = Cut(region)
    fleet.network.faults = cut
    fleet.network.tear(region)
    return cut


async def test_regions_that_cannot_save_for_how_long_a_peer_is_away_detach_it_all_the_same(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    east, west, _ = [await fleet.add(name, silence_ms=100, detach_after_ms=300) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST, NORTH)
    fail(monkeypatch, SqliteTransaction, "save_meta", lambda _, name, text: name.startswith("away:"), always=True)
    cut_off(fleet, NORTH)
    await eventually(lambda: all(it.seen(ReplicaDetached) for it in (east, west)), "both detach north")
    for region in (east, west):
        assert heard(region, "detaching regions that are away")


async def test_a_count_whose_commit_failed_does_not_count_as_saved(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    east, _ = [await fleet.add(name, silence_ms=100, detach_after_ms=20_000) for name in (EAST, WEST)]
    await fleet.connected()
    name = f"away:{WEST}"
    cut = cut_off(fleet, WEST)
    await eventually(lambda: bool(east.store.meta(name)), "it is saved that west is away")
    failing = fail(monkeypatch, SqliteTransaction, "save_meta", lambda _, what, text: (what, text) == (name, ""))
    cut.heal()
    await eventually(lambda: not east.store.meta(name), "it is saved that west is back")
    assert failing.times == 1
    assert heard(east, "detaching regions that are away")


async def test_detachment_is_watched_for_while_and_after_another_peer_is_removed(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    east, _, _ = [await fleet.add(name, silence_ms=100, detach_after_ms=300) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST)
    close = Outlet.close
    membership = east.replication.membership

    async def lingering(outlet: Outlet) -> None:
        """Close as a WebSocket does, which takes time: for a look of the watch at least."""
        before = membership.away
        await eventually(lambda: membership.away is not before, "it was looked who is away")
        await close(outlet)

    monkeypatch.setattr(Outlet, "close", lingering)
    await east.replication.remove_peer(NORTH)
    monkeypatch.setattr(Outlet, "close", close)
    assert not east.seen(WorkInterrupted)
    cut_off(fleet, WEST)
    await eventually(lambda: bool(east.seen(ReplicaDetached)), "east detaches west")


async def test_a_replica_whose_departure_failed_leaves_without_a_restart(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    fail(monkeypatch, disassociation, "complete", lambda *_: True)
    await west.run("UpdateTable", TableName=TABLE, DisassociationProtectionEnabled=False)
    action = {"RegionName": WEST, "DisassociationMode": "WAIT_FOR_REPLICATION"}
    await west.run("UpdateTable", TableName=TABLE, ReplicaUpdates=[{"Disassociate": action}])
    await eventually(lambda: bool(west.seen(Disassociated)), "west has left")
    assert heard(west, "leaving a global table", TABLE)


async def test_a_digest_that_could_not_be_counted_anew_at_the_start_is_in_the_end(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    east = await fleet.add(EAST, compare_ms=20)
    west = await fleet.add(WEST, compare_ms=20, recount_at_start=True, path=tmp_path / "west")
    await fleet.global_table(EAST, WEST)
    await east.put("k", v="v")
    await fleet.converged()
    table = west.engine.catalogue.by_name[TABLE]
    key = table.check_item_keys({"pk": {"S": "k"}})
    await fleet.regions.pop(WEST).stop()
    with closing(sqlite3.connect(tmp_path / "west")) as database:
        assert database.execute(f'DELETE FROM "{table.id}:{TABLE}" WHERE key = ?', [key]).rowcount == 1
        database.commit()
    fail(monkeypatch, Context, "save_table", lambda _, record: record.local.digest_after == "")
    west = await fleet.add(WEST, **west.fields, path=tmp_path / "west")
    await eventually(lambda: bool(west.seen(DigestMismatch)), "west notices")
    assert heard(west, "counting a digest anew", TABLE)


async def test_a_table_that_is_gone_has_no_digest_to_count(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await west.create_table()
    (stranger,) = west.engine.catalogue.by_name.values()
    around = Surroundings(east.engine, east.replication.settings, east.transport, east.rng, east.replication.membership)
    await recounting.recount_all(around, [stranger])
    assert not east.seen(WorkInterrupted)


async def test_the_plan_of_a_dropped_table_is_forgotten_although_that_failed_once(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    east, west, _ = [await fleet.add(name, silence_ms=100) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, NORTH)
    cut_off(fleet, NORTH)
    await east.add_replica(WEST)
    await eventually(lambda: fleet.replicas(EAST).get(WEST) == "ACTIVE", "west has all but what north owes it")
    assert west.replication.fetching
    (uid,) = west.engine.catalogue.by_uid
    failing = fail(monkeypatch, obligations, "forget", lambda *_: True)
    await west.run("DeleteTable", TableName=TABLE)
    await eventually(lambda: failing.times > 0 and not west.replication.fetching, "there is no plan any more")
    assert obligations.load(west.store, uid) is None
    assert FULL in [it.reason for it in west.seen(BootstrapInterrupted)]


async def test_a_link_whose_cursor_could_not_be_read_at_first_is_made_all_the_same(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = fail(monkeypatch, Intake, "load", lambda _: True)
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    assert failing.times == 1
    assert [it for region in (east, west) for it in region.seen(LinkFailed) if it.reason == FULL]
    assert west.link(EAST, WEST).state is not LinkState.UNREACHABLE
