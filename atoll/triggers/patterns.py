"""Filter patterns of triggers: which records a function is interested in, in the language of Lambda's event filtering.

What: :func:`compile_pattern` turns the JSON text of one pattern into a predicate on an event record. A pattern has the
shape of what it matches: names lead to lists, and a list holds the values and conditions of which one must hold.
Built are exact values, ``null`` and ``""``, ``prefix``, ``suffix``, ``equals-ignore-case``, ``anything-but`` (values,
``prefix``, ``suffix``, ``equals-ignore-case``), ``numeric``, ``exists`` and ``$or``.

Invariants: a pattern that cannot be understood is refused when it is given, never while records flow. All named fields
must match; in a field that is a list, one element is enough. Numbers count as numbers also where they stand in texts,
as the numbers of DynamoDB's JSON do.

Source: AWS Lambda developer guide, "Control which events Lambda sends to your function" and "Using event filtering
with a DynamoDB event source"; Amazon EventBridge user guide, "Comparison operators".
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

PATTERNS_MAX: Final = 5
PATTERN_CHARACTERS_MAX: Final = 4096

Predicate = Callable[[Any], bool]
_ABSENT: Final = object()
_NUMERIC: Final[Mapping[str, Callable[[Decimal, Decimal], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXTUAL: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "prefix": str.startswith,
    "suffix": str.endswith,
    "equals-ignore-case": lambda value, wanted: value.casefold() == wanted.casefold(),
}


class PatternError(ValueError):
    """A pattern that cannot be understood; the text says what is wrong with it."""


def compile_pattern(text: str) -> Predicate:
    """Return the predicate of a pattern.

    Raises:
        PatternError: it is no pattern.
    """
    if len(text) > PATTERN_CHARACTERS_MAX:
        raise PatternError(f"a pattern has {PATTERN_CHARACTERS_MAX} characters at most")
    try:
        pattern = json.loads(text)
    except ValueError as error:
        raise PatternError(f"not valid JSON: {error}") from None
    if not isinstance(pattern, dict) or not pattern:
        raise PatternError("a pattern is a JSON object with at least one field")
    return _fields(pattern)


def compile_filters(texts: Iterable[str]) -> Predicate | None:
    """Return the predicate that holds where one of several patterns does; ``None`` where there are none.

    Raises:
        PatternError: one of them is no pattern, or there are too many.
    """
    predicates = [compile_pattern(text) for text in texts]
    if len(predicates) > PATTERNS_MAX:
        raise PatternError(f"there are {PATTERNS_MAX} patterns at most")
    return (lambda record: any(predicate(record) for predicate in predicates)) if predicates else None


def _fields(pattern: Mapping[str, Any]) -> Predicate:
    """Return the predicate of an object: every field must match."""
    parts = [_either(rule) if name == "$or" else _field(name, rule) for name, rule in pattern.items()]
    return lambda value: all(part(value) for part in parts)


def _either(rules: Any) -> Predicate:
    if not isinstance(rules, list) or len(rules) < 2 or not all(isinstance(rule, dict) and rule for rule in rules):
        raise PatternError("$or takes a list of at least two objects")
    alternatives = [_fields(rule) for rule in rules]
    return lambda value: any(alternative(value) for alternative in alternatives)


def _field(name: str, rule: Any) -> Predicate:
    if isinstance(rule, dict):
        if not rule:
            raise PatternError(f"the field {name} has an empty object")
        inner = _fields(rule)

        def descend(value: Any) -> bool:
            found = value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT
            if isinstance(found, list):
                return any(inner(each) for each in found)
            return inner(found)

        return descend
    if not isinstance(rule, list) or not rule:
        raise PatternError(f"the field {name} must have an object, or a list of values that is not empty")
    leaves = [_leaf(each) for each in rule]

    def test(value: Any) -> bool:
        found = value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT
        candidates = found if isinstance(found, list) and found else [found]
        return any(leaf(each) for leaf in leaves for each in candidates)

    return test


def _leaf(rule: Any) -> Predicate:
    """Return the predicate of one element of a list: a value, or an object with one condition."""
    if not isinstance(rule, dict):
        if isinstance(rule, list):
            raise PatternError("a list may not hold another list")
        return _equals(rule)
    if len(rule) != 1:
        raise PatternError(f"a condition has one name, not {len(rule)}")
    ((name, argument),) = rule.items()
    if name in _TEXTUAL:
        return _textual(name, argument)
    if name == "exists":
        return _exists(argument)
    if name == "anything-but":
        return _anything_but(argument)
    if name == "numeric":
        return _numeric(argument)
    raise PatternError(f"there is no condition {name!r}")


def _equals(wanted: Any) -> Predicate:
    if isinstance(wanted, bool) or wanted is None:
        return lambda value: value is wanted
    if isinstance(wanted, int | float):
        number = _number(wanted)
        return lambda value: number is not None and _number(value) == number
    return lambda value: isinstance(value, str) and value == wanted


def _textual(name: str, argument: Any) -> Predicate:
    compare = _TEXTUAL[name]
    if isinstance(argument, dict) and list(argument) == ["equals-ignore-case"] and name != "equals-ignore-case":
        text = argument["equals-ignore-case"]
        if isinstance(text, str):
            folded = text.casefold()
            return lambda value: isinstance(value, str) and compare(value.casefold(), folded)
    if not isinstance(argument, str):
        raise PatternError(f"{name} takes a text")
    return lambda value: isinstance(value, str) and compare(value, argument)


def _exists(argument: Any) -> Predicate:
    if not isinstance(argument, bool):
        raise PatternError("exists takes true or false")
    # It speaks of leaves: an object below the name is no value that exists.
    return lambda value: (value is not _ABSENT and not isinstance(value, dict)) is argument


def _anything_but(argument: Any) -> Predicate:
    if isinstance(argument, dict):
        if len(argument) != 1 or next(iter(argument)) not in _TEXTUAL:
            raise PatternError("anything-but takes values, or one of prefix, suffix and equals-ignore-case")
        ((name, texts),) = argument.items()
        unwanted = [_textual(name, text) for text in (texts if isinstance(texts, list) else [texts])]
    else:
        unwanted = [_equals(each) for each in (argument if isinstance(argument, list) else [argument])]
    if not unwanted:
        raise PatternError("anything-but takes at least one value")

    def other(value: Any) -> bool:
        return value is not _ABSENT and not isinstance(value, dict) and not any(each(value) for each in unwanted)

    return other


def _numeric(argument: Any) -> Predicate:
    if not isinstance(argument, list) or not argument or len(argument) % 2:
        raise PatternError('numeric takes a list of comparisons and numbers, such as [">", 0, "<=", 5]')
    bounds = []
    for name, bound in zip(argument[::2], argument[1::2], strict=True):
        number = None if isinstance(bound, str) else _number(bound)
        if name not in _NUMERIC or number is None:
            raise PatternError(f"numeric cannot compare by {name!r} with {bound!r}")
        bounds.append((_NUMERIC[name], number))

    def within(value: Any) -> bool:
        number = _number(value)
        return number is not None and all(compare(number, bound) for compare, bound in bounds)

    return within


def _number(value: Any) -> Decimal | None:
    """Return a value as a number; one in a text counts, because that is how DynamoDB's JSON has numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
