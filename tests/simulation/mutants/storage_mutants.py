"""Bugs of what is written to disk: items, tombstones, indexes, the log, and when a client is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chaos.faults import Crash, DiskSlow
from mutants.bank import mutant
from region.engine import Engine
from region.model.change import Change
from region.operation.context import Context
from region.store import expiry, opening
from region.store.counters import Counters
from region.store.digest import DigestWriter
from region.store.index import IndexWriter
from region.store.sqlite import SqliteStore
from region.store.transaction import SqliteTransaction
from replication import applier
from replication.outlet import Outlet

OUTAGES_MS = (("us-east-1", 4000), ("eu-west-1", 7000), ("ap-northeast-1", 10_000))
OUTAGES = tuple(Crash(region=region, power=True, at_ms=at_ms, for_ms=500) for region, at_ms in OUTAGES_MS)
SLOW_AND_KILLED = (
    DiskSlow(region="*", ms=300, for_ms=14_000),
    *(Crash(region="*", at_ms=at_ms, for_ms=200) for at_ms in range(1500, 14_000, 1500)),
)
settle = applier._settle


@contextmanager
def _while_applying(patch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Give a flag (a list of one) that holds while a change from a peer is being applied."""
    applying = [False]

    def flagged(*arguments: Any, **named: Any) -> None:
        applying[0] = True
        try:
            settle(*arguments, **named)
        finally:
            applying[0] = False

    patch.setattr(applier, "_settle", flagged)
    yield applying


@mutant("convergence", workloads=("carts",))
def index_entry_not_written_on_apply(patch: pytest.MonkeyPatch) -> None:
    """What comes from a peer is not entered into the indexes (a replicator that goes past the index layer)."""
    change = IndexWriter.change
    with _while_applying(patch) as applying:

        def local_only(self: IndexWriter, plans: Any, made: Change) -> None:
            # What an entry was made for is still taken out of the index, so that nothing trips over its absence.
            if not applying[0] or made.incumbent is not None:
                change(self, plans, made)

    patch.setattr(IndexWriter, "change", local_only)


@mutant("convergence")
def statistics_not_kept_on_apply(patch: pytest.MonkeyPatch) -> None:
    """Items that come from a peer are not counted (PostgreSQL's statistics on logical subscribers)."""
    count = Counters.add
    with _while_applying(patch) as applying:

        def local_only(self: Counters, number: int, items: int, size: int) -> None:
            if not applying[0]:
                count(self, number, items, size)

    patch.setattr(Counters, "add", local_only)


@mutant("convergence", "values", workloads=("ttl",))
def expiry_not_entered_on_apply(patch: pytest.MonkeyPatch) -> None:
    """An item that comes from a peer never expires here (Redis replicas and keys with a TTL)."""
    follow = expiry.follow
    with _while_applying(patch) as applying:

        def local_only(execute: Any, plan: Any, change: Change) -> None:
            if not applying[0]:
                follow(execute, plan, change)

    patch.setattr(expiry, "follow", local_only)


@mutant("streams", "fold")
def log_record_missing_on_apply(patch: pytest.MonkeyPatch) -> None:
    """What is applied leaves no record in the log, so no stream shows it (MySQL without log_slave_updates)."""

    def unlogged(*arguments: Any, logged: bool) -> None:
        settle(*arguments, logged=False)

    patch.setattr(applier, "_settle", unlogged)


@mutant("streams", "timestamps")
def log_record_twice(patch: pytest.MonkeyPatch) -> None:
    """A change is logged twice where it replaces something (a retried append; Kafka before idempotent producers)."""
    put = SqliteTransaction.put

    def twice(self: SqliteTransaction, change: Change) -> int:
        sequence = put(self, change)
        if change.incumbent is not None and change.image is not None and sequence % 7 == 0:
            change.incumbent = self.get(change.table, change.key)
            sequence = put(self, change)
        return sequence

    patch.setattr(SqliteTransaction, "put", twice)


