"""The abstract syntax of expressions, shared by every language that compiles to it.

What: conditions, update actions and document paths as immutable values. The parser makes them from text with
placeholders in them (:class:`Alias`, :class:`Parameter`); PartiQL and the legacy parameters make them directly, with
attribute names as plain strings and values as :class:`Literal`.

Invariants: terms are never changed. ``And`` and ``Or`` hold two or more parts that are not of their own kind, so that
long chains stay flat. A path begins with a name, never with an index.

Hazard: a :class:`Literal` holds an attribute value, which is a dict: it is not hashable, and must not be changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Alias:
    """A placeholder for an attribute name, ``#`` included."""

    text: str


@dataclass(frozen=True, slots=True)
class Path:
    """A document path: attribute names (or aliases) and list indexes, from the top of the item."""

    parts: tuple[str | int | Alias, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A placeholder for a value, ``:`` included."""

    text: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A value in canonical form (``region.model.values``)."""

    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Function:
    """A call. As a condition: ``attribute_exists`` and the like; as an operand: ``size``, ``if_not_exists``, …"""

    name: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left operator right`` with one of ``=``, ``<>``, ``<``, ``<=``, ``>``, ``>=``."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    """``operand BETWEEN lower AND upper``, both bounds included."""

    operand: Operand
    lower: Operand
    upper: Operand


@dataclass(frozen=True, slots=True)
class In:
    """``operand IN (candidate, …)``."""

    operand: Operand
    candidates: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of a condition."""

    part: ConditionTree


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold."""

    parts: tuple[ConditionTree, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One part holds."""

    parts: tuple[ConditionTree, ...]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``left + right`` or ``left - right`` in a SET action."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Set:
    """``SET path = value``."""

    path: Path
    value: Operand | Arithmetic


@dataclass(frozen=True, slots=True)
class Remove:
    """``REMOVE path``."""

    path: Path


@dataclass(frozen=True, slots=True)
class Add:
    """``ADD path operand``: adds to a number or unites with a set."""

    path: Path
    operand: Parameter | Literal


@dataclass(frozen=True, slots=True)
class Delete:
    """``DELETE path operand``: takes members out of a set."""

    path: Path
    operand: Parameter | Literal


Operand = Path | Parameter | Literal | Function
ConditionTree = Comparison | Between | In | Function | Not | And | Or
Action = Set | Remove | Add | Delete


def conjunction(parts: tuple[ConditionTree, ...]) -> ConditionTree:
    """Return the condition that all of ``parts`` (at least one) hold, flat."""
    return _flat(And, parts)


def disjunction(parts: tuple[ConditionTree, ...]) -> ConditionTree:
    """Return the condition that one of ``parts`` (at least one) holds, flat."""
    return _flat(Or, parts)


def _flat(kind: type[And | Or], parts: tuple[ConditionTree, ...]) -> ConditionTree:
    if len(parts) == 1:
        return parts[0]
    flat: list[ConditionTree] = []
    for part in parts:
        if isinstance(part, kind):
            flat.extend(part.parts)
        else:
            flat.append(part)
    return kind(tuple(flat))
