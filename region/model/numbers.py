"""DynamoDB numbers: decimals of 38 significant digits, exact, in one canonical text form.

What: a number travels as text. ``canonical`` turns any accepted spelling (``1.0``, ``1e0``, ``+01``) into the one form
that is stored, compared and returned, so that equality of numbers is equality of strings.

Invariants: the canonical form has no exponent, no leading ``+``, no superfluous zeros and no ``-0``;
``ordered(a) < ordered(b)`` as bytes exactly when ``a < b`` as numbers, and no encoding is a prefix of another.

Hazards: Python's default decimal context rounds at 28 digits; all arithmetic here uses its own context and refuses
to round.

Source: AWS developer guide, "Data types" (Number) and "Naming rules and data types".
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from typing import Final

from region.errors import ValidationError
from region.model import limits

_NUMBER: Final = re.compile(r"([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d+))?", re.ASCII)
_ARITHMETIC: Final = Context(prec=limits.NUMBER_DIGITS_MAX, Emax=999_999, Emin=-999_999, traps=[Inexact])
_TEXT_MAX: Final = 256
"""Longer spellings are shortened before anything costly looks at them, and are not kept in the cache."""
_EXPONENT_TEXT_MAX: Final = 19
_PLAIN_DIGITS_MAX: Final = 17
_TOO_MANY_DIGITS: Final = "Attempting to store more than 38 significant digits in a Number"

_NEGATIVE: Final = 0x10
_ZERO: Final = b"\x20"
_POSITIVE: Final = 0x30
_EXPONENT_BIAS: Final = 0x4000


def canonical(text: str) -> str:
    """Return the one canonical spelling of ``text``.

    Raises:
        ValidationError: in AWS's words, when it is no number or outside of DynamoDB's range or precision.
    """
    # Small non-negative integers are by far the most common numbers, and are canonical as they stand.
    if len(text) <= _PLAIN_DIGITS_MAX and text.isascii() and text.isdigit() and (text[0] != "0" or len(text) == 1):
        return text
    return _canonical(text if len(text) <= _TEXT_MAX else _shortened(text))


def _shortened(text: str) -> str:
    """Return a short spelling of the same number, in linear time however long ``text`` is."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise _not_numeric(text)
    sign, whole, fraction, only_fraction, exponent = match.groups()
    fraction = fraction or only_fraction or ""
    digits = ((whole or "") + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if len(significant) > limits.NUMBER_DIGITS_MAX:
        raise ValidationError(_TOO_MANY_DIGITS)
    exponent = exponent or "0"
    if len(exponent.lstrip("+-0")) > _EXPONENT_TEXT_MAX:
        raise _not_numeric(text)
    negative, magnitude = exponent[0] == "-", int(exponent.lstrip("+-0") or "0")
    shift = len(digits) - len(significant) - len(fraction)
    return f"{sign}{significant or '0'}e{(-magnitude if negative else magnitude) + shift}"


def _not_numeric(text: str) -> ValidationError:
    return ValidationError(f"The parameter cannot be converted to a numeric value: {text}")


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    if not text:
        raise ValidationError("The parameter cannot be converted to a numeric value")
    if not _NUMBER.fullmatch(text):
        raise _not_numeric(text)
    try:
        number = Decimal(text)
    except InvalidOperation:
        # The exponent does not fit into a machine word.
        raise _not_numeric(text) from None
    return from_decimal(number)


def from_decimal(value: Decimal) -> str:
    """Return the canonical spelling of a finite decimal, or raise :class:`ValidationError` where it does not fit."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise _not_numeric(str(value))
    text = "".join(map(str, digits)).lstrip("0")
    significant = text.rstrip("0")
    if not significant:
        return "0"
    exponent += len(text) - len(significant)
    if len(significant) > limits.NUMBER_DIGITS_MAX:
        raise ValidationError(_TOO_MANY_DIGITS)
    magnitude = exponent + len(significant) - 1
    if magnitude > limits.NUMBER_EXPONENT_MAX:
        raise ValidationError(
            "Number overflow. Attempting to store a number with magnitude larger than supported range"
        )
    if magnitude < limits.NUMBER_EXPONENT_MIN:
        raise ValidationError(
            "Number underflow. Attempting to store a number with magnitude smaller than supported range"
        )
    if exponent >= 0:
        plain = significant + "0" * exponent
    elif magnitude >= 0:
        plain = f"{significant[: magnitude + 1]}.{significant[magnitude + 1 :]}"
    else:
        plain = f"0.{'0' * (-magnitude - 1)}{significant}"
    return "-" + plain if sign else plain


def size(number: str) -> int:
    """Size in bytes of a canonical number as DynamoDB counts it: one byte per two significant digits, plus one.

    A negative number takes one byte more.
    """
    if number.isdigit():
        significant = len(number.rstrip("0"))
        return (significant + 1) // 2 + 1
    negative = number[0] == "-"
    digits = number.lstrip("-")
    digits = digits.replace(".", "").lstrip("0") if "." in digits else digits.rstrip("0")
    return (len(digits) + 1) // 2 + 1 + negative


def add(left: str, right: str) -> str:
    """Return ``left + right`` exactly; refuse a sum that needs more than 38 digits, as DynamoDB does."""
    return _exact(Decimal(left), Decimal(right), subtract=False)


def subtract(left: str, right: str) -> str:
    """Return ``left - right`` exactly; refuse a difference that needs more than 38 digits."""
    return _exact(Decimal(left), Decimal(right), subtract=True)


def _exact(left: Decimal, right: Decimal, *, subtract: bool) -> str:
    try:
        result = _ARITHMETIC.subtract(left, right) if subtract else _ARITHMETIC.add(left, right)
    except Inexact:
        raise ValidationError(_TOO_MANY_DIGITS) from None
    return from_decimal(result)


def sort_value(number: str) -> Decimal:
    """Return a value that sorts as the number does."""
    return Decimal(number)


def ordered(number: str) -> bytes:
    """Encode a canonical number so that ``memcmp`` on the bytes orders as the numbers do.

    Layout: a sign byte; the decimal exponent, biased, two bytes; the significant digits in pairs, one byte a pair,
    each plus one; a zero byte as the end. All bytes after the sign of a negative number are complemented.
    """
    if number == "0":
        return _ZERO
    negative = number[0] == "-"
    whole, _, fraction = number.lstrip("-").partition(".")
    if whole != "0":
        magnitude = len(whole) - 1
        digits = whole + fraction
    else:
        digits = fraction.lstrip("0")
        magnitude = len(digits) - len(fraction) - 1
    digits = digits.rstrip("0")
    if len(digits) % 2:
        digits += "0"
    pairs = bytes([int(digits[i : i + 2]) + 1 for i in range(0, len(digits), 2)])
    body = (magnitude + _EXPONENT_BIAS).to_bytes(2, "big") + pairs + b"\x00"
    if negative:
        return bytes([_NEGATIVE]) + bytes(0xFF - byte for byte in body)
    return bytes([_POSITIVE]) + body
