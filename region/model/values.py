"""Attribute values in DynamoDB JSON: checked, brought to canonical form, measured and compared.

What: inside Atoll a value is what it is on the wire, a dict with one member named by its type
(``{"S": "a"}``, ``{"N": "1"}``, ``{"L": [...]}``). One pass over an incoming item checks it, rewrites it in place to
its canonical form and counts its size.

Invariants: in canonical form numbers are canonical text (``region.model.numbers``), sets are sorted and free of
duplicates, binaries are canonical base64. Two canonical values are equal as DynamoDB sees it exactly when they are
equal as Python dicts.

Hazards: the functions named ``normalise_*`` change their argument. A value of the wrong JSON type raises
:class:`MalformedValueError`, which the wire turns into the exact ``SerializationException``.

Source: AWS developer guide, "Data types", "Item sizes and formats"; messages as AWS and DynamoDB Local send them.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Any, Final

from region.errors import SerializationError, ValidationError
from region.model import limits, numbers

AttributeValue = dict[str, Any]
Item = dict[str, AttributeValue]

TYPES: Final = ("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL")
SCALAR_KEY_TYPES: Final = ("S", "N", "B")
ELEMENT_OVERHEAD: Final = 1
COLLECTION_OVERHEAD: Final = 3
INVALID: Final = "One or more parameter values were invalid: "
EMPTY_NAME: Final = "Empty attribute name"
TOO_DEEP: Final = (
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)


class MalformedValueError(SerializationError):
    """A value has the wrong JSON type; the wire's explainer knows AWS's words for where and how."""

    def __init__(self) -> None:
        super().__init__("Unexpected token received from parser")


def text_size(text: str) -> int:
    """Return the length of ``text`` in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode())


def normalise_item(item: Item) -> int:
    """Check every value of ``item``, rewrite it to canonical form in place, and return its size in bytes.

    Raises:
        ValidationError: in AWS's words.
        MalformedValueError: a member has the wrong JSON type.
    """
    if type(item) is not dict:
        raise MalformedValueError
    if "" in item:
        raise ValidationError(EMPTY_NAME)
    total = 0
    for name, value in item.items():
        total += len(name) if name.isascii() else len(name.encode())
        # The two types of nearly every attribute are measured here; the call to normalise costs as much again.
        if type(value) is dict and len(value) == 1 and type(text := value.get("S")) is str:
            total += len(text) if text.isascii() else len(text.encode())
        else:
            total += normalise(value)
    return total


def normalise(value: AttributeValue, depth: int = 1) -> int:
    """Check one value, rewrite it in place, and return its size in bytes; ``depth`` is its nesting level."""
    if type(value) is not dict:
        raise MalformedValueError
    if len(value) != 1:
        _choose_type(value)
    ((kind, content),) = value.items()
    if kind == "S":
        if type(content) is not str:
            raise MalformedValueError
        return text_size(content)
    if kind == "N":
        if type(content) is not str:
            raise MalformedValueError
        value["N"] = number = numbers.canonical(content)
        return numbers.size(number)
    if kind == "M":
        return _normalise_map(content, depth)
    if kind == "L":
        return _normalise_list(content, depth)
    if kind == "BOOL":
        if type(content) is not bool:
            raise MalformedValueError
        return 1
    if kind == "NULL":
        if type(content) is not bool:
            raise MalformedValueError
        if not content:
            raise ValidationError(INVALID + "Null attribute value types must have the value of true")
        return 1
    if kind == "B":
        value["B"], size = _normalise_binary(content)
        return size
    if kind in ("SS", "NS", "BS"):
        return _normalise_set(value, kind, content)
    _choose_type(value)
    raise MalformedValueError


