"""Key encoding: the primary key of an item or an index entry as one byte string whose order is the scan order.

Layout::

    key       = partition ++ sort
    partition = hash (8 bytes of BLAKE2b over the encoded hash attributes) ++ each hash attribute, encoded
    sort      = each range attribute, encoded, in the order of the key schema
    encoded   = strings and binaries: the bytes with 00 escaped as 00 FF, then 00 01
                numbers: ``numbers.ordered``

Invariants: no encoded value is a prefix of another, so a key's parts cannot run into each other; within a partition,
byte order is DynamoDB's order (UTF-8 for strings, unsigned bytes for binaries, numeric for numbers). The leading hash
spreads partitions evenly over the key space, which makes a Scan's segments even.

Source: AWS developer guide, "Core components" (sort key order) and "Working with scans" (parallel scan).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from decimal import Decimal
from hashlib import blake2b
from typing import Final

from region.model import numbers
from region.model.values import AttributeValue

HASH_BYTES: Final = 8
_HASH_SPACE: Final = 1 << (8 * HASH_BYTES)
_END: Final = b"\x00\x01"
_AFTER_PREFIX: Final = b"\xff"
_ZERO: Final = numbers.ordered("0")
_NUMBER_HEAD_BYTES: Final = 3
_EXPONENT_BIAS: Final = int.from_bytes(numbers.ordered("1")[1:_NUMBER_HEAD_BYTES], "big")
"""A number begins with its sign and its exponent, which is 0 in 1."""


def encode(value: AttributeValue) -> bytes:
    """Encode one canonical scalar value (``S``, ``N`` or ``B``)."""
    ((kind, content),) = value.items()
    if kind == "N":
        return numbers.ordered(content)
    return _escape(content.encode() if kind == "S" else b64decode(content)) + _END


def _escape(raw: bytes) -> bytes:
    return raw.replace(b"\x00", b"\x00\xff") if b"\x00" in raw else raw


def encode_prefix(value: AttributeValue) -> bytes:
    """Encode the start of a string or binary, for ``begins_with``: every value that begins so begins with this."""
    ((kind, content),) = value.items()
    return _escape(content.encode() if kind == "S" else b64decode(content))


def partition(hash_values: tuple[AttributeValue, ...]) -> bytes:
    """Return the part of the key that all items of one partition share."""
    encoded = b"".join(map(encode, hash_values))
    return blake2b(encoded, digest_size=HASH_BYTES).digest() + encoded


def primary(hash_value: AttributeValue, range_value: AttributeValue) -> bytes:
    """Return the key of an item with one hash and one range attribute, as nearly all have."""
    hash_text: str | None = hash_value.get("S")
    range_text: str | None = range_value.get("S")
    if hash_text is not None and range_text is not None and "\x00" not in hash_text and "\x00" not in range_text:
        # Two strings without zeros are what nearly every key is made of: half the time of the general way.
        encoded = hash_text.encode() + _END
        return blake2b(encoded, digest_size=HASH_BYTES).digest() + encoded + range_text.encode() + _END
    encoded = encode(hash_value)
    return blake2b(encoded, digest_size=HASH_BYTES).digest() + encoded + encode(range_value)


def key(hash_values: tuple[AttributeValue, ...], range_values: tuple[AttributeValue, ...]) -> bytes:
    """Return the whole key of an item or an index entry."""
    return partition(hash_values) + b"".join(map(encode, range_values))


def decode(encoded: bytes, types: Iterable[str]) -> list[AttributeValue]:
    """Return the values of a primary key, canonical and in order; ``types`` are their types, hash first."""
    position = HASH_BYTES
    decoded: list[AttributeValue] = []
    for kind in types:
        if kind == "N":
            number, position = _decode_number(encoded, position)
            decoded.append({kind: number})
            continue
        # Within a value 00 is followed by FF, so the first 00 01 is its end.
        end = encoded.index(_END, position)
        raw = encoded[position:end].replace(b"\x00\xff", b"\x00")
        decoded.append({kind: raw.decode() if kind == "S" else b64encode(raw).decode()})
        position = end + len(_END)
    return decoded


def leading(encoded: bytes, types: Iterable[str]) -> bytes:
    """Return the start of a key that holds the values of these types: a partition, or an index's own key."""
    position = HASH_BYTES
    for kind in types:
        if kind == "N":
            _, position = _decode_number(encoded, position)
        else:
            position = encoded.index(_END, position) + len(_END)
    return encoded[:position]


def _decode_number(encoded: bytes, position: int) -> tuple[str, int]:
    """Return the canonical number that ``numbers.ordered`` has encoded at a position, and the position behind it."""
    if encoded.startswith(_ZERO, position):
        return "0", position + len(_ZERO)
    negative = encoded[position] < _ZERO[0]
    end = encoded.index(b"\xff" if negative else b"\x00", position + _NUMBER_HEAD_BYTES)
    body = encoded[position + 1 : end]
    if negative:
        body = bytes(0xFF - byte for byte in body)
    digits = "".join(f"{pair - 1:02d}" for pair in body[2:]).rstrip("0")
    exponent = int.from_bytes(body[:2], "big") - _EXPONENT_BIAS
    number = Decimal((int(negative), tuple(map(int, digits)), exponent - len(digits) + 1))
    return numbers.from_decimal(number), end + 1


def successor(prefix: bytes) -> bytes:
    """Return the least byte string greater than every string that begins with ``prefix``.

    ``prefix`` must hold a byte other than FF, which every key of this module does: it ends in 01 or in a number.
    """
    trimmed = prefix.rstrip(_AFTER_PREFIX)
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else b"\xff" * (HASH_BYTES + 1)


def segment_bounds(segment: int, total: int) -> tuple[bytes, bytes | None]:
    """Return the half-open range of keys of one segment of a parallel Scan; ``None`` is the end of the table."""
    lower = (_HASH_SPACE * segment // total).to_bytes(HASH_BYTES, "big")
    if segment + 1 == total:
        return lower, None
    return lower, (_HASH_SPACE * (segment + 1) // total).to_bytes(HASH_BYTES, "big")
