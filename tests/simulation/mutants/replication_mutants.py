"""Bugs of the conflict rule, of source and sink, and of what is remembered of a link."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from chaos.faults import ClockOffset
from mutants.bank import mutant
from region.model.change import Cursor, StoredItem
from region.model.version import Version, merge
from region.operation.context import Context
from replication import applier, conflict, conflicts, intake, link
from replication.conflict import Resolution, Verdict
from replication.events import Conflicted
from replication.message import Batch, Subscribe
from replication.sink import Sink, Work
from replication.source import Source

CONFLICTS = ("registers", "counters")
BUSY = {"pause_ms": 80.0}


def _resolve(patch: pytest.MonkeyPatch, change: Any) -> None:
    """Have the applier ask ``change(resolution, incumbent, incoming)`` too, of all but an item's first write."""
    resolve = conflict.resolve

    def other(incumbent: Version | None, incoming: Version) -> Resolution:
        resolution = resolve(incumbent, incoming)
        return resolution if incumbent is None else change(resolution, incumbent, incoming)

    patch.setattr(applier, "resolve", other)


@mutant("convergence", "fold", "values", workloads=CONFLICTS)
def first_to_arrive_wins(patch: pytest.MonkeyPatch) -> None:
    """Of concurrent writes the one that is here stays, whatever the clocks say (a missing last-writer-wins rule)."""

    def stay(resolution: Resolution, incumbent: Version, incoming: Version) -> Resolution:
        if resolution.verdict is Verdict.CONCURRENT_WON:
            return Resolution(Verdict.CONCURRENT_LOST, merge(incumbent, incoming))
        return resolution

    _resolve(patch, stay)


@mutant("convergence", "fold", "values", workloads=CONFLICTS, **BUSY)
def tie_break_missing(patch: pytest.MonkeyPatch) -> None:
    """Equal clocks are not told apart by the region, each replica keeps its own (Cassandra's equal timestamps).

    Clocks are compared in steps of two seconds here, so that they are equal often enough.
    """

    def coarse(resolution: Resolution, incumbent: Version, incoming: Version) -> Resolution:
        concurrent = resolution.verdict in (Verdict.CONCURRENT_WON, Verdict.CONCURRENT_LOST)
        if concurrent and incumbent.hlc >> 27 == incoming.hlc >> 27:
            return Resolution(Verdict.CONCURRENT_LOST, merge(incumbent, incoming))
        return resolution

    _resolve(patch, coarse)


@mutant("convergence", "fold", workloads=CONFLICTS)
def vector_not_merged_on_loss(patch: pytest.MonkeyPatch) -> None:
    """A loser leaves no trace in the winner's version, so the next write seems not to know of it (Riak's siblings)."""

    def forget(resolution: Resolution, incumbent: Version, incoming: Version) -> Resolution:
        if resolution.verdict is Verdict.CONCURRENT_LOST:
            return Resolution(resolution.verdict, incumbent)
        return resolution

    _resolve(patch, forget)


@mutant("streams", "fold", "convergence", "resurrection", nemeses=("weather", "crashes"), workloads=("churn",))
def stale_applied_as_newer(patch: pytest.MonkeyPatch) -> None:
    """What comes again is applied again, over what has replaced it meanwhile (Cassandra hints replayed late)."""

    def again(resolution: Resolution, incumbent: Version, incoming: Version) -> Resolution:
        if resolution.verdict is Verdict.STALE:
            return Resolution(Verdict.NEWER, incoming)
        return resolution

    _resolve(patch, again)


def _untold(context: Context, change: Any, incumbent: StoredItem, source: str, *, won: bool) -> Conflicted:
    """Return what is told of a conflict, without keeping it."""
    return Conflicted(source, change.table.name, 0, change.version.origin, incumbent.version.origin, 0, won)