def _choose_type(value: AttributeValue) -> None:
    """Drop members that are no type or null, as AWS's parser does; refuse anything but exactly one type."""
    for kind in [kind for kind, content in value.items() if kind not in TYPES or content is None]:
        del value[kind]
    if not value:
        raise ValidationError("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    if len(value) > 1:
        raise ValidationError(
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
        )


def _normalise_map(content: Any, depth: int) -> int:
    if type(content) is not dict:
        raise MalformedValueError
    if depth >= limits.NESTING_MAX:
        raise ValidationError(TOO_DEEP)
    if "" in content:
        raise ValidationError(EMPTY_NAME)
    total = COLLECTION_OVERHEAD
    for name, element in content.items():
        total += text_size(name) + normalise(element, depth + 1) + ELEMENT_OVERHEAD
    return total


def _normalise_list(content: Any, depth: int) -> int:
    if type(content) is not list:
        raise MalformedValueError
    if depth >= limits.NESTING_MAX:
        raise ValidationError(TOO_DEEP)
    total = COLLECTION_OVERHEAD
    for element in content:
        total += normalise(element, depth + 1) + ELEMENT_OVERHEAD
    return total


def check_nesting(value: AttributeValue, depth: int = 1) -> None:
    """Refuse a canonical value, at nesting level ``depth``, that reaches below the deepest level allowed."""
    ((kind, content),) = value.items()
    if kind not in ("M", "L"):
        return
    if depth >= limits.NESTING_MAX:
        raise ValidationError(TOO_DEEP)
    for element in content.values() if kind == "M" else content:
        check_nesting(element, depth + 1)


def _normalise_binary(content: Any) -> tuple[str, int]:
    if type(content) is not str:
        raise MalformedValueError
    try:
        raw = b64decode(content, validate=True)
    except (Base64Error, ValueError):
        raise MalformedValueError from None
    return b64encode(raw).decode(), len(raw)


def _normalise_set(value: AttributeValue, kind: str, content: Any) -> int:
    if type(content) is not list:
        raise MalformedValueError
    for member in content:
        if type(member) is not str:
            raise MalformedValueError
    if kind == "SS":
        if not content:
            raise ValidationError(INVALID + "An string set  may not be empty")
        members, total = content, sum(map(text_size, content))
    elif kind == "NS":
        if not content:
            raise ValidationError(INVALID + "An number set  may not be empty")
        members = [numbers.canonical(member) for member in content]
        total = sum(map(numbers.size, members))
    else:
        if not content:
            raise ValidationError(INVALID + "Binary sets should not be empty")
        pairs = [_normalise_binary(member) for member in content]
        members, total = [member for member, _ in pairs], sum(size for _, size in pairs)
    if len(set(members)) != len(members):
        if kind == "NS":
            raise ValidationError("Input collection contains duplicates")
        suffix = " contains duplicates." if kind == "SS" else "of type BS contains duplicates."
        raise ValidationError(f"{INVALID}Input collection [{', '.join(content)}]{suffix}")
    value[kind] = sort_set(kind, members)
    return total


def sort_set(kind: str, members: list[str]) -> list[str]:
    """Return the members of a set (``SS``, ``NS`` or ``BS``) in canonical order."""
    return sorted(members, key=numbers.sort_value) if kind == "NS" else sorted(members)


def size_of(value: AttributeValue) -> int:
    """Size in bytes of a canonical value, as DynamoDB counts it."""
    ((kind, content),) = value.items()
    if kind == "S":
        return text_size(content)
    if kind == "N":
        return numbers.size(content)
    if kind == "M":
        return COLLECTION_OVERHEAD + sum(
            text_size(name) + size_of(element) + ELEMENT_OVERHEAD for name, element in content.items()
        )
    if kind == "L":
        return COLLECTION_OVERHEAD + sum(size_of(element) + ELEMENT_OVERHEAD for element in content)
    if kind == "B":
        return binary_size(content)
    if kind == "SS":
        return sum(map(text_size, content))
    if kind == "NS":
        return sum(map(numbers.size, content))
    if kind == "BS":
        return sum(map(binary_size, content))
    return 1


def item_size(item: Item) -> int:
    """Size in bytes of a canonical item, names included, as DynamoDB counts it."""
    return sum(text_size(name) + size_of(value) for name, value in item.items())


def binary_size(encoded: str) -> int:
    """Return the number of raw bytes behind canonical base64."""
    return len(encoded) // 4 * 3 - encoded.count("=", -2)


def type_of(value: AttributeValue) -> str:
    """Return the type of a canonical value, one of :data:`TYPES`."""
    return next(iter(value))
