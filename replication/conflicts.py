"""What is kept of a conflict: both writes, who asked for them under which condition, and whether both were granted it.

What: :func:`record` turns two concurrent writes that met into an entry of this region's feed. What an incoming change
does not carry, the incumbent's request and condition, is looked up in this region's own log. Conflicts are rare, so it
is they that pay, and not every write.

A **double grant** is a pair of conditional writes of one item, made in two regions without knowing of each other, that
ask for the same thing (the same expression, whatever its values) and of which one region would have refused the
second, whichever came first. It is found where either arrives, also where the other has been written over since, or has
lost before it came into the log.

Invariants: an entry's two writes are those that the conflict rule found concurrent. What the log holds no longer is
``None``, never guessed. A search of the log is bounded, so that ten thousand conflicts in a row are no standstill.

Source: the project's design, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from region.errors import ValidationError
from region.expression import condition_written
from region.expression.rendering import shape
from region.model import image as images
from region.model.change import Change, Conflict, Grant, LogRecord, StoredItem
from region.operation.context import Context
from replication.conflict import margin_ms
from replication.events import Conflicted

GRANTS_MAX: Final = 32
"""How many conditional writes of the item, and how many entries of the feed about it, are looked at, newest first."""


class _Write(NamedTuple):
    """One of two writes: what it left, who asked for it, and under which condition, as far as that is known here."""

    stored: StoredItem
    request_id: str | None
    condition: str | None

    def grant(self) -> Grant:
        version = self.stored.version
        return Grant(version.hlc, version.origin, self.condition or "", self.request_id)


def record(context: Context, change: Change, incumbent: StoredItem, source: str, *, won: bool) -> Conflicted:
    """Keep the loser of a conflict durably, with both sides as they met; return what is told of it when it is."""
    reader = context.reader
    known = reader.find_write(incumbent.version.hlc, incumbent.version.origin)
    if known is not None and (known.key != change.key or known.table_uid != change.table.uid):
        known = None
    mine = _Write(incumbent, None, None) if known is None else _logged(known)._replace(stored=incumbent)
    theirs = _incoming(change)
    others = [mine, *_before(context, change, reader.log_head() if known is None else known.sequence - 1)]
    grants = _collisions(theirs, others)
    return _keep(context, change, source, *((theirs, mine) if won else (mine, theirs)), grants)


def record_grant(context: Context, change: Change, source: str) -> Conflicted | None:
    """Look at a conditional write that builds on the incumbent, but not on all that has met here.

    It is in no conflict with what is here, because that had settled before it came. Where it was granted what another
    region had granted to a write that lost since, the two are an entry of the feed.
    """
    theirs = _incoming(change)
    others = list(_before(context, change, context.reader.log_head()))
    grants = _collisions(theirs, others)
    if not grants:
        return None
    other = next(each for each in others if each.grant() == grants[1])
    won = change.version.timestamp > other.stored.version.timestamp
    return _keep(context, change, source, *((theirs, other) if won else (other, theirs)), grants)


def _keep(
    context: Context, change: Change, source: str, winner: _Write, loser: _Write, grants: tuple[Grant, ...]
) -> Conflicted:
    won, lost = winner.stored, loser.stored
    margin = margin_ms(won.version, lost.version)
    now_ms, settings = context.now_ms(), context.settings.conflicts
    number = context.transaction.record_conflict(
        Conflict(
            table_uid=change.table.uid,
            key=change.key,
            winner=won,
            loser=lost,
            margin_ms=margin,
            attributes_lost=attributes_lost(won.image, lost.image),
            winner_request_id=winner.request_id,
            loser_request_id=loser.request_id,
            recorded_ms=now_ms,
            winner_condition=winner.condition,
            loser_condition=loser.condition,
            grants=grants,
        ),
        kept=settings.kept,
        since_ms=settings.since_ms(now_ms),
    )
    table, origins = change.table.name, (won.version.origin, lost.version.origin)
    event = Conflicted(source, table, number, *origins, margin, bool(grants))
    context.events.append(event)
    return event


def _incoming(change: Change) -> _Write:
    return _Write(StoredItem(change.image, change.size, change.version), change.request_id, change.condition)


def _logged(found: LogRecord) -> _Write:
    return _Write(StoredItem(found.image, found.size, found.version), found.request_id, found.condition)


def attributes_lost(winner: bytes | None, loser: bytes | None) -> tuple[str, ...]:
    """Return the top-level attributes of the loser that the winner does not hold with the same value, sorted."""
    if loser is None:
        return ()
    kept = images.decode(winner) if winner is not None else {}
    return tuple(sorted(name for name, value in images.decode(loser).items() if kept.get(name) != value))


def _before(context: Context, change: Change, upto: int) -> Iterator[_Write]:
    """Iterate over earlier writes of a conditional change's item that are known here.

    They are those of the log up to a sequence, newest first, and those that lost before they could come into the log.
    """
    if change.condition is None:
        return
    reader, uid, key = context.reader, change.table.uid, change.key
    yield from map(_logged, reader.read_grants(uid, key, upto, limit=GRANTS_MAX))
    for _, found in reader.conflicts(0, GRANTS_MAX, table_uid=uid, key=key, newest=True):
        yield _Write(found.loser, found.loser_request_id, found.loser_condition)


def _collisions(incoming: _Write, others: Iterable[_Write]) -> tuple[Grant, ...]:
    """Return the grant of an incoming change and those of other regions that collide with it, or nothing."""
    condition, (image, _, version) = incoming.condition, incoming.stored
    if condition is None:
        return ()
    found: dict[Grant, None] = {}
    for other in others:
        theirs = other.stored.version
        if (
            other.condition is not None
            and theirs.origin != version.origin
            and not version.covers(theirs.hlc, theirs.origin)
            and double_granted(condition, image, other.condition, other.stored.image)
        ):
            found[other.grant()] = None
    return (incoming.grant(), *found) if found else ()


def double_granted(one: str, one_image: bytes | None, other: str, other_image: bytes | None) -> bool:
    """Whether two conditional writes, known to be concurrent, asked for the same and could not both have had it.

    ``one`` and ``other`` are the texts of their conditions, the images what each left. In one region the second of
    them would have been refused, whichever it was. Where a text was cut and cannot be tried, being the same is enough.
    """
    if shape(one) != shape(other):
        return False
    return not _would_hold(one, other_image) and not _would_hold(other, one_image)


def _would_hold(text: str, image: bytes | None) -> bool:
    try:
        return condition_written(text).matches(None if image is None else images.decode(image))
    except ValidationError:
        return False
