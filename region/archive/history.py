"""The history of a table as files, and how a past state is read from them.

What: a *base* is the whole table as of a sequence of the log, as lines ``{"Item":…}`` in the order of the keys; a
*segment* holds the changes behind it, a line each. :class:`Past` puts a base, the segments after it and the rest of the
log together to the state at a moment, again in the order of the keys, and to what changed between two moments.

Invariants: which files belong to a history, and their digests, stands in the store; a file is checked against its
digest before anything of it is used. Base, segments and log overlap without harm: changes are taken by sequence.

Hazard: what changed since the base is held in memory, each key once; the historian takes a new base before that grows
large.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from region.archive import packing
from region.archive.desk import Desk
from region.archive.vault import Vault
from region.errors import ArchiveError
from region.model import image as images
from region.model import recovery
from region.model.change import PastChange
from region.model.job import ArchiveFile
from region.model.table import Table
from region.store.port import Snapshot

FOLDER: Final = "history/"
PAGE: Final = 1024


_ABSENT: Final = msgspec.Raw()


class _Line(msgspec.Struct):
    sequence: int
    ms: int
    hlc: int
    size: int
    key: str
    Item: msgspec.Raw = _ABSENT


_decode: Final = msgspec.json.Decoder(_Line).decode


class Touched(NamedTuple):
    """An item that changed between two moments: what it was, what it became (``None``: it was not there), and when."""

    key: bytes
    old: bytes | None
    new: bytes | None
    hlc: int


def name_of(table_uid: str, *, base: bool, after: int, upto: int) -> str:
    """Return the name of a file of a history."""
    kind = "base" if base else "changes"
    return f"{FOLDER}{table_uid}/{kind}-{after:020d}-{upto:020d}.jsonl.zst"


def change_line(change: PastChange) -> bytes:
    """Return a change as a line."""
    sequence, ms, hlc, key, image, size = change
    item = b"" if image is None else b',"Item":%b' % image
    return b'{"sequence":%d,"ms":%d,"hlc":%d,"size":%d,"key":"%b"%b}' % (
        *(sequence, ms, hlc, size, key.hex().encode()),
        item,
    )


def change_of(line: bytes, name: str) -> PastChange:
    """Return the change that a line holds."""
    try:
        it = _decode(line)
    except msgspec.DecodeError as error:
        raise ArchiveError(f"{name} is damaged: {error}") from error
    return PastChange(it.sequence, it.ms, it.hlc, bytes.fromhex(it.key), bytes(it.Item) or None, it.size)


class Past:
    """A table's past: its files, and its changes in the log after them. It is read beside the event loop."""

    def __init__(self, vault: Vault, table: Table, files: Sequence[ArchiveFile], log: Snapshot, upto: int) -> None:
        self._vault = vault
        self._table = table
        self._files = files
        self._log = log
        self._upto = upto

    def close(self) -> None:
        """Let go of the log."""
        self._log.close()

    def at(self, at_ms: int) -> Iterator[bytes]:
        """Iterate over the images of the items at a moment, in the order of their keys.

        Raises:
            ArchiveError: the history does not reach back so far, or a file of it is damaged.
        """
        base = self._base(at_ms)
        changed = {change.key: change.image for change in self._changes(base, at_ms)}
        return self._merged(base, changed)

    def between(self, from_ms: int, to_ms: int) -> Iterator[Touched]:
        """Iterate over the items that changed from a moment on and before another one, in the order of their keys.

        What was made and deleted again within the time is not among them.
        """
        # Only a history's first base may be of that very moment: what came before it has no record.
        base = self._base(from_ms - 1 if recovery.base_for(self._files, from_ms - 1, self._upto) else from_ms)
        old: dict[bytes, bytes | None] = {}
        new: dict[bytes, tuple[bytes | None, int]] = {}
        for change in self._changes(base, to_ms - 1):
            if change.ms < from_ms:
                old[change.key] = change.image
            else:
                new[change.key] = change.image, change.hlc
        wanted = new.keys() - old.keys()
        old |= {key: image for key, image in self._items(base) if key in wanted}
        for key in sorted(new):
            before, (after, hlc) = old.get(key), new[key]
            if before is not None or after is not None:
                yield Touched(key, before, after, hlc)

    def _base(self, at_ms: int) -> ArchiveFile:
        base = recovery.base_for(self._files, at_ms, self._upto)
        if base is None:
            raise ArchiveError(f"the history of {self._table.name} does not reach back to {at_ms} ms")
        self._check(base)
        return base

    def _changes(self, base: ArchiveFile, at_ms: int) -> Iterator[PastChange]:
        """Iterate over the changes behind a base that were committed up to a moment, with their commit times."""
        for change in recovery.timed(self._recorded(base.upto), base.last_ms):
            if change.ms > at_ms or change.sequence > self._upto:
                return
            yield change

    def _recorded(self, after: int) -> Iterator[PastChange]:
        reached = after
        for file in self._files:
            if file.base or file.upto <= reached:
                continue
            if file.path:
                self._check(file)
                for line in packing.unpack(self._vault, file.path):
                    change = change_of(line, file.path)
                    if change.sequence > reached:
                        yield change
            reached = file.upto
        if self._log.tail > reached:
            raise ArchiveError(f"the log has been trimmed from {reached} to {self._log.tail}: the history has a gap")
        while page := self._log.changes(reached, PAGE):
            yield from page
            reached = page[-1].sequence

    def _items(self, base: ArchiveFile) -> Iterator[tuple[bytes, bytes]]:
        table = self._table
        for line in packing.unpack(self._vault, base.path):
            image = packing.image_of(line, base.path)
            yield table.key_of(table.key_attributes(images.decode(image))), image

    def _merged(self, base: ArchiveFile, changed: dict[bytes, bytes | None]) -> Iterator[bytes]:
        """Merge the items of a base with what has changed since; both are in the order of the keys."""
        waiting = iter(sorted(changed))
        key = next(waiting, None)
        for base_key, image in self._items(base):
            while key is not None and key < base_key:
                yield from _present(changed[key])
                key = next(waiting, None)
            if key == base_key:
                yield from _present(changed[base_key])
                key = next(waiting, None)
            else:
                yield image
        while key is not None:
            yield from _present(changed[key])
            key = next(waiting, None)

    def _check(self, file: ArchiveFile) -> None:
        found = packing.digest(self._vault, file.path)
        if found != file.sha256:
            raise ArchiveError(f"{file.path} is damaged: its SHA-256 is {found} and the region knows {file.sha256}")


async def open_past(desk: Desk, details: Mapping[str, Any]) -> Past:
    """Return the past that a job's details name, once the history has been founded. The caller closes it."""
    table = desk.replica.catalogue.by_uid[details["history"]]
    async with desk.lock(table.uid):
        store = desk.replica.store
        files = store.archive.files(table.uid)
        log = store.snapshot(table, changes_after=max((it.upto for it in files), default=0))
        return Past(desk.vault, table, files, log, int(details["upto"]))


def _present(image: bytes | None) -> Iterable[bytes]:
    return () if image is None else (image,)
