"""SET and REMOVE clauses: terms to the actions of the expression language.

What: ``SET path = value`` with arithmetic, ``list_append`` and ``if_not_exists``; ``set_add`` and ``set_delete`` of a
path to itself become ADD and DELETE; ``REMOVE path``.

Source: AWS developer guide, "PartiQL update statements for DynamoDB"; wording as DynamoDB Local sends it.
"""

from __future__ import annotations

from typing import Final

from region.errors import ValidationError
from region.expression.syntax import (
    Action,
    Add,
    Arithmetic,
    Delete,
    Function,
    Literal,
    Operand,
    Parameter,
    Path,
    Set,
)
from region.model.values import type_of
from region.partiql.conditions import AGGREGATES, PREDICATES
from region.partiql.literals import value
from region.partiql.terms import Call, Missing, Name, Operation, Term, Wild, located

_SET_FUNCTIONS: Final = ("set_add", "set_delete")
_VALUE_FUNCTIONS: Final = frozenset(("list_append", "if_not_exists"))
_SET_KINDS: Final = frozenset(("SS", "NS", "BS"))
_ARITHMETIC_OPERANDS: Final = 2


class Updates:
    """Compiles the clauses of one UPDATE statement."""

    def __init__(self, statement: str) -> None:
        self._statement = statement

    def assignment(self, path: Path, term: Term) -> Action:
        """Return the action of ``SET path = term``.

        Raises:
            ValidationError: DynamoDB has no such action.
        """
        if isinstance(term, Call) and term.name in _SET_FUNCTIONS:
            return self._set_function(path, term)
        if isinstance(term, Operation):
            return Set(path, self._arithmetic(term))
        return Set(path, self._operand(term))

    def _arithmetic(self, term: Operation) -> Arithmetic:
        if term.operator not in ("+", "-"):
            raise _unsupported(term.operator)
        if len(term.operands) != _ARITHMETIC_OPERANDS:
            raise ValidationError(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {term.operator}, number of operands: {len(term.operands)}"
            )
        left, right = (self._operand(operand) for operand in term.operands)
        return Arithmetic(term.operator, left, right)

    def _operand(self, term: Term) -> Operand:
        if isinstance(term, Name):
            return Path(term.parts)
        if isinstance(term, Wild):
            raise located(self._statement, term.place, "Unpivot path component like a.*.b are not supported")
        if isinstance(term, Missing):
            raise ValidationError("MISSING must be compared using IS operator")
        if isinstance(term, Operation):
            raise _unsupported(term.operator)
        if not isinstance(term, Call):
            return value(self._statement, term)
        if term.name in _VALUE_FUNCTIONS:
            return Function(term.name, tuple([self._operand(operand) for operand in term.operands]))
        if term.name in AGGREGATES:
            raise located(self._statement, term.place, f"Unsupported token in expression: {term.name}")
        if term.name in PREDICATES or term.name in _SET_FUNCTIONS or term.name == "size":
            raise ValidationError(f"The function is not allowed in an update expression; function: {term.name}")
        raise ValidationError(f"Unrecognized function: {term.name}")

    def _set_function(self, path: Path, call: Call) -> Action:
        name = call.name.upper()
        if len(call.operands) != _ARITHMETIC_OPERANDS:
            raise located(self._statement, call.place, f"{name} must have exactly two arguments")
        first, second = call.operands
        if not isinstance(first, Name) or first.parts != path.parts:
            raise ValidationError(f"The first argument to {name} must equal the assignment value")
        operand = value(self._statement, second) if not isinstance(second, Name | Call | Operation | Wild) else None
        if operand is None or (isinstance(operand, Literal) and type_of(operand.value) not in _SET_KINDS):
            raise located(self._statement, first.place, f"The second argument to {name} must be a value with type SET")
        return Add(path, operand) if call.name == "set_add" else Delete(path, operand)


def check_sets(actions: tuple[Action, ...], kinds: dict[str, str]) -> None:
    """Refuse a parameter that ``set_add`` or ``set_delete`` takes and that is no set; ``kinds`` has their types.

    Raises:
        ValidationError: ADD would take a number, but SET_ADD does not.
    """
    for action in actions:
        if isinstance(action, Add | Delete) and isinstance(action.operand, Parameter):
            name = "SET_ADD" if isinstance(action, Add) else "SET_DELETE"
            if kinds[action.operand.text] not in _SET_KINDS:
                raise ValidationError(f"The second argument to {name} must be a value with type SET")


def _unsupported(operator: str) -> ValidationError:
    return ValidationError(f"Unsupported operator in Update Expression. Operator: {operator}")