@mutant("conflicts", workloads=CONFLICTS)
def conflict_not_recorded(patch: pytest.MonkeyPatch) -> None:
    """A write that lost is thrown away without a word (DynamoDB Global Tables themselves)."""
    patch.setattr(conflicts, "record", _untold)


@mutant("conflicts", workloads=CONFLICTS)
def conflict_recorded_now_and_then(patch: pytest.MonkeyPatch) -> None:
    """Of two regions that meet only the one that hears later tells of a conflict (BDR's conflict log)."""
    record = conflicts.record

    def half(*arguments: Any, won: bool) -> Conflicted:
        told = won and arguments[1].version.origin < arguments[2].version.origin
        return (record if told else _untold)(*arguments, won=won)

    patch.setattr(conflicts, "record", half)


@mutant("conflicts")
def false_conflict(patch: pytest.MonkeyPatch) -> None:
    """A write that knew what it replaced counts as a conflict (CouchDB revisions compared by clock alone)."""

    def accuse(resolution: Resolution, incumbent: Version, incoming: Version) -> Resolution:
        if resolution.verdict is Verdict.NEWER and incumbent.origin != incoming.origin:
            return Resolution(Verdict.CONCURRENT_WON, resolution.version)
        return resolution

    _resolve(patch, accuse)


@mutant("conflicts", workloads=CONFLICTS)
def winner_and_loser_swapped(patch: pytest.MonkeyPatch) -> None:
    """The feed shows the winner as the loser (a sign mistaken)."""
    record = conflicts.record
    patch.setattr(conflicts, "record", lambda *arguments, won: record(*arguments, won=not won))


@mutant("values", "fold", "liveness", "streams", nemeses=("weather", "crashes"))
def off_by_one_after_reconnect(patch: pytest.MonkeyPatch) -> None:
    """After a reconnect the stream begins one record too late (MySQL's master position)."""
    subscribe = Sink.subscribe

    def late(self: Sink) -> Subscribe:
        frame = subscribe(self)
        if not frame.after:
            return frame
        self.position = self.position + 1
        self.cursor = self.cursor._replace(sequence=self.cursor.sequence + 1)
        return msgspec.structs.replace(frame, after=frame.after + 1)

    patch.setattr(Sink, "subscribe", late)


@mutant(
    *("values", "fold", "watermarks", "liveness", "streams", "convergence"),
    nemeses=("weather",),
    replication={"compare_ms": 0},
    **BUSY,
)
def cursor_ahead(patch: pytest.MonkeyPatch) -> None:
    """The cursor that is saved is one ahead of what has been applied (Debezium offsets, flushed early)."""
    save = applier.save_cursor

    def ahead(context: Context, cursor: Cursor) -> None:
        save(context, cursor._replace(sequence=cursor.sequence + 1))

    patch.setattr(applier, "save_cursor", ahead)


@mutant("values", "fold", "watermarks", "streams", nemeses=("rolling-restarts", "crashes"), durability="full", **BUSY)
def cursor_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """The cursor is saved by itself, before the changes that it counts (Bucardo, and many a hand-made replicator)."""
    apply = intake.Intake.apply

    async def first_the_cursor(self: intake.Intake, work: Work, sink: Sink) -> None:
        await self._around.durably(lambda context: applier.save_cursor(context, work.cursor))
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.3)
        await apply(self, work, sink)

    patch.setattr(intake.Intake, "apply", first_the_cursor)


@mutant("values", "fold", "timestamps", "streams", "convergence")
def reshipping(patch: pytest.MonkeyPatch) -> None:
    """What was applied is shipped on, under the region's own name (MySQL circular replication, log_slave_updates)."""

    def everything(self: link.Surroundings, read: Any) -> Any:
        return self.engine.store.read_log(read.after, limit=read.limit, bytes_max=read.bytes_max)

    patch.setattr(link.Surroundings, "_read_whole", everything)


