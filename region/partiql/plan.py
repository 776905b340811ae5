"""What of a table a WHERE clause needs: one item, some partitions or ranges of them, or all of it.

What: :func:`full_key` finds the one primary key that a clause names, for writes and for reads of one item.
:func:`key_plan` finds the partitions that a clause confines itself to by ``=``, ``IN`` and ``OR``, and the ranges of
the sort key within them.

Invariants: every item that meets the clause lies in one of the plan's ranges, and every item in them meets it exactly
if it meets the plan's ``residual``. Ranges do not overlap.

Source: AWS developer guide, "PartiQL select statements for DynamoDB" (which statements do not scan); wording as
DynamoDB Local sends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from region.errors import ValidationError
from region.expression import key_condition_of
from region.expression.binding import value_of
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
    Or,
    Parameter,
    Path,
    conjunction,
)
from region.model.table import KeySchema
from region.model.values import AttributeValue, Item, type_of

HASH_VALUES_MAX: Final = 50
RANGES_MAX: Final = 300

Values = Mapping[str, AttributeValue]
Types = Mapping[str, str]
Scalar = tuple[str, str]
"""A string, number or binary: its type and its content."""

_FLIPPED: Final = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<=", "<>": "<>"}
_BEGINS_WITH: Final = "begins_with"


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition, by the values of its hash attributes, and the ranges of encoded keys to read of it."""

    hash_values: tuple[AttributeValue, ...]
    ranges: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """What to read: the partitions, or all of the source where there are ``None``."""

    partitions: tuple[Partition, ...] | None
    residual: ConditionTree | None
    """What is to be tested of each item."""
    exact: bool
    """Whether each range is that of one whole key."""


@dataclass(frozen=True, slots=True)
class FullKey:
    """One primary key, and what else the clause wants of its item."""

    key: Item
    residual: ConditionTree | None


@dataclass(frozen=True, slots=True)
class _Test:
    """A condition that compares one attribute with constants: ``=``, ``IN``, ``<``, ``BETWEEN``, ``begins_with``, …"""

    name: str
    operator: str
    values: tuple[AttributeValue, ...]


def full_key(where: ConditionTree | None, schema: KeySchema, types: Types, values: Values) -> FullKey | None:
    """Return the primary key that a clause sets equal to constants, or ``None`` where it lacks one.

    Raises:
        ValidationError: a key attribute is compared with a value of another type, or with two different values.
    """
    key: Item = {}
    residual: list[ConditionTree] = []
    for term in _conjuncts(where):
        test = _test(term, values)
        if test is None or test.operator != "=" or test.name not in schema.names:
            residual.append(term)
            continue
        _require_kind(test, types)
        if key.setdefault(test.name, test.values[0]) != test.values[0]:
            raise ValidationError(
                f"Multiple conditions on same key {test.name}. Only single item Update/Insert/Delete are supported"
            )
    if len(key) < len(schema.names):
        return None
    return FullKey(key, conjunction(tuple(residual)) if residual else None)


