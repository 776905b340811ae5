"""The condition operators of the policy language: how one value of a request is compared with those of a policy.

What: :func:`operator` takes the name of an operator and the values that a policy gives, and returns how to compare. All
operators but ``Null`` are a comparison (``StringEquals``), perhaps negated (``StringNotEquals``).

Invariants: what cannot be read as a number, a date, an address or base64 is refused in a policy, and equals nothing
in a request.

Source: AWS IAM user guide, "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

import binascii
import ipaddress
import operator as compare
from base64 import b64decode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from region.access import pattern
from region.access.pattern import Lookup

Equals = Callable[[str, Lookup], bool | None]
"""Whether a request's value equals one of the policy's; ``None``: not, but a variable in the policy has no value."""
Convert = Callable[[str], Any]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Operator(NamedTuple):
    """How one value is compared."""

    equals: Equals
    negated: bool


def operator(name: str, values: Sequence[str], *, variables: bool) -> Operator | None:
    """Return how an operator compares with the values of a policy; ``None``: there is no such operator.

    Raises:
        ValueError: a value is none for this operator.
    """
    found = _OPERATORS.get(name.lower())
    if found is None:
        return None
    build, negated = found
    return Operator(build(values, variables), negated)


def truth(text: str) -> bool:
    """Read a boolean.

    Raises:
        ValueError: it is none.
    """
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise ValueError(f"{text} is neither true nor false")
    return lowered == "true"


def _texts(values: Sequence[str], variables: bool, *, wildcards: bool, fold: bool = False) -> Equals:
    patterns = [pattern.parse(value, wildcards=wildcards, variables=variables) for value in values]

    def equals(value: str, lookup: Lookup) -> bool | None:
        text = value.lower() if fold else value
        unresolved = False
        for each in patterns:
            resolved = pattern.resolve(each, lookup)
            if resolved is None:
                unresolved = True
                continue
            if not wildcards:
                joined = "".join(part for part in resolved if isinstance(part, str))
                if text == (joined.lower() if fold else joined):
                    return True
            elif pattern.matches(resolved, text):
                return True
        return None if unresolved else False

    return equals


def _arns(values: Sequence[str], variables: bool) -> Equals:
    patterns = [pattern.parse(value, variables=variables) for value in values]

    def equals(value: str, lookup: Lookup) -> bool | None:
        unresolved = False
        for each in patterns:
            resolved = pattern.resolve(each, lookup)
            if resolved is None:
                unresolved = True
            elif pattern.matches_arn(resolved, value):
                return True
        return None if unresolved else False

    return equals


def _constants(convert: Convert, holds: Callable[[Any, Any], bool]) -> Callable[[Sequence[str], bool], Equals]:
    """Return an operator without variables, for which values are converted before they are compared."""

    def build(values: Sequence[str], _: bool) -> Equals:
        wanted = [convert(value) for value in values]

        def equals(value: str, _: Lookup) -> bool:
            try:
                given = convert(value)
            except ValueError:
                return False
            return any(holds(given, each) for each in wanted)

        return equals

    return build


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text} is no number") from error
    if not number.is_finite():
        raise ValueError(f"{text} is no number")
    return number


def _moment(text: str) -> float:
    """Return the seconds since 1970 of a date in ISO 8601, or of such seconds. Four digits are a year."""
    if len(text) != 4 and text.replace(".", "", 1).removeprefix("-").isdecimal():
        return float(text)
    parts = text.split("-")
    whole = text + "-01" * (3 - len(parts)) if "T" not in text and len(parts) < 3 else text
    moment = datetime.fromisoformat(whole)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _binary(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{text} is not base64") from error


def _address(text: str) -> Address:
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def _networks(values: Sequence[str], _: bool) -> Equals:
    networks = [ipaddress.ip_network(value, strict=False) for value in values]

    def equals(value: str, _: Lookup) -> bool:
        try:
            address = _address(value)
        except ValueError:
            return False
        return any(address in network for network in networks)

    return equals


def _equal_texts(values: Sequence[str], variables: bool) -> Equals:
    return _texts(values, variables, wildcards=False)


def _equal_folded(values: Sequence[str], variables: bool) -> Equals:
    return _texts(values, variables, wildcards=False, fold=True)


def _like(values: Sequence[str], variables: bool) -> Equals:
    return _texts(values, variables, wildcards=True)


_COMPARISONS: Final = {
    "Equals": (compare.eq, False),
    "NotEquals": (compare.eq, True),
    "LessThan": (compare.lt, False),
    "LessThanEquals": (compare.le, False),
    "GreaterThan": (compare.gt, False),
    "GreaterThanEquals": (compare.ge, False),
}
_NAMED: Final[dict[str, tuple[Callable[[Sequence[str], bool], Equals], bool]]] = {
    "StringEquals": (_equal_texts, False),
    "StringNotEquals": (_equal_texts, True),
    "StringEqualsIgnoreCase": (_equal_folded, False),
    "StringNotEqualsIgnoreCase": (_equal_folded, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    **{f"Numeric{name}": (_constants(_number, holds), negated) for name, (holds, negated) in _COMPARISONS.items()},
    **{f"Date{name}": (_constants(_moment, holds), negated) for name, (holds, negated) in _COMPARISONS.items()},
    "Bool": (_constants(truth, compare.eq), False),
    "BinaryEquals": (_constants(_binary, compare.eq), False),
    "IpAddress": (_networks, False),
    "NotIpAddress": (_networks, True),
    "ArnEquals": (_arns, False),
    "ArnLike": (_arns, False),
    "ArnNotEquals": (_arns, True),
    "ArnNotLike": (_arns, True),
}
_OPERATORS: Final = {name.lower(): found for name, found in _NAMED.items()}
