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

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from chaos import history
from chaos.checker import replica
from chaos.checker.replica import Replica, tag_of
from chaos.history import Access, Event, Operation
from chaos.stage import Sample
from region.model.change import ITEM, LogRecord

SETTING_BACK: Final = ("restore-old-copy",)
"""Kinds of faults that take from a region what it had made durable."""


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
    def request_ids(self) -> set[str]:
        """The ids of its requests that are known."""
        return {it.completion.request_id for it in self.operations if it.completion and it.completion.request_id}


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
    def _texts(self) -> dict[tuple[str, bytes], str]:
        return {}

    def key_text(self, record: LogRecord) -> str:
        """Return the text by which the history calls a record's item."""
        return self.text(record.table_uid, record.key)

    def text(self, uid: str, key: bytes) -> str:
        """Return the text by which the history calls an item; hexadecimal digits where no region holds the table."""
        known = self._texts.get((uid, key))
        if known is None:
            rows = next((held.tables[uid] for held in self.replicas.values() if uid in held.tables), None)
            known = self._texts[uid, key] = key.hex() if rows is None else rows.text(key)
        return known

    def table_name(self, uid: str) -> str:
        """Return the name of a table."""
        return next((held.names[uid] for held in self.replicas.values() if uid in held.names), uid)

    def setbacks(self) -> list[Setback]:
        """Return the regions that may have lost what they had acknowledged, and from when to when."""
        found = []
        for fault in self.faults:
            at_ns = self.started_ns + int(fault.get("at_ms", 0)) * 1_000_000
            until_ns = at_ns + int(fault.get("for_ms") or 0) * 1_000_000
            if fault["kind"] in SETTING_BACK:
                found.append(Setback(str(fault["region"]), at_ns, until_ns))
            elif fault["kind"] == "crash" and fault.get("power") and self.durability != "full":
                found.append(Setback(str(fault["region"]), self.started_ns, until_ns))
        return found

    def set_back(self, region: str) -> bool:
        """Whether a region was set back at any time."""
        return any(setback.region in {region, "*"} for setback in self.setbacks())

    def intact(self, region: str) -> bool:
        """Whether a region's log is whole from its first record on: neither trimmed nor set back."""
        return region in self.replicas and self.replicas[region].tail == 0 and not self.set_back(region)
