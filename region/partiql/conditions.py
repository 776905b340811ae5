"""WHERE clauses: terms to the conditions of the expression language.

What: everything that DynamoDB's conditions can say, said in PartiQL. IS MISSING becomes ``attribute_not_exists``, IS
NULL equality with the null value, and a condition may be compared with TRUE or FALSE.

Invariants: the tree holds attribute names as plain strings, values as literals, and one placeholder for each ``?``.

Source: AWS developer guide, "Use PartiQL functions with DynamoDB", "PartiQL arithmetic, comparison, and logical
operators for DynamoDB"; wording as DynamoDB Local sends it.
"""

from __future__ import annotations

from typing import Final

from region.errors import ValidationError
from region.expression.syntax import (
    Between,
    Comparison,
    ConditionTree,
    Function,
    In,
    Not,
    Operand,
    Path,
    conjunction,
    disjunction,
)
from region.partiql.literals import value
from region.partiql.terms import Call, Constant, Missing, Name, Operation, Sequence, Term, Wild, located

PREDICATES: Final = frozenset(("begins_with", "contains", "attribute_type", "attribute_exists", "attribute_not_exists"))
UPDATE_FUNCTIONS: Final = frozenset(("list_append", "set_add", "set_delete", "if_not_exists"))
AGGREGATES: Final = frozenset(("count", "sum", "min", "max", "avg"))

_COMPARATORS: Final = frozenset(("=", "<>", "<", "<=", ">", ">="))
_CONDITIONS: Final = _COMPARATORS | {"and", "or", "not", "in", "between", "is missing"}


class Conditions:
    """Compiles the conditions of one statement."""

    def __init__(self, statement: str) -> None:
        self._statement = statement

    def condition(self, term: Term) -> ConditionTree:
        """Return the condition that a term states.

        Raises:
            ValidationError: it states none, or one that DynamoDB does not have.
        """
        if isinstance(term, Call) and term.name != "size":
            return self._predicate(term)
        if not isinstance(term, Operation):
            raise ValidationError("WHERE clause must contain an expression that resolves to a boolean")
        operator, operands = term.operator, term.operands
        if operator == "and":
            return conjunction(tuple([self.condition(part) for part in operands]))
        if operator == "or":
            return disjunction(tuple([self.condition(part) for part in operands]))
        if operator == "not":
            return Not(self.condition(operands[0]))
        if operator == "is missing":
            return Function("attribute_not_exists", (self.operand(operands[0]),))
        if operator == "in":
            return self._in(operands[0], operands[1])
        if operator == "between":
            first, lower, upper = (self.operand(operand) for operand in operands)
            return Between(first, lower, upper)
        if operator in _COMPARATORS:
            return self._comparison(operator, operands[0], operands[1])
        raise _unsupported(operator)

    def operand(self, term: Term) -> Operand:
        """Return what a term compares: a path, a size or a value."""
        if isinstance(term, Name):
            return Path(term.parts)
        if isinstance(term, Wild):
            raise located(self._statement, term.place, "Unpivot path component like a.*.b are not supported")
        if isinstance(term, Missing):
            raise ValidationError("MISSING must be compared using IS operator")
        if isinstance(term, Call):
            if term.name == "size":
                return Function("size", tuple([self.operand(operand) for operand in term.operands]))
            raise self.refused(term)
        if isinstance(term, Operation):
            raise _unsupported(term.operator)
        return value(self._statement, term)

    def refused(self, call: Call) -> ValidationError:
        """Return the error of a function that a condition cannot call."""
        if call.name in AGGREGATES:
            return located(self._statement, call.place, f"Unsupported token in expression: {call.name}")
        if call.name in UPDATE_FUNCTIONS or call.name in PREDICATES:
            return ValidationError(f"The function is not allowed in a condition expression; function: {call.name}")
        return ValidationError(f"Unrecognized function: {call.name}")

    def _predicate(self, call: Call) -> ConditionTree:
        if call.name not in PREDICATES:
            raise self.refused(call)
        return Function(call.name, tuple([self.operand(operand) for operand in call.operands]))

    def _in(self, left: Term, right: Term) -> ConditionTree:
        sought = isinstance(left, Name) or (isinstance(left, Call) and left.name == "size")
        if not sought or not isinstance(right, Sequence) or not right.members:
            raise ValidationError(
                "IN operator must have a left hand argument of type Variable Reference and right hand argument of type "
                "Seq with at least one member"
            )
        return In(self.operand(left), tuple([self.operand(member) for member in right.members]))

    def _comparison(self, operator: str, left: Term, right: Term) -> ConditionTree:
        for term, other in ((left, right), (right, left)):
            if (
                operator in ("=", "<>")
                and _is_condition(term)
                and isinstance(other, Constant)
                and "BOOL" in other.value
            ):
                condition = self.condition(term)
                return condition if other.value["BOOL"] == (operator == "=") else Not(condition)
        return Comparison(operator, self.operand(left), self.operand(right))


def _is_condition(term: Term) -> bool:
    if isinstance(term, Operation):
        return term.operator in _CONDITIONS
    return isinstance(term, Call) and term.name in PREDICATES


def _unsupported(operator: str) -> ValidationError:
    return ValidationError(f"Unsupported operator in Condition Expression. Operator: {operator}")
