"""Bound syntax trees to closures: the fast half of the expression engine.

What: :func:`compile_condition` turns a bound condition into one function ``(item, values) -> bool``, and
:func:`compile_operand` an operand into ``(item, values) -> value or None``. Values stay out of the closures, so that
they can be cached by the expression's text and serve every request.

Invariants: evaluating changes nothing and raises nothing. An operand that is missing equals nothing, differs from
everything, and makes every other comparison false.

Source: AWS developer guide, "Condition and filter expressions, operators, and functions".
"""

from __future__ import annotations

import operator as operators
from collections.abc import Callable
from typing import Any, Final

from region.expression import paths
from region.expression.binding import Values, resolved
from region.expression.operators import begins_with, comparable, contains, size
from region.expression.syntax import (
    And,
    Between,
    Comparison,
    ConditionTree,
    Function,
    In,
    Literal,
    Not,
    Operand,
    Parameter,
    Path,
)
from region.model.numbers import sort_value
from region.model.values import AttributeValue, Item, type_of

Test = Callable[[Item, Values], bool]
Get = Callable[[Item, Values], AttributeValue | None]

_ORDERINGS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


def compile_condition(term: ConditionTree) -> Test:
    """Return the function that evaluates a bound condition."""
    if isinstance(term, Comparison):
        return _comparison(term)
    if isinstance(term, Function):
        return _predicate(term)
    if isinstance(term, Between):
        return _between(term)
    if isinstance(term, In):
        return _in(term)
    if isinstance(term, Not):
        test = compile_condition(term.part)
        return lambda item, values: not test(item, values)
    tests = []
    for part in term.parts:
        tests.append(compile_condition(part))  # noqa: PERF401  # A comprehension is a call frame more on each level.
    return _and(tuple(tests)) if isinstance(term, And) else _or(tuple(tests))


def compile_operand(term: Operand) -> Get:
    """Return the function that reads a bound operand; ``None`` is a missing value."""
    if isinstance(term, Parameter):
        text = term.text
        return lambda item, values: values[text]
    if isinstance(term, Literal):
        value = term.value
        return lambda item, values: value
    if isinstance(term, Path):
        path = resolved(term)
        if len(path) == 1:
            name = str(path[0])
            return lambda item, values: item.get(name)
        return lambda item, values: paths.read(item, path)
    return _size(compile_operand(term.operands[0]))


def _size(get: Get) -> Get:
    def measure(item: Item, values: Values) -> AttributeValue | None:
        value = get(item, values)
        return None if value is None else size(value)

    return measure


def _and(tests: tuple[Test, ...]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda item, values: first(item, values) and second(item, values)

    def every(item: Item, values: Values) -> bool:
        for test in tests:  # noqa: SIM110  # all() costs a generator on each evaluation.
            if not test(item, values):
                return False
        return True

    return every


def _or(tests: tuple[Test, ...]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda item, values: first(item, values) or second(item, values)

    def some(item: Item, values: Values) -> bool:
        for test in tests:  # noqa: SIM110  # any() costs a generator on each evaluation.
            if test(item, values):
                return True
        return False

    return some


def _comparison(term: Comparison) -> Test:
    if term.operator in ("=", "<>"):
        return _equality(term)
    holds = _ORDERINGS[term.operator]
    left, right = compile_operand(term.left), compile_operand(term.right)

    def test(item: Item, values: Values) -> bool:
        one, two = left(item, values), right(item, values)
        if one is None or two is None:
            return False
        # Numbers are what is compared most often, and worth the shortcut.
        if (number := one.get("N")) is not None and (other := two.get("N")) is not None:
            return holds(sort_value(number), sort_value(other))
        pair = comparable(one, two)
        return pair is not None and holds(pair[0], pair[1])

    return test


def _equality(term: Comparison) -> Test:
    left, right = compile_operand(term.left), compile_operand(term.right)
    equal = term.operator == "="
    if isinstance(term.left, Path) and len(term.left.parts) == 1 and isinstance(term.right, Parameter):
        name, text = str(term.left.parts[0]), term.right.text
        if equal:
            return lambda item, values: item.get(name) == values[text]
        return lambda item, values: item.get(name) != values[text]

    def test(item: Item, values: Values) -> bool:
        one = left(item, values)
        return one is not None and one == right(item, values)

    return test if equal else lambda item, values: not test(item, values)


def _between(term: Between) -> Test:
    operand, lower, upper = compile_operand(term.operand), compile_operand(term.lower), compile_operand(term.upper)

    def test(item: Item, values: Values) -> bool:
        value, low, high = operand(item, values), lower(item, values), upper(item, values)
        if value is None or low is None or high is None:
            return False
        below, above = comparable(low, value), comparable(value, high)
        return below is not None and above is not None and bool(below[0] <= below[1] and above[0] <= above[1])

    return test


def _in(term: In) -> Test:
    operand = compile_operand(term.operand)
    candidates = [compile_operand(candidate) for candidate in term.candidates]

    def test(item: Item, values: Values) -> bool:
        value = operand(item, values)
        if value is None:
            return False
        for candidate in candidates:  # noqa: SIM110  # any() costs a generator on each evaluation.
            if value == candidate(item, values):
                return True
        return False

    return test


def _predicate(term: Function) -> Test:
    first = compile_operand(term.operands[0])
    if term.name == "attribute_exists":
        return lambda item, values: first(item, values) is not None
    if term.name == "attribute_not_exists":
        return lambda item, values: first(item, values) is None
    second = compile_operand(term.operands[1])
    if term.name == "attribute_type":
        return _attribute_type(first, second)
    holds = begins_with if term.name == "begins_with" else contains

    def test(item: Item, values: Values) -> bool:
        one, two = first(item, values), second(item, values)
        return one is not None and two is not None and holds(one, two)

    return test


def _attribute_type(operand: Get, name: Get) -> Test:
    def test(item: Item, values: Values) -> bool:
        value, sought = operand(item, values), name(item, values)
        return value is not None and sought is not None and type_of(value) == sought["S"]

    return test
