"""The slow, exact answer to a request that did not pass the fast check: AWS's error, in AWS's order and words.

What: two walks over the whole body. The first converts it as AWS's deserialiser does, in the order of the text, and
stops at the first value of a wrong JSON type with a ``SerializationException``; where AWS is lenient (null members,
members that the model does not know, a fraction for an integer), it brings the value into the form that operations
expect. The second collects every
constraint of the model that fails and lists them in one ``ValidationException``. Whoever passes both gets the
converted request back and may run.

Invariants: the request given is not changed. A request returned is one that the fast check accepts, but for
differences of measure (Java counts UTF-16 units), and its attribute values have the right JSON types down to the
nesting limit; below, operations refuse them unseen.

Source: the service's documented order of checks; messages as quoted in public reports (see ``region.wire.wording``).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Any, Final

from region.errors import SerializationError, ValidationError
from region.model import limits
from region.wire import wording
from region.wire.overrides import ENUM_ORDERS
from region.wire.service_model import Shape
from region.wire.validation import ATTRIBUTE_VALUE, INTEGER_BOUNDS, compile_pattern

_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9+/=]")
_DEPTH_MAX: Final = limits.NESTING_MAX + 8


def explain(shape: Shape, body: Any) -> dict[str, Any]:
    """Return the body as a request of the shape.

    Raises:
        SerializationError: a value has the wrong JSON type.
        ValidationError: constraints of the model fail; the message lists them.
    """
    if type(body) is not dict:
        raise SerializationError(wording.UNEXPECTED_VALUE)
    request = _convert(shape, body, 0)
    failures: list[str] = []
    _judge(shape, request, "", failures)
    if failures:
        raise ValidationError(wording.summary(failures[: wording.ERRORS_MAX]))
    converted: dict[str, Any] = request
    return converted


def _convert(shape: Shape, value: Any, depth: int) -> Any:
    kind = shape.kind
    if kind in ("structure", "map", "list"):
        return _convert_nested(shape, value, depth)
    if type(value) is dict:
        raise SerializationError(wording.START_OF_STRUCTURE)
    if type(value) is list:
        raise SerializationError(wording.unrecognized_collection(shape))
    if kind == "blob":
        return _convert_blob(value)
    if kind == "string":
        fits = type(value) is str
    elif kind == "boolean":
        if type(value) is str:
            raise SerializationError(wording.UNEXPECTED_TOKEN)
        fits = type(value) is bool
    else:
        fits = type(value) is int or type(value) is float
        if fits and kind in INTEGER_BOUNDS:
            low, high = INTEGER_BOUNDS[kind]
            fits = low <= value <= high
    if not fits:
        raise SerializationError(wording.not_convertible(value, shape))
    return int(value) if kind in INTEGER_BOUNDS else value


def _convert_nested(shape: Shape, value: Any, depth: int) -> Any:
    if shape.kind == "list":
        if type(value) is not list:
            raise SerializationError(wording.START_OF_STRUCTURE if type(value) is dict else wording.UNEXPECTED_FIELD)
        return [_convert_element(shape, inner, depth) for inner in value]
    if type(value) is list:
        raise SerializationError(wording.unrecognized_collection(shape))
    if type(value) is not dict:
        raise SerializationError(wording.UNEXPECTED_FIELD if shape.kind == "map" else wording.UNEXPECTED_VALUE)
    if shape.kind == "map":
        return {name: _convert_element(shape, inner, depth) for name, inner in value.items()}
    depth += shape.name == ATTRIBUTE_VALUE
    if depth > _DEPTH_MAX:
        return value
    return {
        name: _convert(shape.members[name], member, depth)
        for name, member in value.items()
        if member is not None and name in shape.members
    }


def _convert_element(shape: Shape, value: Any, depth: int) -> Any:
    """Convert an element of a list or a map; a null attribute value counts as one without a type."""
    element = shape.element or shape
    if value is None:
        return {} if element.name == ATTRIBUTE_VALUE else None
    return _convert(element, value, depth)


def _convert_blob(value: Any) -> str:
    if type(value) is not str:
        raise SerializationError(wording.NOT_BASE64)
    if len(value) % 4:
        raise SerializationError(wording.BASE64_LENGTH.format(len(value)))
    stranger = _NOT_BASE64.search(value)
    if stranger:
        raise SerializationError(wording.BASE64_CHARACTER.format(stranger[0]))
    try:
        raw = b64decode(value, validate=True)
    except (Base64Error, ValueError):
        raise SerializationError(wording.BASE64_CHARACTER.format("=")) from None
    if b64encode(raw).decode() != value:
        raise SerializationError(wording.BASE64_LAST)
    return value


def _judge(shape: Shape, value: Any, path: str, failures: list[str]) -> None:
    """Append the failures of a value and of what is inside it, outer before inner, in the model's order."""
    if len(failures) >= wording.ERRORS_MAX or shape.name == ATTRIBUTE_VALUE:
        return
    broken = _broken(shape, value)
    if broken:
        text = wording.text_of(shape, value)
        failures += [wording.failure(text, path, constraint) for constraint in broken]
    if shape.kind == "structure":
        prefix = path + "." if path else ""
        for name, member in shape.members.items():
            inner_path = prefix + wording.member_name(name)
            if name in value:
                _judge(member, value[name], inner_path, failures)
            elif name in shape.required:
                failures.append(wording.failure(None, inner_path, wording.NULL_MEMBER))
    elif shape.kind == "list" and shape.element:
        for position, inner in enumerate(value, 1):
            if inner is not None:
                _judge(shape.element, inner, f"{path}.{position}.member", failures)
    elif shape.kind == "map" and shape.element and shape.key:
        _judge_map(shape, shape.key, shape.element, value, path, failures)


