"""What checkers judge: the history of a run, the regions' files after it, and what was sampled on the way.

What: :class:`Evidence` holds it all, and answers the questions that several checkers ask: which operation wrote a tag,
which record of its origin's log a write is, which writes there are to one item. A checker answers with
:class:`Violation` values.

Invariants: evidence is never changed by a checker, except that :attr:`Evidence.remarks` collects what one could not
decide. A run without samples, or without files, can be judged by those checkers that need none.

Hazards: a region that was set back (restored from an old copy, or bereft of an unsynchronised suffix of its log by a
loss of power) may have lost what it had acknowledged without anybody being to blame; :meth:`Evidence.setbacks` says
which region, and since when. A log that was trimmed no longer proves that something is missing from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from chaos import history
from chaos.checker import replica
from chaos.checker.replica import Replica, Rows, tag_of
from chaos.faults import EVERY, Crash, Fault, RestoreOldCopy, decode
from chaos.history import Access, Event, Operation
from chaos.stage import Sample
from clock.timestamp import wall_ms
from region.model import settings
from region.model.change import ITEM, LogRecord
from region.model.settings import DEFINITION, REPLICA
from region.model.table import CREATING, DELETING

MS_NS: Final = 1_000_000
PURGE_FLOOR_MS: Final = 24 * 60 * 60 * 1000
"""A tombstone that is younger is kept, whatever else may hold."""
FETCHING: Final = "bootstrap:"
"""Under this name, and a table's uid, a region's file keeps what is still to be fetched of the table, if anything."""


class Violation(NamedTuple):
    """What a checker found: the invariant that is broken, and a sentence that names keys, regions and versions."""

    invariant: str
    sentence: str
    table: str = ""
    key: str = ""

    def __str__(self) -> str:
        return f"{self.invariant}: {self.sentence}"


class Written(NamedTuple):
    """A write of the history: what it does to the item, and the operations that asked for it.

    They are several where a client that had no answer asked again under the same token.
    """

    access: Access
    operations: tuple[Operation, ...]

    @property
    def region(self) -> str:
        """The region that was asked."""
        return self.operations[0].invocation.region

    @property
    def outcome(self) -> Literal["ok", "fail", "info"]:
        """``fail`` where it definitely had no effect, ``ok`` where it definitely had."""
        outcomes = {operation.outcome for operation in self.operations}
        return "ok" if "ok" in outcomes else "info" if "info" in outcomes else "fail"

    @property
    def invoked_ns(self) -> int:
        """Before this moment nobody can have seen it."""
        return self.operations[0].invoked_ns

    @property
    def acknowledged_ns(self) -> int | None:
        """When it was first acknowledged, if it ever was."""
        return min((it.returned_ns for it in self.operations if it.outcome == "ok" and it.returned_ns), default=None)

    @property
    def deleted(self) -> bool:
        """Whether, as a deletion, it is known to have found an item."""
        return any(read.tag is not None and read.key == self.access.key for it in self.operations for read in it.reads)

    @property
    def error(self) -> str:
        """Why it failed, where it did."""
        return next((it.completion.error for it in self.operations if it.completion and it.completion.error), "")

    @property
    def request_ids(self) -> set[str]:
        """The ids of its requests that are known."""
        return {it.completion.request_id for it in self.operations if it.completion and it.completion.request_id}


class Successor(NamedTuple):
    """A record of a log, and the one of the same item before it; ``certain``: it is what the record replaced.

    Where it is not certain, the item may have come with a snapshot, which leaves no record.
    """

    record: LogRecord
    before: LogRecord | None
    certain: bool


class Setback(NamedTuple):
    """A region that lost what it had acknowledged from ``since_ns`` to ``until_ns``, as its fault allowed it to."""

    region: str
    since_ns: int
    until_ns: int


class Evidence:
    """The evidence of one run.

    Args:
        events: the history.
        replicas: each region's file, read after the run.
        samples: what the regions said of themselves on the way.
        faults: the faults applied, as tables (:func:`chaos.faults.encode`), their times from ``started_ns`` on.
        durability: the regions' setting; with ``normal`` a loss of power may take the end of a log.
        unsettled: why the run did not come to rest in time, if it did not.
        simulated: whether times are virtual, so that nothing is slow but by a fault.
        groups: whether transactions are applied as groups.
        limits: what a sampled size may be at most, by its name.
    """

    def __init__(
        self,
        events: Sequence[Event],
        replicas: Mapping[str, Replica],
        *,
        samples: Sequence[Sample] = (),
        faults: Sequence[Mapping[str, Any]] = (),
        started_ns: int = 0,
        durability: str = "normal",
        unsettled: str = "",
        simulated: bool = False,
        groups: bool = True,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self.events = events
        self.replicas = replicas
        self.samples = samples
        self.faults = faults
        self.started_ns = started_ns
        self.durability = durability
        self.unsettled = unsettled
        self.simulated = simulated
        self.groups = groups
        self.limits = limits or {}
        self.remarks: list[str] = []

    @classmethod
    def gather(cls, events: Sequence[Event], files: Mapping[str, Path], **fields: Any) -> Evidence:
        """Read the regions' files, and put them together with a history."""
        return cls(events, {region: replica.read(path) for region, path in files.items()}, **fields)

    @cached_property
    def operations(self) -> list[Operation]:
        """The history's operations in the order of their invocations."""
        return history.operations(self.events)

    @cached_property
    def written(self) -> dict[str, Written]:
        """Every write of the history by its tag, those that failed included."""
        found: dict[str, Written] = {}
        for operation in self.operations:
            for access in operation.invocation.accesses:
                if access.action != "r" and access.tag is not None:
                    known = found.get(access.tag)
                    found[access.tag] = Written(access, (*(known.operations if known else ()), operation))
        return found

    @cached_property
    def tables(self) -> frozenset[str]:
        """The names of the tables that the history writes to: of them alone it knows every write."""
        return frozenset(written.access.table for written in self.written.values())

    @cached_property
    def records(self) -> dict[tuple[int, str], LogRecord]:
        """Every write of an item that is in its origin's own log, by timestamp ``(hlc, origin)``."""
        return {
            record.version.timestamp: record
            for region, held in self.replicas.items()
            for record in held.log
            if record.kind == ITEM and record.version.origin == region
        }

    @cached_property
    def tagged(self) -> dict[str, LogRecord]:
        """The record of its origin's log that a tag's write is; a deletion is found by its request's id."""
        found: dict[str, LogRecord] = {}
        deletions: dict[tuple[str, str], LogRecord] = {}
        for record in self.records.values():
            tag = tag_of(record.image)
            if tag is not None:
                # A region that was set back can hold a write twice: the later one is the one that came of it.
                found[tag] = record
            elif record.image is None and record.request_id is not None:
                deletions[record.request_id, self.key_text(record)] = record
        for tag, written in self.written.items():
            if written.access.action == "d":
                for request_id in written.request_ids:
                    deletion = deletions.get((request_id, written.access.key))
                    if deletion is not None:
                        found[tag] = deletion
        return found

    @cached_property
    def by_item(self) -> dict[tuple[str, bytes], list[LogRecord]]:
        """All writes of each item (table uid, key) out of their origins' own logs, by timestamp."""
        found: dict[tuple[str, bytes], list[LogRecord]] = {}
        for _, record in sorted(self.records.items()):
            found.setdefault((record.table_uid, record.key), []).append(record)
        return found

    @cached_property
    def holders(self) -> dict[str, dict[str, Rows]]:
        """The regions that hold each table (by uid) and are done with fetching it."""
        found: dict[str, dict[str, Rows]] = {}
        for region, held in self.replicas.items():
            for uid, rows in held.tables.items():
                if rows.table.local.status not in (CREATING, DELETING) and not held.meta.get(f"{FETCHING}{uid}"):
                    found.setdefault(uid, {})[region] = rows
        return found

    @cached_property
    def _last_hlc(self) -> int:
        return max((record.version.hlc for record in self.records.values()), default=0)

    def purgeable(self, hlc: int) -> bool:
        """Whether a tombstone of this time may have been forgotten by the end of the run."""
        return wall_ms(self._last_hlc) - wall_ms(hlc) > PURGE_FLOOR_MS

    def forgotten(self, deletion: LogRecord) -> bool:
        """Whether a deletion may have left no tombstone: it is old, or was made before its table was global."""
        return self.purgeable(deletion.version.hlc) or self.travels_in_copies(deletion)

    def travels_in_copies(self, record: LogRecord) -> bool:
        """Whether a write is from before its table was global, so that its origin's log does not bring it to others."""
        known = self.replicas[record.version.origin].known.get(record.table_uid)
        return known is not None and record.version.hlc <= known.local.global_since

    @cached_property
    def _texts(self) -> dict[tuple[str, bytes], str]:
        return {}

    def key_text(self, record: LogRecord) -> str:
        """Return the text by which the history calls a record's item; a record of a table's settings is of none."""
        return self.text(record.table_uid, record.key) if record.kind == ITEM else "settings"

    def text(self, uid: str, key: bytes) -> str:
        """Return the text by which the history calls an item; hexadecimal digits where no region holds the table."""
        known = self._texts.get((uid, key))
        if known is None:
            table = next((held.known[uid] for held in self.replicas.values() if uid in held.known), None)
            known = self._texts[uid, key] = key.hex() if table is None else replica.text(table, key)
        return known

    def table_name(self, uid: str) -> str:
        """Return the name of a table."""
        return next((held.known[uid].name for held in self.replicas.values() if uid in held.known), uid)

    @cached_property
    def timed_faults(self) -> list[tuple[Fault, int, int]]:
        """The faults, each with the moments of its beginning and its end, which may be that of the run."""
        last_ns = max([it.time_ns for it in self.events[-1:]] + [it.time_ns for it in self.samples[-1:]], default=0)
        found: list[tuple[Fault, int, int]] = []
        for table in self.faults:
            fault = decode(table)
            began_ns = self.started_ns + fault.at_ms * MS_NS
            found.append((fault, began_ns, last_ns if fault.for_ms is None else began_ns + fault.for_ms * MS_NS))
        return found

    def clock(self, time_ns: int) -> str:
        """Return a moment of the run for people."""
        return f"{(time_ns - self.started_ns) / 1e9:.3f} s"

    def fetched(self, region: str, uid: str) -> bool:
        """Whether a region began its replica of a table with what another had: its items have no records then."""
        rows = self.replicas[region].tables.get(uid)
        if rows is None:
            return True
        definition = rows.table.registers[DEFINITION]
        return definition.origin != region

    @cached_property
    def _setbacks(self) -> list[Setback]:
        found = []
        for fault, began_ns, ended_ns in self.timed_faults:
            # Times of faults are cut off to milliseconds. A loss of power takes what it takes when it begins, and the
            # end of another fault may start the region before this one ends.
            if isinstance(fault, RestoreOldCopy):
                found.append(Setback(fault.region, began_ns, ended_ns + MS_NS))
            elif isinstance(fault, Crash) and fault.power and self.durability != "full":
                found.append(Setback(fault.region, 0, began_ns + MS_NS))
        return found

    @cached_property
    def left(self) -> set[tuple[str, str]]:
        """The tables and regions of replicas that were removed: what is held since may have been fetched anew."""
        return {
            (record.table_uid, name.removeprefix(REPLICA))
            for held in self.replicas.values()
            for record in held.log
            if record.kind != ITEM
            for name, register in settings.decode(record.image or b"{}").items()
            if name.startswith(REPLICA) and register.value is None
        }

    @cached_property
    def steady(self) -> set[str]:
        """The tables, by uid, that did not change any more when their first items were written, by every log."""
        found: set[str] = set()
        changed: set[str] = set()
        for held in self.replicas.values():
            begun: set[str] = set()
            for record in held.log:
                if record.kind == ITEM:
                    begun.add(record.table_uid)
                elif record.table_uid in begun:
                    changed.add(record.table_uid)
            found |= begun
        return found - changed

    def succession(self, region: str) -> list[Successor]:
        """Return the item records of a region's log in order, each with the one of its item before it."""
        known = self._successions.get(region)
        if known is None:
            known = self._successions[region] = list(self._succeed(region))
        return known

    @cached_property
    def _successions(self) -> dict[str, list[Successor]]:
        return {}

    def _succeed(self, region: str) -> Iterator[Successor]:
        held = self.replicas[region]
        last: dict[str, dict[bytes, LogRecord]] = {}
        begun: set[str] = set()
        reset: set[str] = set()
        for record in held.log:
            uid = record.table_uid
            items = last.setdefault(uid, {})
            if record.kind != ITEM:
                # What a fetch brings has no record, so it breaks the succession. A replica that is fetched writes its
                # settings when it is complete.
                if record.version.origin == region:
                    begun.add(uid)
                if items:
                    reset.add(uid)
                    items.clear()
                continue
            fetching = uid not in begun and self.fetched(region, uid)
            if fetching or (uid, region) in self.left:
                yield Successor(record, None, certain=False)
                continue
            before = items.get(record.key)
            items[record.key] = record
            first = not (held.tail or self.fetched(region, uid) or uid in reset)
            yield Successor(record, before, certain=before is not None or first)

    def setbacks(self) -> list[Setback]:
        """Return the regions that may have lost what they had acknowledged, and from when to when."""
        return self._setbacks

    def setbacks_of(self, region: str) -> list[Setback]:
        """Return the setbacks of one region."""
        return [setback for setback in self._setbacks if setback.region in {region, EVERY}]

    def set_back(self, region: str) -> bool:
        """Whether a region was set back at any time."""
        return bool(self.setbacks_of(region))

    def intact(self, region: str) -> bool:
        """Whether a region's log is whole from its first record on: neither trimmed nor set back."""
        return region in self.replicas and self.replicas[region].tail == 0 and not self.set_back(region)
