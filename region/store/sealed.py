"""What the log and the conflict feed hold of encrypted tables: which columns are sealed, and what each is bound to.

What: of a log record the image, the image before it and the condition; of a conflict the images, the conditions, the
grants, and the names of the attributes that were lost. Keys, versions, sizes and times stay readable: the store finds
its way by them.

Invariant: a checksum of the log is that of what the file holds, so that it tells damage without any key, and tells
nobody without a key whether he has guessed an image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from region.errors import KeyUnavailableError
from region.model.change import UNREADABLE, Conflict
from region.model.encryption import CONDITION, ITEM, OLD, conflict_binding, item_binding
from region.model.version import Version
from region.store.plan import Sealing
from region.store.sealing import SEALED, SealedKeys

_LOST: Final = 3
_IMAGES: Final = (14, 15)
_TEXTS: Final = (_LOST, 17, 18, 19)
"""Columns of a conflict without its number (``region.store.codec``)."""

Opened = tuple[bytes | None, bytes | None, str | None]
Contents = tuple[bytes | None, bytes | None, str | bytes | None]


def open_record(keys: SealedKeys, row: tuple[Any, ...], *, lenient: bool) -> Opened:
    """Return image, old image and condition of a row of the log.

    Raises:
        DamagedItemError: one of them is not what was sealed.
        KeyUnavailableError: the master key cannot be used, and ``lenient`` does not ask for a stand-in.
    """
    _, table_id, _, origin, hlc, _, key = row[:7]
    image, old_image, condition = row[13:16]
    sealer = keys.sealer(table_id)
    if sealer is None:
        return image, old_image, condition
    try:
        if image is not None:
            image = sealer.open(image, item_binding(ITEM, table_id, key, hlc, origin))
        if old_image is not None:
            old_image = sealer.open(old_image, item_binding(OLD, table_id, key, hlc, origin))
        if isinstance(condition, bytes):
            condition = sealer.open(condition, item_binding(CONDITION, table_id, key, hlc, origin)).decode()
    except KeyUnavailableError:
        if not lenient:
            raise
        return UNREADABLE, None, None
    return image, old_image, condition


def seal_rest(
    sealer: Sealing, table_id: int, key: bytes, version: Version, old_image: bytes | None, condition: str | None
) -> tuple[bytes | None, bytes | None]:
    """Return old image and condition of a new log record as the file holds them."""
    if old_image is not None:
        old_image = sealer.seal(old_image, item_binding(OLD, table_id, key, version.hlc, version.origin))
    if condition is None:
        return old_image, None
    binding = item_binding(CONDITION, table_id, key, version.hlc, version.origin)
    return old_image, sealer.seal(condition.encode(), binding)


def seal_conflict(sealer: Sealing, conflict: Conflict, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the columns of a conflict as the file holds them."""
    sealed = list(row)
    for column in (*_IMAGES, *_TEXTS):
        value = row[column]
        if value is not None:
            plain = value if isinstance(value, bytes) else value.encode()
            sealed[column] = sealer.seal(
                plain,
                conflict_binding(
                    column, conflict.table_uid, conflict.key, conflict.winner.version, conflict.loser.version
                ),
            )
    return tuple(sealed)


def open_conflicts(keys: SealedKeys, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Yield rows of conflicts with their contents, without those whose master key cannot be used now."""
    for row in rows:
        if not keys.used or not any(_is_sealed(row[1 + column]) for column in (*_IMAGES, *_TEXTS)):
            yield row
            continue
        try:
            yield _open_conflict(keys, row)
        except KeyUnavailableError:
            continue


def _open_conflict(keys: SealedKeys, row: tuple[Any, ...]) -> tuple[Any, ...]:
    number, *columns = row
    winner, loser = Version(columns[4], columns[5]), Version(columns[9], columns[10])
    for column in (*_IMAGES, *_TEXTS):
        if _is_sealed(columns[column]):
            value = keys.open(columns[column], conflict_binding(column, columns[0], columns[1], winner, loser))
            columns[column] = value if column in _IMAGES else value.decode()
    return (number, *columns)


def _is_sealed(value: Any) -> bool:
    return isinstance(value, bytes) and value[:1] == bytes([SEALED])
