"""What the operators and functions of conditions mean, on two values.

What: order, prefix, containment and size of canonical attribute values. Equality needs no function here: canonical
values are equal exactly when they are equal as dicts.

Invariants: values of different types have no order, and none is contained in the other.

Source: AWS developer guide, "Condition and filter expressions, operators, and functions"; strings are ordered by their
UTF-8 bytes, which is the order of Python's strings, and measured in UTF-16 units, as DynamoDB does.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Final

from region.model import numbers
from region.model.values import AttributeValue, binary_size

_SET_OF: Final = {"S": "SS", "N": "NS", "B": "BS"}


def sort_value(kind: str, content: str) -> Any:
    """Return a value that orders as the content of an ``S``, ``N`` or ``B`` does."""
    if kind == "N":
        return numbers.sort_value(content)
    return content if kind == "S" else b64decode(content)


def comparable(left: AttributeValue, right: AttributeValue) -> tuple[Any, Any] | None:
    """Return values that order as ``left`` and ``right`` do, or ``None`` if these have no order."""
    ((kind, content),) = left.items()
    other = right.get(kind)
    if other is None or kind not in _SET_OF:
        return None
    return sort_value(kind, content), sort_value(kind, other)


def order(left: AttributeValue, right: AttributeValue) -> int:
    """Return a number below, at or above zero as ``left`` orders against ``right``, both of one ordered type."""
    pair = comparable(left, right)
    if pair is None or pair[0] == pair[1]:
        return 0
    return 1 if pair[0] > pair[1] else -1


def begins_with(value: AttributeValue, start: AttributeValue) -> bool:
    """Whether a string or binary begins with another."""
    ((kind, content),) = value.items()
    beginning = start.get(kind)
    if beginning is None:
        return False
    if kind == "S":
        return bool(content.startswith(beginning))
    return kind == "B" and b64decode(content).startswith(b64decode(beginning))


def contains(value: AttributeValue, element: AttributeValue) -> bool:
    """Whether a string or binary contains another, a set a scalar, or a list a value."""
    ((kind, content),) = value.items()
    if kind == "L":
        return element in content
    ((element_kind, sought),) = element.items()
    if kind == element_kind:
        if kind == "S":
            return sought in content
        return kind == "B" and b64decode(sought) in b64decode(content)
    return _SET_OF.get(element_kind) == kind and sought in content


def size(value: AttributeValue) -> AttributeValue | None:
    """Return the size of a value as a number, or ``None`` for a type that has none."""
    ((kind, content),) = value.items()
    if kind == "S":
        length = len(content) if content.isascii() else len(content.encode("utf-16-le", "surrogatepass")) // 2
    elif kind == "B":
        length = binary_size(content)
    elif kind in ("L", "M", "SS", "NS", "BS"):
        length = len(content)
    else:
        return None
    return {"N": str(length)}