@mutant("convergence", "fold", "resurrection")
def tombstone_dropped_on_apply(patch: pytest.MonkeyPatch) -> None:
    """A deletion from a peer removes the row, and with it the memory of having been deleted (dynomite)."""

    def forget(context: Context, change: Change, *rest: Any, **named: Any) -> None:
        settle(context, change, *rest, **named)
        transaction: Any = context.transaction
        stored = transaction.get(change.table, change.key)
        if change.image is None and stored is not None and stored.image is None:
            transaction._execute(transaction._state.plan(change.table).delete, (change.key,))

    patch.setattr(applier, "_settle", forget)


@mutant("convergence", "fold", "resurrection", "streams")
def purge_on_acknowledgement(patch: pytest.MonkeyPatch) -> None:
    """Tombstones go once a peer has them, though an older write may still be under way (Cassandra without gc_grace)."""
    acknowledge = Outlet._acknowledge

    def purge(context: Context) -> None:
        transaction: Any = context.transaction
        for table in context.catalogue.by_name.values():
            for key, stored in transaction.scan_versions(table, b"", 10_000):
                if stored.image is None:
                    transaction._execute(transaction._state.plan(table).delete, (key,))
                    transaction.dirty = True
                    context.written += 1

    def acknowledged(self: Outlet, frame: Any, source: Any) -> None:
        before = source.acknowledged
        acknowledge(self, frame, source)
        if source.acknowledged > before:
            self._around.engine.write(purge, lambda result, error: None, alone=True)

    patch.setattr(Outlet, "_acknowledge", acknowledged)


@mutant("durability", "values", "fold", "convergence", durability="full", script=OUTAGES)
def acknowledged_before_durable(patch: pytest.MonkeyPatch) -> None:
    """Clients are answered when their write is in memory, and the disk gets it later (MongoDB with w:1, j:false)."""
    run_job = Engine._run_job

    def at_once(self: Engine, job: Any, context: Context) -> Any:
        done, result, error = run_job(self, job, context)
        if error is None and job.request_id is not None and not context.catalogue.changes:
            done(result, None)
            return (lambda *late: None), result, None
        return done, result, error

    async def late(self: Engine, run_beside: Any, *rest: Any) -> None:
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.15)
        await commit_elsewhere(self, run_beside, *rest)

    commit_elsewhere = Engine._commit_elsewhere
    patch.setattr(Engine, "_run_job", at_once)
    patch.setattr(Engine, "_commit_elsewhere", late)


@mutant("durability", "values", "fold", "convergence", "liveness", durability="full", script=OUTAGES)
def unsynchronised_suffix_acknowledged(patch: pytest.MonkeyPatch) -> None:
    """The durability that promises to survive a loss of power does not wait for the disk (PostgreSQL's fsyncgate)."""
    patch.setitem(opening._SYNCHRONOUS, "full", "NORMAL")


@mutant("values", "linearizability", durability="full", clients=4, pause_ms=60.0, script=SLOW_AND_KILLED)
def uncommitted_read(patch: pytest.MonkeyPatch) -> None:
    """Reads see what is being committed and may yet be lost (MongoDB's local reads; Redis before the AOF's fsync)."""
    patch.setattr(SqliteStore, "_reader", lambda self: self._main)


@mutant("streams", "fold", "convergence", "resurrection", "values")
def applied_without_looking(patch: pytest.MonkeyPatch) -> None:
    """What comes from a peer replaces what is here, whichever is later (trust in the order of arrival)."""

    def blind(context: Context, change: Change, *rest: Any, **named: Any) -> None:
        change.incumbent = context.transaction.get(change.table, change.key)
        context.transaction.put(change)
        context.written += 1

    patch.setattr(applier, "_settle", blind)


@mutant("convergence")
def digest_leaf_not_updated(patch: pytest.MonkeyPatch) -> None:
    """The tree by which replicas compare themselves misses what comes from a peer (Riak's anti-entropy trees)."""
    toggle = DigestWriter.toggle
    with _while_applying(patch) as applying:

        def local_only(self: DigestWriter, *arguments: Any, live: bool) -> None:
            if not applying[0]:
                toggle(self, *arguments, live=live)

    patch.setattr(DigestWriter, "toggle", local_only)