@mutant("values", "fold", "liveness", "watermarks", nemeses=("weather",), **BUSY)
def gap_ignored(patch: pytest.MonkeyPatch) -> None:
    """A frame that is missing is not missed (a sequence check left out; Kinesis without checkpoint checks).

    One batch in twenty does not arrive.
    """
    in_order, batch = Sink._in_order, Sink.batch
    seen: dict[int, int] = {}

    def lossy(self: Sink, frame: Batch, now_ms: int) -> None:
        seen[id(self)] = seen.get(id(self), 0) + 1
        if seen[id(self)] % 20:
            batch(self, frame, now_ms)

    def any_order(self: Sink, after: int, upto: int) -> bool:
        return upto > self.position or in_order(self, min(after, self.position), max(upto, self.position))

    patch.setattr(Sink, "batch", lossy)
    patch.setattr(Sink, "_in_order", any_order)


@mutant("transactions", workloads=("bank",), durability="full", clients=3, pause_ms=40.0, nemeses=("isolate",))
def group_cut_apart(patch: pytest.MonkeyPatch) -> None:
    """A transaction is applied item by item, and whoever reads in between sees half of it (DynamoDB Global Tables)."""
    init = Sink.__init__

    def apart(self: Sink, **named: Any) -> None:
        init(self, **{**named, "whole_groups": False})

    patch.setattr(Sink, "__init__", apart)


@mutant("values", "fold", "liveness", "watermarks", script=(ClockOffset(region="us-east-1", ms=20_000, for_ms=5000),))
def parked_change_dropped(patch: pytest.MonkeyPatch) -> None:
    """What is beyond the park bound is skipped in place of waited for (mutations from the future, refused)."""
    take = Sink.take

    def drop(self: Sink, records_max: int) -> Work | None:
        work = take(self, records_max)
        if work is None and self.parked_ms and self._queue and not self.paused:
            queued = self._queue.popleft()
            self.cursor = self.cursor._replace(sequence=queued.upto)
            self._queued_bytes -= queued.bytes
            self.parked_ms = 0
        return work

    patch.setattr(Sink, "take", drop)


@mutant("values", "fold", "liveness", "watermarks", **BUSY)
def last_record_of_a_batch_lost(patch: pytest.MonkeyPatch) -> None:
    """A batch that is full loses its last record at the boundary (a half-open interval mistaken for a closed one)."""
    batch = Source.batch

    def short(self: Source, *arguments: Any) -> Batch | None:
        frame = batch(self, *arguments)
        if frame is not None and len(frame.changes) > 2:
            frame = msgspec.structs.replace(frame, changes=frame.changes[:-1])
        return frame

    patch.setattr(Source, "batch", short)


@mutant("convergence", "fold")
def version_of_arrival(patch: pytest.MonkeyPatch) -> None:
    """What is applied gets the time of its arrival as its version (a replicator that writes through the public API)."""
    settle = applier._settle

    def stamped(context: Context, change: Any, *rest: Any, **named: Any) -> None:
        version = change.version
        change.version = Version(context.clock.now(), version.origin, version.vector)
        settle(context, change, *rest, **named)

    patch.setattr(applier, "_settle", stamped)


@mutant("fold", "convergence", "streams", "values", workloads=CONFLICTS)
def loser_kept_in_place_of_the_winner(patch: pytest.MonkeyPatch) -> None:
    """The version of the winner is stored with the loser's image (Riak's read repair of the wrong sibling)."""
    settle = applier._settle

    def swapped(context: Context, change: Any, *rest: Any, **named: Any) -> None:
        stored: StoredItem | None = context.transaction.get(change.table, change.key)
        concurrent = stored is not None and conflict.resolve(stored.version, change.version).verdict is (
            Verdict.CONCURRENT_WON
        )
        if stored is not None and concurrent:
            change.image, change.size = stored.image, stored.size
        settle(context, change, *rest, **named)

    patch.setattr(applier, "_settle", swapped)
