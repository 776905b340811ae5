"""Attribute values on both sides: DynamoDB JSON as the region speaks it, CBOR as DAX does.

What: :func:`to_json` and :func:`to_cbor` convert one value. An item travels without its key and without names: the
number of its attribute list, then the values in the order of that list. :class:`AttributeLists` knows the lists.

Invariants: a list's number is made from its names, so that it is the same in every process, and a client that was
served before a restart is never answered with other names. Number 1 is the empty list, as clients know by heart.

Hazard: a client may write with a list that only a former process was told of and that is in no file
(:mod:`~atoll.dax.list_file`). It is refused with words; a new client tells its lists anew.
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Iterable
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

from atoll.dax import frames
from atoll.dax.frames import MalformedError, Members
from atoll.dax.list_file import ListFile
from region.errors import ValidationError
from region.model.limits import NESTING_MAX
from region.model.values import AttributeValue, Item

EMPTY: Final = 1
LISTS_MAX: Final = 100_000
_SET_TYPES: Final = {frames.STRING_SET: "SS", frames.NUMBER_SET: "NS", frames.BINARY_SET: "BS"}
_SET_TAGS: Final = {kind: tag for tag, kind in _SET_TYPES.items()}
_TOO_DEEP: Final = NESTING_MAX + 2
"""Deeper values are the region's to refuse, in its words; much deeper ones are not passed on."""


def to_json(value: Any, depth: int = 0) -> AttributeValue:
    """Return a decoded CBOR value as DynamoDB JSON.

    Raises:
        MalformedError: it is no attribute value.
    """
    if depth > _TOO_DEEP:
        raise MalformedError("a value of too many levels")
    if value is None:
        return {"NULL": True}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | Decimal | float):
        return {"N": number(value)}
    if isinstance(value, bytes):
        return {"B": b64encode(value).decode()}
    if isinstance(value, Members):
        return {_SET_TYPES[value.tag]: [_member(value.tag, each) for each in value.values]}
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise MalformedError("a map whose names are no text")
        return {"M": {name: to_json(each, depth + 1) for name, each in value.items()}}
    if isinstance(value, list | tuple) and not isinstance(value, frames.Index):
        return {"L": [to_json(each, depth + 1) for each in value]}
    raise MalformedError(f"a value of the kind {type(value).__name__}")


def number(value: Any) -> str:
    """Return a decoded CBOR number as text.

    Raises:
        MalformedError: it is none, or none that is finite.
    """
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, Decimal) and value.is_finite()):
        return str(value)
    raise MalformedError("a number that is none")


def _member(tag: int, value: Any) -> str:
    if tag == frames.NUMBER_SET:
        return number(value)
    if tag == frames.BINARY_SET and isinstance(value, bytes):
        return b64encode(value).decode()
    if tag == frames.STRING_SET and isinstance(value, str):
        return value
    raise MalformedError("a member of a set that does not fit")


def to_cbor(value: AttributeValue) -> Any:
    """Return a value in DynamoDB JSON, as a region sends it, as what :func:`frames.encode` writes."""
    for kind, content in value.items():
        match kind:
            case "S" | "BOOL":
                return content
            case "N":
                return from_number(content)
            case "B":
                return b64decode(content)
            case "M":
                return {name: to_cbor(each) for name, each in content.items()}
            case "L":
                return [to_cbor(each) for each in content]
            case "SS":
                return frames.members(frames.STRING_SET, content)
            case "NS":
                return frames.members(frames.NUMBER_SET, [from_number(each) for each in content])
            case "BS":
                return frames.members(frames.BINARY_SET, [b64decode(each) for each in content])
    return None


def from_number(text: str) -> int | Decimal:
    """Return a number, given as canonical text, as what :func:`frames.encode` writes."""
    return Decimal(text) if "." in text else int(text)


class AttributeLists:
    """Which names stand behind the numbers of attribute lists; ``file`` keeps them for the next process."""

    def __init__(self, file: ListFile | None = None) -> None:
        self._names: dict[int, tuple[str, ...]] = {EMPTY: ()}
        self._numbers: dict[tuple[str, ...], int] = {(): EMPTY}
        self._file: ListFile | None = None
        for names in file.read()[:LISTS_MAX] if file is not None else ():
            self.number(names)
        self._file = file

    def number(self, names: tuple[str, ...]) -> int:
        """Return the number of a list of names.

        Raises:
            ValidationError: there are too many lists.
        """
        known = self._numbers.get(names)
        if known is not None:
            return known
        if len(self._names) >= LISTS_MAX:
            raise ValidationError(f"This cache knows {LISTS_MAX} different lists of attributes, and takes no more.")
        text = frames.encode(list(names))
        made = int.from_bytes(blake2b(text, digest_size=6).digest()) + EMPTY + 1
        while made in self._names:
            made += 1
        self._names[made] = names
        self._numbers[names] = made
        if self._file is not None:
            self._file.add(names)
        return made

    def names(self, number: Any) -> tuple[str, ...]:
        """Return the names of a list.

        Raises:
            ValidationError: this process was never told of it.
        """
        found = self._names.get(number) if isinstance(number, int) else None
        if found is None:
            raise ValidationError(
                f"The attribute list {number!r} is not known here: the cache was started anew since the client was "
                "made. Make a new client."
            )
        return found

    def pack(self, item: Item, key_names: Iterable[str]) -> bytes:
        """Write an item's attributes beside its key: the number of their list, then their values."""
        names = tuple(sorted(item.keys() - set(key_names)))
        encode = frames.encode
        return encode(self.number(names)) + b"".join([encode(to_cbor(item[name])) for name in names])

    def held(self, item: Item | None, key_names: Iterable[str]) -> bytes | None:
        """Return an item as it is held, and sent: packed, as a byte string; ``None`` for one that does not exist."""
        return None if item is None else frames.encode(self.pack(item, key_names))

    def pack_some(self, item: Item) -> bytes:
        """Write some attributes of an item, as UPDATED_OLD and UPDATED_NEW answer with: each by its place in a list."""
        names = tuple(sorted(item))
        return frames.encode(self.number(names)) + frames.encode(
            {place: to_cbor(item[name]) for place, name in enumerate(names)}
        )

    def unpack(self, packed: bytes) -> Item:
        """Read what :meth:`pack` writes.

        Raises:
            MalformedError: it is nothing of the kind.
            ValidationError: its list is not known.
        """
        if not packed:
            raise MalformedError("an item without an attribute list")
        number, *found = frames.sequence(packed)
        names = self.names(number)
        if len(found) != len(names):
            raise MalformedError(f"{len(found)} values for {len(names)} attributes")
        return {name: to_json(value) for name, value in zip(names, found, strict=True)}
