"""What a PartiQL statement says, before it is known what DynamoDB makes of it.

What: expressions as trees of terms, each with its place in the statement. PartiQL allows more than DynamoDB does; the
grammar takes it all, and the compilers of conditions, values and updates refuse what DynamoDB refuses, in its words and
with the place.

Invariants: terms are never changed. ``start`` and ``length`` are counted in characters of the statement.

Source: the PartiQL specification, "Expressions".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from region.errors import ValidationError


@dataclass(frozen=True, slots=True)
class Place:
    """Where a term stands."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Name:
    """A document path: names, list indexes, and what DynamoDB allows nowhere."""

    place: Place
    parts: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Wild:
    """A document path with a star in it, at ``place``."""

    place: Place


@dataclass(frozen=True, slots=True)
class Constant:
    """A string, number, boolean or null, as a canonical attribute value."""

    place: Place
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Missing:
    """The word MISSING."""

    place: Place


@dataclass(frozen=True, slots=True)
class Ion:
    """An Ion literal, which DynamoDB does not have."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Hole:
    """A ``?``, counted from 0."""

    place: Place
    number: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list ``[…]``, a bag ``<<…>>``, or values in parentheses; ``kind`` is how it opens."""

    place: Place
    kind: str
    members: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Struct:
    """A tuple ``{'name': value, …}``."""

    place: Place
    members: tuple[tuple[Term, Term], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function call; ``name`` in lower case."""

    place: Place
    name: str
    operands: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator with its operands; ``place`` is the operator's."""

    place: Place
    operator: str
    operands: tuple[Term, ...]


Term = Name | Wild | Constant | Missing | Ion | Hole | Sequence | Struct | Call | Operation


def kind_of(term: Term) -> str:
    """Return what DynamoDB calls a term of this kind in its messages."""
    if isinstance(term, Name):
        return "VariableReference" if len(term.parts) == 1 else "Path"
    if isinstance(term, Wild):
        return "Path"
    if isinstance(term, Constant | Ion):
        return "Literal"
    if isinstance(term, Missing):
        return "Missing"
    if isinstance(term, Hole):
        return "Parameter"
    if isinstance(term, Sequence):
        return "Bag" if term.kind == "<<" else "Seq"
    if isinstance(term, Struct):
        return "Struct"
    return "NAry"


def located(statement: str, place: Place, message: str) -> ValidationError:
    """Return an error with the place that it is about, as line, column and length."""
    before = statement[: place.start]
    line = before.count("\n") + 1
    column = place.start - before.rfind("\n")
    return ValidationError(f"{message} at {line}:{column}:{place.length}")
