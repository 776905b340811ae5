"""The comparisons of the legacy parameters: Expected, QueryFilter, ScanFilter and KeyConditions, as syntax trees.

What: each attribute has a ``ComparisonOperator`` and an ``AttributeValueList``, or, in Expected, the older ``Exists``
and ``Value``. :func:`expected` and :func:`filters` turn a map of them into one condition, :func:`key_condition` into
what selects a range of keys. The trees are those of expressions, and so is their evaluation.

Invariants: all operands are checked here, with the words of the legacy parameters, so that binding finds no fault.

Hazard: operands are brought to canonical form in place.

Source: AWS developer guide, "Legacy conditional parameters"; wording and what absent attributes mean as DynamoDB
Local has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from region.errors import ValidationError
from region.expression import Condition, KeyCondition, ResolvedKey, condition_of, key_condition_of
from region.expression.operators import order
from region.expression.syntax import (
    Between,
    Comparison,
    ConditionTree,
    Function,
    In,
    Literal,
    Not,
    Path,
    conjunction,
    disjunction,
)
from region.model import limits
from region.model.values import EMPTY_NAME, INVALID, AttributeValue, normalise, type_of

Conditions = Mapping[str, dict[str, Any]]
Build = Callable[[Path, tuple[Literal, ...]], ConditionTree]

OPERATOR: Final = "ConditionalOperator"
LENGTH: Final = "Conditions can be of length 1 or 2 only"

_SCALARS: Final = frozenset(("S", "N", "B"))
_ANY: Final = frozenset(("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"))
_TEXTS: Final = frozenset(("S", "B"))
_ELEMENTS: Final = _SCALARS | {"NULL", "BOOL"}
_INDEXED: Final = frozenset(("EQ", "LE", "LT", "GE", "GT", "BETWEEN", "BEGINS_WITH"))
_KEY_CONDITIONS: Final = 2


def _exists(path: Path) -> Function:
    return Function("attribute_exists", (path,))


def _comparison(operator: str) -> Build:
    return lambda path, operands: Comparison(operator, path, operands[0])


def _in(path: Path, operands: tuple[Literal, ...]) -> ConditionTree:
    """Return a membership test; the limit on the operands of IN belongs to expressions alone."""
    step = limits.IN_OPERANDS_MAX
    return disjunction(tuple([In(path, operands[at : at + step]) for at in range(0, len(operands), step)]))


def _contains(path: Path, operands: tuple[Literal, ...]) -> Function:
    return Function("contains", (path, *operands))


def _not_contains(path: Path, operands: tuple[Literal, ...]) -> ConditionTree:
    """An absent attribute matches NOT_CONTAINS no more than CONTAINS."""
    return conjunction((_exists(path), Not(_contains(path, operands))))


def _not_exists(path: Path, _: tuple[Literal, ...]) -> Function:
    return Function("attribute_not_exists", (path,))


_OPERATORS: Final[Mapping[str, tuple[int | None, frozenset[str], Build]]] = {
    "EQ": (1, _ANY, _comparison("=")),
    "NE": (1, _ANY, _comparison("<>")),
    "LE": (1, _SCALARS, _comparison("<=")),
    "LT": (1, _SCALARS, _comparison("<")),
    "GE": (1, _SCALARS, _comparison(">=")),
    "GT": (1, _SCALARS, _comparison(">")),
    "BETWEEN": (2, _SCALARS, lambda path, operands: Between(path, *operands)),
    "IN": (None, _SCALARS, _in),
    "BEGINS_WITH": (1, _TEXTS, lambda path, operands: Function("begins_with", (path, *operands))),
    "CONTAINS": (1, _ELEMENTS, _contains),
    "NOT_CONTAINS": (1, _ELEMENTS, _not_contains),
    "NULL": (0, _ANY, _not_exists),
    "NOT_NULL": (0, _ANY, lambda path, _: _exists(path)),
}
"""By operator: how many operands it takes (``None``: one or more), of which types, and its tree."""


def expected(conditions: Conditions | None, operator: str | None) -> Condition | None:
    """Return the condition that ``Expected`` means, combined by ``ConditionalOperator``; none where it is empty.

    Raises:
        ValidationError: in AWS's words.
    """
    trees = [_expectation(name, condition) for name, condition in (conditions or {}).items()]
    return _combined(trees, operator)


def filters(conditions: Conditions | None, operator: str | None) -> Condition | None:
    """Return the condition that ``QueryFilter`` or ``ScanFilter`` means; see :func:`expected`."""
    trees = [_filter(name, condition) for name, condition in (conditions or {}).items()]
    return _combined(trees, operator)


def _combined(trees: list[ConditionTree], operator: str | None) -> Condition | None:
    if operator is not None:
        if not trees:
            raise ValidationError(f"{OPERATOR} cannot be used without Filter or Expected")
        if len(trees) == 1:
            raise ValidationError(f"{OPERATOR} can only be used when Filter or Expected has two or more elements")
    if not trees:
        return None
    combine = disjunction if operator == "OR" else conjunction
    return condition_of(combine(tuple(trees)))


def _filter(name: str, condition: Mapping[str, Any]) -> ConditionTree:
    return _tree(name, condition["ComparisonOperator"], condition.get("AttributeValueList") or [])


def _expectation(name: str, condition: Mapping[str, Any]) -> ConditionTree:
    """Return the tree of one entry of Expected, in either of its two forms."""
    value, exists = condition.get("Value"), condition.get("Exists")
    comparison, operands = condition.get("ComparisonOperator"), condition.get("AttributeValueList")
    if exists is not None and comparison is not None:
        raise _improper("Exists and ComparisonOperator cannot be used together", name)
    if value is not None and operands is not None:
        raise _improper("Value and AttributeValueList cannot be used together", name)
    if operands is not None and comparison is None:
        raise _improper("AttributeValueList can only be used with a ComparisonOperator", name)
    if comparison is not None:
        if operands is None and value is None and _OPERATORS[comparison][0] != 0:
            raise _improper(f"Value or AttributeValueList must be used with ComparisonOperator: {comparison}", name)
        return _tree(name, comparison, [value] if value is not None else operands or [])
    if exists is False:
        if value is not None:
            raise _improper("Value cannot be used when Exists is false", name)
        return _tree(name, "NULL", [])
    if value is None:
        raise _improper(f"Value must be provided when Exists is {'null' if exists is None else 'true'}", name)
    return _tree(name, "EQ", [value])


def _improper(complaint: str, name: str) -> ValidationError:
    return ValidationError(f"{INVALID}{complaint} for Attribute: {name}")


def _tree(name: str, operator: str, operands: list[AttributeValue]) -> ConditionTree:
    return _OPERATORS[operator][2](_path(name), _operands(operator, operands))


def _path(name: str) -> Path:
    """Return the path of a legacy parameter: a top-level attribute, whatever characters its name has."""
    if not name:
        raise ValidationError(EMPTY_NAME)
    return Path((name,))


def _operands(operator: str, operands: list[AttributeValue]) -> tuple[Literal, ...]:
    """Check the operands of a comparison, normalise them in place, and return them."""
    for operand in operands:
        normalise(operand)
    count, kinds, _ = _OPERATORS[operator]
    if len(operands) != count and not (count is None and operands):
        raise ValidationError(f"{INVALID}Invalid number of argument(s) for the {operator} ComparisonOperator")
    for operand in operands:
        if (kind := type_of(operand)) not in kinds:
            raise ValidationError(f"{INVALID}ComparisonOperator {operator} is not valid for {kind} AttributeValue type")
    if len({type_of(operand) for operand in operands}) > 1:
        raise ValidationError(f"{INVALID}AttributeValues inside AttributeValueList must be of same type")
    if operator == "BETWEEN" and order(operands[0], operands[1]) > 0:
        raise ValidationError(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
        )
    return tuple([Literal(operand) for operand in operands])


class LegacyKeyCondition:
    """What ``KeyConditions`` select, some of whose operators no index can answer.

    They are refused once the key schema is known, for what they are the last thing to be found wrong.
    """

    __slots__ = ("_condition", "_unindexed")

    def __init__(self, condition: KeyCondition | None, unindexed: Mapping[str, tuple[Literal, ...]]) -> None:
        self._condition = condition
        self._unindexed = unindexed

    def resolve(
        self, hash_names: tuple[str, ...], range_names: tuple[str, ...], types: Mapping[str, str]
    ) -> ResolvedKey:
        """Fit the conditions to a key schema, as :meth:`region.expression.KeyCondition.resolve` does."""
        if self._condition is None or self._unindexed:
            raise self._misfit(hash_names, range_names, types)
        return self._condition.resolve(hash_names, range_names, types)

    def _misfit(
        self, hash_names: tuple[str, ...], range_names: tuple[str, ...], types: Mapping[str, str]
    ) -> ValidationError:
        """Return the error for conditions of which no index can answer all."""
        schema = (*hash_names, *range_names)
        indexed = frozenset() if self._condition is None else self._condition.top_level_names
        names = indexed | self._unindexed.keys()
        if len(names) > max(_KEY_CONDITIONS, len(schema)):
            return ValidationError(LENGTH)
        missing = [name for name in hash_names if name not in names]
        if not missing and not names.issubset(schema):
            missing = [name for name in range_names if name not in names]
        if missing:
            return ValidationError(f"Query condition missed key schema element: {missing[0]}")
        for name, operands in self._unindexed.items():
            if name in schema and any(type_of(operand.value) != types[name] for operand in operands):
                return ValidationError(f"{INVALID}Condition parameter type does not match schema type")
        if any(name not in range_names for name in self._unindexed):
            return ValidationError("Query key condition not supported")
        return ValidationError("Attempted conditional constraint is not an indexable operation")


def key_condition(conditions: Conditions) -> LegacyKeyCondition:
    """Return what ``KeyConditions`` select.

    Raises:
        ValidationError: in AWS's words, where no key schema is needed to find the fault.
    """
    if not conditions:
        raise ValidationError(LENGTH)
    trees: list[ConditionTree] = []
    unindexed: dict[str, tuple[Literal, ...]] = {}
    for name, condition in conditions.items():
        path, operator = _path(name), condition["ComparisonOperator"]
        operands = _operands(operator, condition.get("AttributeValueList") or [])
        if operator in _INDEXED:
            trees.append(_OPERATORS[operator][2](path, operands))
        else:
            unindexed[name] = operands
    return LegacyKeyCondition(key_condition_of(conjunction(tuple(trees))) if trees else None, unindexed)