def _judge_map(shape: Shape, key: Shape, element: Shape, value: dict[str, Any], path: str, failures: list[str]) -> None:
    if any(_broken(key, name) for name in value):
        text = wording.text_of(shape, value)
        constraint = f"Map keys must satisfy constraint: [{', '.join(_constraints(key))}]"
        failures.append(wording.failure(text, path, constraint))
    if any(inner is None or _broken(element, inner) for inner in value.values()):
        text = wording.text_of(shape, value)
        constraint = f"Map value must satisfy constraint: [{', '.join(_constraints(element)) or wording.NULL_MEMBER}]"
        failures.append(wording.failure(text, path, constraint))
    for name, inner in value.items():
        if len(failures) >= wording.ERRORS_MAX:
            return
        if inner is not None and element.kind in ("structure", "list", "map"):
            _judge_inside(element, inner, f"{path}.{name}.member", failures)


def _judge_inside(element: Shape, value: Any, path: str, failures: list[str]) -> None:
    """Judge what is inside a map's value; its own constraints are the map's to tell."""
    _judge(element.but(least=None, most=None), value, path, failures)


def _broken(shape: Shape, value: Any) -> list[str]:
    """Return the sentences of the shape's own constraints that a value of the right type fails."""
    broken = []
    if shape.kind == "string":
        if shape.enum:
            return [] if value in shape.enum else [wording.one_of(ENUM_ORDERS.get(shape.name, shape.enum))]
        if shape.pattern and not compile_pattern(shape.pattern)(value):
            broken.append(wording.matching(shape.pattern))
        measure = len(value) + sum(character > "\uffff" for character in value)
    elif shape.kind in ("list", "map"):
        measure = len(value)
    elif shape.kind in INTEGER_BOUNDS:
        measure = value
    else:
        return broken
    if shape.kind == "list" and None in value:
        broken.append(wording.NULL_MEMBER)
    if shape.least is not None and measure < shape.least:
        broken.append(wording.at_least(shape))
    if shape.most is not None and measure > shape.most:
        broken.append(wording.at_most(shape))
    return broken


def _constraints(shape: Shape) -> list[str]:
    """Return the sentences of all constraints of a shape, as AWS lists them for the keys and values of a map."""
    if shape.enum:
        return [wording.one_of(ENUM_ORDERS.get(shape.name, shape.enum))]
    sentences = [] if shape.most is None else [wording.at_most(shape)]
    if shape.least is not None:
        sentences.append(wording.at_least(shape))
    if shape.pattern:
        sentences.append(wording.matching(shape.pattern))
    return sentences
