"""CBOR as DAX speaks it: where an item ends in a stream, and what it holds.

What: a connection is a sequence of CBOR items without any frame around them. :class:`Scanner` finds the end of the next
ones while their bytes come in; :func:`decode` then reads one, :func:`encode` writes one. Only what DAX uses is taken:
numbers, strings, arrays, maps, and the tags of big and decimal numbers, of the three kinds of set, and of list indexes.

Invariants: a scanner looks at each header once, in however many pieces it comes; an item is refused before it is
decoded where it is too long, too deep or has too many parts. Decoding raises :class:`MalformedError` and nothing else.

Hazard: byte strings are not looked into: items and keys, which DAX wraps in them, are decoded by who knows what they
are.

Source: RFC 8949; the tags are those of AWS's client (amazon-dax-client 2.1, Apache License 2.0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import cbor2

from region.model.limits import MIB

STRING_SET: Final = 3321
NUMBER_SET: Final = 3322
BINARY_SET: Final = 3323
LIST_INDEX: Final = 3324

FRAME_BYTES_MAX: Final = 24 * MIB
"""More than the largest request has: 16 MB of items, and as much again for what stands around them."""
PARTS_MAX: Final = 200_000
DEPTH_MAX: Final = 64
LARGE_BYTES_MAX: Final = 64

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_STREAM: Final = 31
_BREAK: Final = 0xFF
_WIDTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}
_ENDLESS: Final = -1
_ENDLESS_STRING: Final = -2
_REFUSED_TAGS: Final = (0, 1, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)
"""Tags that the library would decode by itself: dates, patterns, addresses, references. DAX has none of them."""


class MalformedError(Exception):
    """The bytes are no CBOR, or none that DAX uses; the text says what is wrong."""


class Members(NamedTuple):
    """A set: ``tag`` says of what."""

    tag: int
    values: list[Any]


class Index(NamedTuple):
    """A step into a list, in a document path."""

    position: int


class Scanner:
    """Finds the ends of items in bytes that come in pieces; each is used for the items of one request."""

    __slots__ = ("_open", "_parts", "position")

    def __init__(self, position: int = 0) -> None:
        self.position = position
        """Where the next header is; the end of the item when it is complete."""
        self._open: list[int] = []
        """For each container that is not complete how many items it lacks, the innermost last."""
        self._parts = 0

    def item(self, data: bytes | bytearray) -> bool:
        """Go to the end of the next item of ``data``; return false where that is not there yet.

        Called again with the same bytes and more of them, it goes on where it was.

        Raises:
            MalformedError: there is no item there, or one beyond the limits.
        """
        while True:
            if not self._header(data):
                return False
            while self._open and self._open[-1] == 0:
                self._open.pop()
                self._count()
            if not self._open:
                return True

    def _header(self, data: bytes | bytearray) -> bool:
        """Take one header, and the content of a string with it."""
        position = self.position
        if position >= len(data):
            return False
        first = data[position]
        major, argument = first >> 5, first & 31
        if first == _BREAK:
            return self._end_stream()
        if argument == _STREAM:
            return self._begin_stream(major)
        position += 1
        if argument >= 24:
            width = _WIDTHS.get(argument)
            if width is None:
                raise MalformedError(f"a header of {first:#04x}")
            if position + width > len(data):
                return False
            argument = int.from_bytes(data[position : position + width])
            position += width
        if major in (_BYTES, _TEXT):
            if argument > FRAME_BYTES_MAX:
                raise MalformedError(f"a string of {argument} bytes")
            if position + argument > len(data):
                return False
            position += argument
        if self._open and self._open[-1] == _ENDLESS_STRING and major not in (_BYTES, _TEXT):
            raise MalformedError("a string in pieces with something else between them")
        self.position = position
        if major in (_ARRAY, _MAP):
            self._enter(argument * 2 if major == _MAP else argument)
        elif major == _TAG:
            self._enter(1)
        else:
            self._count()
        return True

    def _begin_stream(self, major: int) -> bool:
        if major not in (_BYTES, _TEXT, _ARRAY, _MAP) or (self._open and self._open[-1] == _ENDLESS_STRING):
            raise MalformedError("a stream of what has no parts")
        self.position += 1
        self._enter(_ENDLESS if major in (_ARRAY, _MAP) else _ENDLESS_STRING)
        return True

    def _end_stream(self) -> bool:
        if not self._open or self._open[-1] >= 0:
            raise MalformedError("an end of a stream that never began")
        self.position += 1
        self._open.pop()
        self._count()
        return True

    def _enter(self, items: int) -> None:
        if len(self._open) >= DEPTH_MAX or items > PARTS_MAX:
            raise MalformedError(f"more than {DEPTH_MAX} levels or {PARTS_MAX} parts")
        self._open.append(items)

    def _count(self) -> None:
        """One more item is complete: its container lacks one less."""
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise MalformedError(f"more than {PARTS_MAX} parts")
        if self._open and self._open[-1] > 0:
            self._open[-1] -= 1


def _tagged(tag: cbor2.CBORTag, _: bool) -> Members | Index:
    value = tag.value
    if tag.tag in (STRING_SET, NUMBER_SET, BINARY_SET) and isinstance(value, list | tuple):
        return Members(tag.tag, list(value))
    if tag.tag == LIST_INDEX and isinstance(value, int) and value >= 0:
        return Index(value)
    raise MalformedError(f"the tag {tag.tag}")


def _refusing(tag: int) -> Callable[[Any, bool], Any]:
    def refuse(_: Any, __: bool) -> Any:
        raise MalformedError(f"the tag {tag}")

    return refuse


def _large(digits: Any, _: bool = True) -> int:
    """Read a number of more than 64 bits; one that is larger than any client's would cost time to turn into text."""
    if not isinstance(digits, bytes) or len(digits) > LARGE_BYTES_MAX:
        raise MalformedError("a number that is too large")
    return int.from_bytes(digits)


_DECODERS: Final[Mapping[int, Any]] = {
    2: _large,
    3: lambda digits, _: -1 - _large(digits),
    **{tag: _refusing(tag) for tag in _REFUSED_TAGS},
}


def decode(item: bytes | bytearray) -> Any:
    """Read one item.

    Raises:
        MalformedError: it is none, or holds what DAX does not use.
    """
    try:
        return cbor2.loads(item, tag_hook=_tagged, semantic_decoders=_DECODERS, max_depth=DEPTH_MAX)
    except MalformedError:
        raise
    except (cbor2.CBORDecodeError, ValueError, ArithmeticError, TypeError, RecursionError, MemoryError) as error:
        raise MalformedError(str(error.__cause__ or error) or type(error).__name__) from error


def sequence(items: bytes) -> list[Any]:
    """Read items that stand one after the other, such as the values of an item.

    Raises:
        MalformedError: they are none.
    """
    return [decode(piece) for piece in split(items)]


def split(items: bytes) -> list[bytes]:
    """Return each of the items that stand one after the other, still encoded.

    Raises:
        MalformedError: they are none.
    """
    pieces: list[bytes] = []
    scanner = Scanner()
    while scanner.position < len(items):
        begin = scanner.position
        if not scanner.item(items):
            raise MalformedError("an item that is not complete")
        pieces.append(items[begin : scanner.position])
    return pieces


def encode(value: Any) -> bytes:
    """Write one item. Sets are :class:`Members`."""
    return cbor2.dumps(value)


def members(tag: int, values: list[Any]) -> cbor2.CBORTag:
    """Return a set as it is written."""
    return cbor2.CBORTag(tag, values)
