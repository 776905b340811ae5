"""The fast check of a request against the service model: one pass of compiled closures that answers yes or no.

What: for each operation the model's shape is compiled into nested closures, one for each member that has anything to
check. They look at JSON types, required members, enumerations, lengths, ranges and patterns, and stop at the first
doubt. On a no, and when an operation finds a malformed value, ``region.wire.explanation`` walks the whole body again
and says it in AWS's words, or brings the body into shape where AWS would have been lenient.

Invariants: a yes means that operations find every member of the model, outside attribute values, either absent or of
its JSON type and within its constraints, and never null. Attribute values are not looked into: operations do that
themselves, in the pass that measures them (``region.model.values``). A member that the model does not know is a no;
the explanation then drops it, so that no operation ever meets one.

Hazard: a no is not yet an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from region.wire.overrides import PATTERNS
from region.wire.service_model import Shape

Check = Callable[[Any], bool]

ATTRIBUTE_VALUE: Final = "AttributeValue"
INTEGER_BOUNDS: Final = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}


def compile_check(shape: Shape) -> Check:
    """Compile a shape into a function that tells whether a value, parsed from JSON, certainly fits it."""
    return _COMPILERS[shape.kind](shape)


def compile_pattern(pattern: str) -> Callable[[str], Any]:
    """Return the function that matches a whole string against a pattern of the model."""
    return re.compile(PATTERNS.get(pattern, pattern)).fullmatch


def _structure(shape: Shape) -> Check:
    if shape.name == ATTRIBUTE_VALUE:
        return _present
    checks = {name: compile_check(member) for name, member in shape.members.items()}.get
    required = shape.required

    def check(value: Any) -> bool:
        if type(value) is not dict:
            return False
        for name in required:
            if name not in value:
                return False
        for name, member in value.items():
            member_check = checks(name)
            if member_check is None or not member_check(member):
                return False
        return True

    return check


def _list(shape: Shape) -> Check:
    element = _element(shape)
    element_check = None if element.name == ATTRIBUTE_VALUE else compile_check(element)
    least, most = _bounds(shape)

    def check(value: Any) -> bool:
        if type(value) is not list or not least <= len(value) <= most:
            return False
        return element_check is None or all(map(element_check, value))

    return check


def _map(shape: Shape) -> Check:
    element = _element(shape)
    element_check = None if element.name == ATTRIBUTE_VALUE else compile_check(element)
    least, most = _bounds(shape)
    key = shape.key or Shape("Key", {"type": "string"})
    key_least, key_most = _bounds(key)
    key_pattern = compile_pattern(key.pattern) if key.pattern else None

    def check(value: Any) -> bool:
        if type(value) is not dict or not least <= len(value) <= most:
            return False
        for name in value:
            if not key_least <= len(name) <= key_most or (key_pattern and not key_pattern(name)):
                return False
        return element_check is None or all(map(element_check, value.values()))

    return check


def _string(shape: Shape) -> Check:
    if shape.enum:
        enum = frozenset(shape.enum)
        return lambda value: type(value) is str and value in enum
    least, most = _bounds(shape)
    if shape.pattern:
        matches = compile_pattern(shape.pattern)
        return lambda value: type(value) is str and least <= len(value) <= most and matches(value) is not None
    if shape.least is None and shape.most is None:
        return lambda value: type(value) is str
    return lambda value: type(value) is str and least <= len(value) <= most


def _integer(shape: Shape) -> Check:
    low, high = INTEGER_BOUNDS[shape.kind]
    least = low if shape.least is None else shape.least
    most = high if shape.most is None else shape.most
    return lambda value: type(value) is int and least <= value <= most


def _boolean(_shape: Shape) -> Check:
    return lambda value: type(value) is bool


def _number(_shape: Shape) -> Check:
    return lambda value: type(value) is float or type(value) is int


def _present(value: Any) -> bool:
    return value is not None


def _never(_value: Any) -> bool:
    """Leave a rare kind of member to the explanation, which knows every rule."""
    return False


def _element(shape: Shape) -> Shape:
    return shape.element or Shape("Element", {"type": "string"})


def _bounds(shape: Shape) -> tuple[float, float]:
    return shape.least or 0, float("inf") if shape.most is None else shape.most


_COMPILERS: Final[dict[str, Callable[[Shape], Check]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _integer,
    "long": _integer,
    "boolean": _boolean,
    "double": _number,
    "float": _number,
    "timestamp": _number,
    "blob": lambda _shape: _never,
}
