"""What is kept of a conflict: both writes, who asked for them under which condition, and whether both were granted it.

What: :func:`record` turns two concurrent writes that met into an entry of this region's feed. What an incoming change
does not carry, the incumbent's request and condition, is looked up in this region's own log. Conflicts are rare, so it
is they that pay, and not every write.

A **double grant** is a pair of conditional writes of one item, made in two regions without knowing of each other, that
ask for the same thing (the same expression, whatever its values) and of which one region would have refused the
second, whichever came first. It is found where either arrives, also when that region has written over the other since.

Invariants: an entry's two writes are those that the conflict rule found concurrent. What the log holds no longer is
``None``, never guessed. A search of the log is bounded, so that ten thousand conflicts in a row are no standstill.

Source: the project's design, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from region.errors import ValidationError
from region.expression import condition_written
from region.expression.rendering import shape
from region.model import image as images
from region.model.change import Change, Conflict, Grant, LogRecord, StoredItem
from region.operation.context import Context
from replication.conflict import margin_ms
from replication.events import Conflicted

GRANTS_WITHIN: Final = 2048
"""How many records of the log, back from the incumbent's, are searched for an earlier write that was granted."""
_GRANTS_MAX: Final = 16


class _Granted(NamedTuple):
    """A conditional write that succeeded, and the item as it left it."""

    grant: Grant
    image: bytes | None


def record(context: Context, change: Change, incumbent: StoredItem, source: str, *, won: bool) -> Conflicted:
    """Keep the loser of a conflict durably, with both sides as they met; return what to tell of it."""
    reader = context.reader
    known = reader.find_write(incumbent.version.hlc, incumbent.version.origin)
    if known is not None and (known.key != change.key or known.table_uid != change.table.uid):
        known = None
    incoming = StoredItem(change.image, change.size, change.version)
    mine, theirs = _side(known), (change.request_id, change.condition)
    winner, loser = (incoming, incumbent) if won else (incumbent, incoming)
    (winner_request, winner_condition), (loser_request, loser_condition) = (theirs, mine) if won else (mine, theirs)
    grants = _double_grant(context, change, known)
    margin = margin_ms(winner.version, loser.version)
    now_ms = context.now_ms()
    settings = context.settings.conflicts
    number = context.transaction.record_conflict(
        Conflict(
            table_uid=change.table.uid,
            key=change.key,
            winner=winner,
            loser=loser,
            margin_ms=margin,
            attributes_lost=attributes_lost(winner.image, loser.image),
            winner_request_id=winner_request,
            loser_request_id=loser_request,
            recorded_ms=now_ms,
            winner_condition=winner_condition,
            loser_condition=loser_condition,
            grants=grants,
        ),
        kept=settings.kept,
        since_ms=settings.since_ms(now_ms),
    )
    return Conflicted(
        source, change.table.name, number, winner.version.origin, loser.version.origin, margin, bool(grants)
    )


def _side(known: LogRecord | None) -> tuple[str | None, str | None]:
    return (None, None) if known is None else (known.request_id, known.condition)


def attributes_lost(winner: bytes | None, loser: bytes | None) -> tuple[str, ...]:
    """Return the top-level attributes of the loser that the winner does not hold with the same value, sorted."""
    if loser is None:
        return ()
    kept = images.decode(winner) if winner is not None else {}
    return tuple(sorted(name for name, value in images.decode(loser).items() if kept.get(name) != value))


def _double_grant(context: Context, change: Change, known: LogRecord | None) -> tuple[Grant, ...]:
    """Return the two grants of a double grant that an incoming change is part of, or nothing."""
    if change.condition is None:
        return ()
    version = change.version
    incoming = _Granted(Grant(version.hlc, version.origin, change.condition, change.request_id), change.image)
    for other in _grants_here(context, change, known):
        if double_granted(incoming.grant.condition, incoming.image, other.grant.condition, other.image):
            return tuple(sorted((incoming.grant, other.grant)))
    return ()


def _grants_here(context: Context, change: Change, known: LogRecord | None) -> Iterator[_Granted]:
    """Iterate over conditional writes of the item that are concurrent with a change: the incumbent, then older ones."""
    if known is not None and known.condition is not None:
        yield _granted(known, known.condition)
    reader, region = context.reader, context.settings.region
    upto = reader.log_head() if known is None else known.sequence - 1
    after = max(0, upto - GRANTS_WITHIN)
    for found in reader.read_key_log(change.table.uid, change.key, after, upto, limit=_GRANTS_MAX):
        if found.version.origin != region:
            continue
        if change.version.covers(found.version.hlc, region):
            return
        if found.condition is not None:
            yield _granted(found, found.condition)


def _granted(found: LogRecord, condition: str) -> _Granted:
    return _Granted(Grant(found.version.hlc, found.version.origin, condition, found.request_id), found.image)


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
