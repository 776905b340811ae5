"""Numbers as bytes that sort as the numbers do: how DAX writes the number of a sort key.

What: a header says the sign and the power of ten, then come groups of three digits, ten bits each, then a terminator
that says how many digits of the last group count. :func:`encode` takes canonical text, :func:`decode` gives it back.

Invariant: equal numbers have one encoding here. A client may send another, with zeros at the end, which decodes alike.

Source: the format of the Cojen project's ``DataEncoder``, as AWS's client (amazon-dax-client 2.1) has it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from atoll.dax.frames import MalformedError
from region.errors import ValidationError
from region.model import numbers

_ZERO: Final = 0x80
_ZEROS: Final = (0x7F, 0x80)
_NEAR: Final = range(-0x3E, 0x3E)
"""Powers of ten that the header has in one byte."""
_POSITIVE_FAR: Final = {0x81: -1, 0xFE: 1}
_NEGATIVE_FAR: Final = {0x7E: -1, 0x01: 1}
_LOWEST: Final = 12
_HIGHEST: Final = 1011
_BYTES_MAX: Final = 64
"""More than 38 digits take."""


def encode(number: str) -> bytes:
    """Write a number, given as canonical text."""
    sign = number.startswith("-")
    whole, _, fraction = number.lstrip("-").partition(".")
    text = (whole + fraction).lstrip("0")
    power = len(text) - len(fraction)
    text = text.rstrip("0")
    if not text:
        return bytes([_ZERO])
    odd = len(text) % 3
    terminator = (2, 0, 1)[odd]
    text += "0" * (-len(text) % 3)
    groups = [int(text[at : at + 3]) for at in range(0, len(text), 3)]
    if sign:
        header = [0x3F - power] if power in _NEAR else [0x7E if power < 0 else 0x01]
        groups = [_HIGHEST - group for group in groups] + [1023 - terminator]
        far = (power & 0xFFFFFFFF) ^ 0x7FFFFFFF
    else:
        header = [(power + 0xC0) & 0xFF] if power in _NEAR else [0x81 if power < 0 else 0xFE]
        groups = [group + _LOWEST for group in groups] + [terminator]
        far = (power & 0xFFFFFFFF) ^ 0x80000000
    head = bytes(header) if power in _NEAR else bytes(header) + far.to_bytes(4)
    bits = 0
    for group in groups:
        bits = bits << 10 | group
    padding = -10 * len(groups) % 8
    return head + (bits << padding).to_bytes((10 * len(groups) + padding) // 8)


def decode(data: bytes) -> str:
    """Return the canonical text of a number.

    Raises:
        MalformedError: the bytes are none.
    """
    if not data or len(data) > _BYTES_MAX:
        raise MalformedError("a number in a sort key that is none")
    first = data[0]
    if first in _ZEROS:
        return "0"
    negative, power, rest = _head(data)
    try:
        text = _digits(rest, negative=negative)
        value = Decimal((int(negative), tuple(map(int, text)), power - len(text)))
        return numbers.from_decimal(value)
    except (ValidationError, ValueError) as error:
        raise MalformedError("a number in a sort key that is none") from error


def _head(data: bytes) -> tuple[bool, int, bytes]:
    """Return the sign, the power of ten, and the bytes of the digits."""
    first = data[0]
    if first in _POSITIVE_FAR or first in _NEGATIVE_FAR:
        negative = first in _NEGATIVE_FAR
        power = int.from_bytes(data[1:5]) ^ (0x7FFFFFFF if negative else 0x80000000)
        return negative, power - (1 << 32) if power >> 31 else power, data[5:]
    if first in (0x00, 0xFF):
        raise MalformedError("a sort key that is no number")
    return (False, first - 0xC0, data[1:]) if first >= 0x82 else (True, 0x3F - first, data[1:])


def _digits(data: bytes, *, negative: bool) -> str:
    bits = int.from_bytes(data)
    left = len(data) * 8
    text = ""
    while left >= 10:
        left -= 10
        group = bits >> left & 0x3FF
        terminator = 1023 - group if negative else group
        if terminator <= 2:
            return text[: len(text) - 2 + terminator]
        if not _LOWEST <= group <= _HIGHEST:
            raise MalformedError("a digit in a sort key that is none")
        text += f"{_HIGHEST - group if negative else group - _LOWEST:03d}"
    raise MalformedError("a number in a sort key without an end")
