"""Key condition expressions: which part of a table or an index a Query reads.

What: :func:`key_condition` compiles text to a :class:`KeyCondition`, one condition per attribute. Resolved against a
key schema it becomes a :class:`ResolvedKey`: the partition, and conditions on the sort key attributes from left to
right, which are one range of encoded keys.

Invariants: the range holds exactly the keys that the conditions select, whatever follows in the key (an index appends
the table's key).

Source: AWS developer guide, "Key condition expressions for the Query operation", "Multi-attribute keys pattern";
wording as AWS and DynamoDB Local send it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from region.errors import ValidationError
from region.expression.binding import Binder, Check, value_of
from region.expression.grammar import parse_condition
from region.expression.paths import refuse_nested_keys
from region.expression.placeholders import Placeholders
from region.expression.plans import Compiler
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
)
from region.model import keys, limits
from region.model.values import AttributeValue, binary_size, text_size, type_of

PARAMETER: Final = "KeyConditionExpression"
BETWEEN: Final = "BETWEEN"
BEGINS_WITH: Final = "begins_with"

_PREFIX: Final = f"Invalid {PARAMETER}: "
_FLIPPED: Final = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CONDITIONS: Final = 2


class RangeCondition(NamedTuple):
    """A condition on one sort key attribute: ``=``, ``<``, ``<=``, ``>``, ``>=``, ``BETWEEN`` or ``begins_with``."""

    operator: str
    values: tuple[AttributeValue, ...]


class ResolvedKey(NamedTuple):
    """The values of the partition key attributes, and conditions on the sort key attributes, left to right.

    Only the last of the range conditions may be something else than an equality.
    """

    hash_values: tuple[AttributeValue, ...]
    range_conditions: tuple[RangeCondition, ...]

    def bounds(self) -> tuple[bytes, bytes]:
        """Return the range of encoded keys (``region.model.keys``) that is selected, the upper bound excluded."""
        prefix = keys.partition(self.hash_values)
        for operator, values in self.range_conditions:
            if operator != "=":
                return _bounds(prefix, operator, values)
            prefix += keys.encode(values[0])
        return prefix, keys.successor(prefix)


def _bounds(prefix: bytes, operator: str, values: tuple[AttributeValue, ...]) -> tuple[bytes, bytes]:
    if operator == BEGINS_WITH:
        start = prefix + keys.encode_prefix(values[0])
        return start, keys.successor(start)
    first = prefix + keys.encode(values[0])
    if operator == BETWEEN:
        return first, keys.successor(prefix + keys.encode(values[1]))
    if operator == "<":
        return prefix, first
    if operator == "<=":
        return prefix, keys.successor(first)
    return first if operator == ">=" else keys.successor(first), keys.successor(prefix)


class _Entry(NamedTuple):
    operator: str
    operands: tuple[Parameter | Literal, ...]


class _Plan(NamedTuple):
    entries: Mapping[str, _Entry]
    nested: frozenset[str]
    """The names of attributes with a condition on something inside them."""
    checks: tuple[Check, ...]


class KeyCondition:
    """The key condition of one request."""

    __slots__ = ("_plan", "_values")

    def __init__(self, plan: _Plan, values: Mapping[str, AttributeValue]) -> None:
        self._plan = plan
        self._values = values
        for check in plan.checks:
            check(values)

    @property
    def top_level_names(self) -> frozenset[str]:
        """The names of the attributes that have a condition."""
        return frozenset(self._plan.entries)

    def resolve(
        self, hash_names: tuple[str, ...], range_names: tuple[str, ...], types: Mapping[str, str]
    ) -> ResolvedKey:
        """Fit the conditions to a key schema; ``types`` holds the declared type (S, N or B) of each key attribute.

        Raises:
            ValidationError: in AWS's words, when they do not fit.
        """
        entries, schema = self._plan.entries, (*hash_names, *range_names)
        if self._plan.nested:
            refuse_nested_keys(self._plan.nested, schema)
            raise ValidationError(f"{_PREFIX}KeyConditionExpressions cannot have conditions on nested attributes")
        if len(entries) > max(_CONDITIONS, len(schema)):
            raise ValidationError("Conditions can be of length 1 or 2 only")
        found = {name: self._condition(name, types[name]) for name in schema if name in entries}
        _require_sizes(found, hash_names)
        for name in hash_names:
            if name not in found:
                raise ValidationError(f"Query condition missed key schema element: {name}")
            if found[name].operator != "=":
                raise _unsupported()
        conditions = _leading(found, range_names)
        if len(hash_names) + len(conditions) < len(entries):
            _refuse_rest(conditions, range_names)
        return ResolvedKey(tuple([found[name].values[0] for name in hash_names]), conditions)

    def _condition(self, name: str, kind: str) -> RangeCondition:
        operator, operands = self._plan.entries[name]
        values = tuple([value_of(operand, self._values) for operand in operands])
        for value in values:
            if type_of(value) != kind:
                raise ValidationError(
                    "One or more parameter values were invalid: Condition parameter type does not match schema type"
                )
            if not value[kind]:
                raise ValidationError(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
                    f"contain an empty {'binary' if kind == 'B' else 'string'} value. Key: {name}"
                )
        return RangeCondition(operator, values)


def _leading(found: Mapping[str, RangeCondition], range_names: tuple[str, ...]) -> tuple[RangeCondition, ...]:
    """Return the conditions on the sort key attributes, up to the first that has none."""
    conditions: list[RangeCondition] = []
    for name in range_names:
        if name not in found:
            break
        if conditions and conditions[-1].operator != "=":
            raise _unsupported()
        conditions.append(found[name])
    return tuple(conditions)


def _refuse_rest(conditions: tuple[RangeCondition, ...], range_names: tuple[str, ...]) -> None:
    """Raise the error for conditions that are on no key attribute, or that skip one."""
    if len(conditions) < len(range_names):
        raise ValidationError(f"Query condition missed key schema element: {range_names[len(conditions)]}")
    raise _unsupported()


def _unsupported() -> ValidationError:
    return ValidationError("Query key condition not supported")


def _require_sizes(found: Mapping[str, RangeCondition], hash_names: tuple[str, ...]) -> None:
    """Refuse values longer than a key may be."""
    hash_bytes = range_bytes = 0
    for name, (_, values) in found.items():
        size = max(map(_key_bytes, values))
        if name in hash_names:
            hash_bytes += size
        else:
            range_bytes += size
    if hash_bytes > limits.PARTITION_KEY_BYTES_MAX:
        raise ValidationError(
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of"
            f"{limits.PARTITION_KEY_BYTES_MAX} bytes"
        )
    if range_bytes > limits.SORT_KEY_BYTES_MAX:
        raise ValidationError(
            "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit "
            f"of {limits.SORT_KEY_BYTES_MAX} bytes"
        )


def _key_bytes(value: AttributeValue) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return text_size(content)
    return binary_size(content) if kind == "B" else 0


def key_condition(text: str, placeholders: Placeholders) -> KeyCondition:
    """Compile a key condition expression.

    Raises:
        ValidationError: in AWS's words.
    """
    return KeyCondition(_COMPILER.compile(text, PARAMETER, placeholders), placeholders.values)


def key_condition_of(term: ConditionTree, *, placeholders: Placeholders | None = None) -> KeyCondition:
    """Compile a key condition from its tree, whose placeholders, if any, are looked up in ``placeholders``.

    Raises:
        ValidationError: in AWS's words.
    """
    plan = _COMPILER.compile_tree(term, PARAMETER, placeholders)
    return KeyCondition(plan, {} if placeholders is None else placeholders.values)


def _build(tree: ConditionTree, binder: Binder) -> _Plan:
    bound = binder.condition(tree)
    entries: dict[str, _Entry] = {}
    nested: set[str] = set()
    for part in bound.parts if isinstance(bound, And) else (bound,):
        path, entry = _entry(part)
        name = str(path.parts[0])
        if len(path.parts) > 1:
            nested.add(name)
        if name in entries:
            raise binder.error("KeyConditionExpressions must only contain one condition per key")
        entries[name] = entry
    return _Plan(entries, frozenset(nested), tuple(binder.checks))


_COMPILER: Final = Compiler(parse_condition, _build)


def _entry(term: ConditionTree) -> tuple[Path, _Entry]:
    """Return the attribute and the condition on it."""
    if isinstance(term, Comparison):
        if term.operator == "<>":
            raise _invalid_operator("<>")
        path, operands, first = _split(term.left, term.right)
        return path, _Entry(term.operator if first else _FLIPPED[term.operator], operands)
    if isinstance(term, Between):
        path, operands, first = _split(term.operand, term.lower, term.upper)
        return path, _Entry(_leading_key(BETWEEN, first=first), operands)
    if isinstance(term, Function):
        if term.name != BEGINS_WITH:
            raise _invalid_operator(term.name)
        path, operands, first = _split(*term.operands)
        return path, _Entry(_leading_key(BEGINS_WITH, first=first), operands)
    raise _invalid_operator(_operator_name(term))


def _operator_name(term: In | Not | And | Or) -> str:
    return type(term).__name__.upper()


def _leading_key(operator: str, *, first: bool) -> str:
    if not first:
        raise ValidationError(
            f"{_PREFIX}Invalid condition in KeyConditionExpression: "
            f"{operator} operator must have the key attribute as its first operand"
        )
    return operator


def _split(*operands: Operand) -> tuple[Path, tuple[Parameter | Literal, ...], bool]:
    """Tell the one attribute from the values, and whether it comes first."""
    found: list[Path] = []
    values: list[Parameter | Literal] = []
    for operand in operands:
        if isinstance(operand, Path):
            found.append(operand)
        elif isinstance(operand, Function):
            raise ValidationError(f"{_PREFIX}KeyConditionExpressions cannot contain nested operations")
        else:
            values.append(operand)
    if len(found) == 1:
        return found[0], tuple(values), operands[0] is found[0]
    if len(set(found)) == 1 and len(values) == 1:
        # ``:v BETWEEN a AND a`` names one attribute, in the wrong place.
        return found[0], tuple(values), False
    problem = "Multiple attribute names used in one condition" if found else "No key attribute specified"
    raise ValidationError(f"{_PREFIX}Invalid condition in KeyConditionExpression: {problem}")


def _invalid_operator(name: str) -> ValidationError:
    return ValidationError(f"{_PREFIX}Invalid operator used in KeyConditionExpression: {name}")
