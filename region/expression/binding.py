"""Binding: placeholders get their names and the types of their values, and what depends on them is checked.

What: :class:`Binder` walks a syntax tree and returns the same tree with every name resolved, in AWS's order of
complaints: term by term, operands first; then the number of operands, where a document path is needed, operands that
must differ, and types as far as they are known before an item is read.

Invariants: the bound tree depends on the tree, the names and the *types* of the values, never on their contents, so
that it can be cached by those. What depends on contents is checked, and left behind in :attr:`Binder.checks` for every
request that finds the tree in the cache.

Source: AWS developer guide, "Condition and filter expressions, operators, and functions"; wording and precedence as
DynamoDB Local sends them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from region.errors import ValidationError
from region.expression import lexer
from region.expression.operators import order
from region.expression.paths import DocumentPath, show
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
from region.model import limits
from region.model.values import AttributeValue, binary_size, type_of

Values = Mapping[str, AttributeValue]
Check = Callable[[Values], None]

ORDERED: Final = frozenset(("S", "N", "B"))
SIZED: Final = frozenset(("S", "B", "SS", "NS", "BS", "L", "M"))
PREFIXED: Final = frozenset(("S", "B"))
LISTS: Final = frozenset(("L",))
NUMBERS: Final = frozenset(("N",))

# The order is that of DynamoDB's own message.
_TYPE_NAMES: Final = "{N,BS,L,B,NULL,M,S,SS,NS,BOOL}"
_TYPES: Final = frozenset(_TYPE_NAMES[1:-1].split(","))
_ARITY: Final = {"attribute_exists": 1, "attribute_not_exists": 1, "size": 1}
_NEEDS_PATH: Final = frozenset(("attribute_exists", "attribute_not_exists", "if_not_exists"))
_NEEDS_DISTINCT: Final = frozenset(("attribute_type", "begins_with", "contains", "if_not_exists"))
_UNORDERED: Final = frozenset(("=", "<>"))


class Binder:
    """Resolves one expression. ``names`` and ``values`` lack what the request did not define."""

    def __init__(self, parameter: str, names: Mapping[str, str], values: Values) -> None:
        self.prefix = lexer.prefix(parameter)
        self.paths: list[DocumentPath] = []
        """Every document path of the expression, in the order of binding."""
        self.checks: list[Check] = []
        """What is to be checked against the values of each request."""
        self._names = names
        self._values = values

    def condition(self, term: ConditionTree) -> ConditionTree:
        """Bind a condition."""
        if isinstance(term, And):
            return And(self._conditions(term.parts))
        if isinstance(term, Or):
            return Or(self._conditions(term.parts))
        if isinstance(term, Not):
            return Not(self.condition(term.part))
        if isinstance(term, Comparison):
            return self._comparison(term)
        if isinstance(term, Between):
            return self._between(term)
        if isinstance(term, In):
            return self._in(term)
        return self._function(term)

    def _conditions(self, parts: tuple[ConditionTree, ...]) -> tuple[ConditionTree, ...]:
        bound = []
        for part in parts:
            bound.append(self.condition(part))  # noqa: PERF401  # A comprehension is a call frame more on each level.
        return tuple(bound)

    def operand(self, term: Operand) -> Operand:
        """Bind an operand."""
        if isinstance(term, Path):
            return Path(self.path(term))
        if isinstance(term, Function):
            return self._function(term)
        if isinstance(term, Parameter) and term.text not in self._values:
            raise self.error(
                f"An expression attribute value used in expression is not defined; attribute value: {term.text}"
            )
        return term

    def path(self, term: Path) -> DocumentPath:
        """Resolve a document path."""
        parts: list[str | int] = []
        for part in term.parts:
            if isinstance(part, str | int):
                parts.append(part)
                continue
            name = self._names.get(part.text)
            if name is None:
                raise self.error(
                    "An expression attribute name used in the document path is not defined; "
                    f"attribute name: {part.text}"
                )
            parts.append(name)
        if len(parts) > limits.NESTING_MAX:
            raise self.error(f"The document path has too many nesting levels; nesting levels: {len(parts)}")
        path = tuple(parts)
        self.paths.append(path)
        return path

    def kind_of(self, operand: Operand) -> str | None:
        """Return the type that an operand will have, or ``None`` where only the item can tell."""
        if isinstance(operand, Parameter):
            return type_of(self._values[operand.text])
        if isinstance(operand, Literal):
            return type_of(operand.value)
        if isinstance(operand, Function):
            return {"size": "N", "list_append": "L"}.get(operand.name)
        return None

    def require_kind(self, operator: str, operands: Sequence[Operand], allowed: frozenset[str]) -> None:
        """Raise if an operand is known to have a type that the operator or function does not take."""
        for operand in operands:
            kind = self.kind_of(operand)
            if kind is not None and kind not in allowed:
                raise self._wrong_kind(operator, kind)

    def error(self, message: str) -> ValidationError:
        """Return an error about this expression."""
        return ValidationError(self.prefix + message)

    def _comparison(self, term: Comparison) -> Comparison:
        left, right = self.operand(term.left), self.operand(term.right)
        self._require_distinct(term.operator, left, (right,))
        if term.operator not in _UNORDERED:
            self.require_kind(term.operator, (left, right), ORDERED)
        return Comparison(term.operator, left, right)

    def _between(self, term: Between) -> Between:
        operand, lower, upper = self.operand(term.operand), self.operand(term.lower), self.operand(term.upper)
        self._require_distinct("BETWEEN", operand, (lower, upper))
        self.require_kind("BETWEEN", (operand, lower, upper), ORDERED)
        if isinstance(lower, Parameter | Literal) and isinstance(upper, Parameter | Literal):
            self._check(_check_of_bounds(self.prefix, lower, upper))
        return Between(operand, lower, upper)

    def _in(self, term: In) -> In:
        operand = self.operand(term.operand)
        candidates = []
        for candidate in term.candidates:
            candidates.append(self.operand(candidate))  # noqa: PERF401  # See _conditions.
        self._require_distinct("IN", operand, candidates)
        if len(candidates) > limits.IN_OPERANDS_MAX:
            raise self.error(
                f"The IN operator is provided with too many operands; number of operands: {len(candidates)}"
            )
        return In(operand, tuple(candidates))

    def _function(self, term: Function) -> Function:
        name = term.name
        operands = []
        for operand in term.operands:
            operands.append(self.operand(operand))  # noqa: PERF401  # See _conditions.
        if len(operands) != _ARITY.get(name, 2):
            raise self.error(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {name}, number of operands: {len(operands)}"
            )
        if name in _NEEDS_PATH and not isinstance(operands[0], Path):
            raise self.error(f"Operator or function requires a document path; operator or function: {name}")
        if name in _NEEDS_DISTINCT:
            self._require_distinct(name, operands[0], operands[1:])
        if name == "size":
            self.require_kind(name, operands, SIZED)
        elif name == "begins_with":
            self.require_kind(name, operands, PREFIXED)
        elif name == "list_append":
            self.require_kind(name, operands, LISTS)
        elif name == "attribute_type":
            self._check_attribute_type(operands[1])
        return Function(name, tuple(operands))

    def _check_attribute_type(self, operand: Operand) -> None:
        kind = self.kind_of(operand)
        if kind != "S" or not isinstance(operand, Parameter | Literal):
            raise self._wrong_kind("attribute_type", kind or _TYPE_NAMES)
        prefix = self.prefix

        def check(values: Values) -> None:
            name = value_of(operand, values)["S"]
            if name not in _TYPES:
                raise ValidationError(
                    f"{prefix}Invalid attribute type name found; type: {name}, valid types: {_TYPE_NAMES}"
                )

        self._check(check)

    def _check(self, check: Check) -> None:
        check(self._values)
        self.checks.append(check)

    def _require_distinct(self, operator: str, first: Operand, others: Sequence[Operand]) -> None:
        if isinstance(first, Path) and first in others:
            parts: list[str | int] = [part for part in first.parts if isinstance(part, str | int)]
            raise self.error(
                "The first operand must be distinct from the remaining operands for this operator or function; "
                f"operator: {operator}, first operand: {show(parts)}"
            )

    def _wrong_kind(self, operator: str, kind: str) -> ValidationError:
        return self.error(
            f"Incorrect operand type for operator or function; operator or function: {operator}, operand type: {kind}"
        )


def value_of(operand: Parameter | Literal, values: Values) -> AttributeValue:
    """Return the value of a placeholder or a literal."""
    return values[operand.text] if isinstance(operand, Parameter) else operand.value


def resolved(path: Path) -> DocumentPath:
    """Return the parts of a bound path."""
    return path.parts  # type: ignore[return-value]  # Binding has replaced every alias.


def _check_of_bounds(prefix: str, lower: Parameter | Literal, upper: Parameter | Literal) -> Check:
    def check(values: Values) -> None:
        low, high = value_of(lower, values), value_of(upper, values)
        if type_of(low) != type_of(high):
            requirement = "same data type for lower and upper bounds"
        elif order(low, high) > 0:
            requirement = "upper bound to be greater than or equal to lower bound"
        else:
            return
        raise ValidationError(
            f"{prefix}The BETWEEN operator requires {requirement}; "
            f"lower bound operand: AttributeValue: {_show_value(low)}, "
            f"upper bound operand: AttributeValue: {_show_value(high)}"
        )

    return check


def _show_value(value: AttributeValue) -> str:
    """Write a scalar as AWS's messages do, with its type."""
    ((kind, content),) = value.items()
    if kind == "B":
        size = binary_size(content)
        content = f"java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]"
    return f"{{{kind}:{content}}}"