def key_plan(where: ConditionTree | None, schema: KeySchema, types: Types, values: Values) -> KeyPlan:
    """Return what a clause needs of a table or an index with this key schema; ``types`` has the kinds of all keys.

    Raises:
        ValidationError: a key attribute is compared with what it cannot be.
    """
    parts = _conjuncts(where)
    hashes = [_enumerate(where, name, values) for name in schema.hash]
    bounded = all(found is not None for found in hashes)
    _check_kinds(where, parts, schema, types, values, bounded=bounded)
    if not bounded:
        return KeyPlan(None, where, exact=False)
    combinations = list(product(*[_values(found or {}) for found in hashes]))
    if len(combinations) > HASH_VALUES_MAX:
        raise ValidationError(
            f"The IN operator is provided with too many operands; number of operands: {len(combinations)}"
        )
    leading = _leading(where, schema.range, values, RANGES_MAX // max(1, len(combinations)))
    enumerated = frozenset((*schema.hash, *schema.range[: len(leading)]))
    trailing = schema.range[len(leading)] if len(leading) < len(schema.range) else None
    conditions: list[_Test] = []
    residual: list[ConditionTree] = []
    for term in parts:
        test = _test(term, values)
        if test is not None and test.name in enumerated and test.operator in ("=", "IN"):
            continue
        if test is not None and test.name == trailing and test.operator not in ("IN", "<>", "contains"):
            conditions.append(test)
        else:
            residual.append(term)
    partitions = [
        Partition(hash_values, tuple(sorted(_ranges(hash_values, leading, conditions, schema, types))))
        for hash_values in combinations
    ]
    rest = conjunction(tuple(residual)) if residual else None
    return KeyPlan(tuple(partitions), rest, exact=len(leading) == len(schema.range))


def _ranges(
    hash_values: tuple[AttributeValue, ...],
    leading: list[list[AttributeValue]],
    conditions: list[_Test],
    schema: KeySchema,
    types: Types,
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the ranges of one partition that are not empty."""
    for combination in product(*leading):
        equals: list[ConditionTree] = [
            Comparison("=", Path((name,)), Literal(value))
            for name, value in zip(schema.names, (*hash_values, *combination), strict=False)
        ]
        lower, upper = _bounds(equals, schema, types)
        for condition in conditions:
            low, high = _bounds([*equals, _tree(condition)], schema, types)
            lower, upper = max(lower, low), min(upper, high)
        if lower < upper:
            yield lower, upper


def _bounds(conditions: list[ConditionTree], schema: KeySchema, types: Types) -> tuple[bytes, bytes]:
    return key_condition_of(conjunction(tuple(conditions))).resolve(schema.hash, schema.range, types).bounds()


def _tree(test: _Test) -> ConditionTree:
    path = Path((test.name,))
    operands = [Literal(value) for value in test.values]
    if test.operator == "BETWEEN":
        return Between(path, operands[0], operands[1])
    if test.operator == _BEGINS_WITH:
        return Function(_BEGINS_WITH, (path, operands[0]))
    return Comparison(test.operator, path, operands[0])


def _leading(
    where: ConditionTree | None, names: tuple[str, ...], values: Values, most: int
) -> list[list[AttributeValue]]:
    """Return the possible values of the sort key attributes, up to the first that is not confined to a few."""
    leading: list[list[AttributeValue]] = []
    count = 1
    for name in names:
        found = _enumerate(where, name, values)
        if found is None or count * len(found) > most:
            break
        count *= len(found)
        leading.append(_values(found))
    return leading


def _enumerate(term: ConditionTree | None, name: str, values: Values) -> dict[Scalar, None] | None:
    """Return the values that an attribute can have where a condition holds, or ``None`` if there is no end of them."""
    if isinstance(term, And):
        bounded = [found for part in term.parts if (found := _enumerate(part, name, values)) is not None]
        if not bounded:
            return None
        return {value: None for value in bounded[0] if all(value in found for found in bounded[1:])}
    if isinstance(term, Or):
        union: dict[Scalar, None] = {}
        for part in term.parts:
            found = _enumerate(part, name, values)
            if found is None:
                return None
            union.update(found)
        return union
    test = None if term is None else _test(term, values)
    if test is None or test.name != name or test.operator not in ("=", "IN"):
        return None
    return {
        (kind, content): None for value in test.values for kind, content in value.items() if kind in ("S", "N", "B")
    }


def _values(found: Iterable[Scalar]) -> list[AttributeValue]:
    return [{kind: content} for kind, content in found]


def _conjuncts(where: ConditionTree | None) -> tuple[ConditionTree, ...]:
    if where is None:
        return ()
    return where.parts if isinstance(where, And) else (where,)


def _test(term: ConditionTree, values: Values) -> _Test | None:
    """Return a condition as a test of one top-level attribute against constants, or ``None`` if it is not one."""
    if isinstance(term, Comparison):
        if _constants((term.left,), values) is None:
            return _test_of(term.operator, term.left, (term.right,), values)
        return _test_of(_FLIPPED[term.operator], term.right, (term.left,), values)
    if isinstance(term, Between):
        return _test_of("BETWEEN", term.operand, (term.lower, term.upper), values)
    if isinstance(term, In):
        return _test_of("IN", term.operand, term.candidates, values)
    if isinstance(term, Function) and term.name in (_BEGINS_WITH, "contains"):
        return _test_of(term.name, term.operands[0], term.operands[1:], values)
    return None


def _test_of(operator: str, operand: Operand, others: tuple[Operand, ...], values: Values) -> _Test | None:
    constants = _constants(others, values)
    if constants is None or not isinstance(operand, Path) or len(operand.parts) != 1:
        return None
    return _Test(str(operand.parts[0]), operator, constants)


def _constants(operands: tuple[Operand, ...], values: Values) -> tuple[AttributeValue, ...] | None:
    found = [value_of(operand, values) for operand in operands if isinstance(operand, Literal | Parameter)]
    return tuple(found) if len(found) == len(operands) else None


def _check_kinds(
    where: ConditionTree | None,
    parts: tuple[ConditionTree, ...],
    schema: KeySchema,
    types: Types,
    values: Values,
    *,
    bounded: bool,
) -> None:
    """Refuse comparisons of key attributes with values that they cannot have."""
    for term in parts:
        test = _test(term, values)
        if test is None:
            continue
        if (test.name in schema.hash and test.operator in ("=", "IN")) or (test.name in schema.range and bounded):
            _require_kind(test, types)
    for test in _tests(where, values):
        if any(type_of(value) != types.get(test.name, type_of(value)) for value in test.values):
            raise ValidationError(
                "One or more parameter values were invalid: Condition parameter type does not match schema type"
            )


def _require_kind(test: _Test, types: Types) -> None:
    if any(type_of(value) != types[test.name] for value in test.values):
        raise ValidationError(
            f"Key attribute's data type should match its data type in table's schema: Key {test.name}"
        )


def _tests(term: ConditionTree | None, values: Values) -> Iterator[_Test]:
    """Yield every test of a top-level attribute in a condition."""
    if isinstance(term, And | Or):
        for part in term.parts:
            yield from _tests(part, values)
    elif isinstance(term, Not):
        yield from _tests(term.part, values)
    elif term is not None and (test := _test(term, values)) is not None:
        yield test
