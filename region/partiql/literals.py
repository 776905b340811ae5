"""Literal values: terms to attribute values.

What: strings, numbers, booleans, nulls, lists, tuples and sets. A value written out is constant all through: DynamoDB
takes a parameter only in place of a whole value.

Invariants: what is returned is canonical and fresh.

Source: AWS developer guide, "PartiQL data types for DynamoDB"; wording as DynamoDB Local sends it.
"""

from __future__ import annotations

from typing import Final

from region.errors import ValidationError
from region.expression.syntax import Literal, Parameter
from region.model import values
from region.model.values import AttributeValue
from region.partiql.terms import (
    Call,
    Constant,
    Hole,
    Ion,
    Missing,
    Name,
    Operation,
    Sequence,
    Struct,
    Term,
    kind_of,
    located,
)

_ROOT: Final = "root"
_SETS: Final = {"S": "SS", "N": "NS"}


def parameter(hole: Hole) -> Parameter:
    """Return the placeholder that stands for a ``?`` in the expression's tree."""
    return Parameter(f":{hole.number}")


def value(statement: str, term: Term) -> Literal | Parameter:
    """Return the value that a term spells, or the placeholder of its parameter.

    Raises:
        ValidationError: it is no value, or none that DynamoDB can hold.
    """
    if isinstance(term, Hole):
        return parameter(term)
    if isinstance(term, Name | Operation | Call | Missing):
        raise _unsupported(statement, term, _shown(statement, term), _ROOT)
    built = _build(statement, term, _ROOT)
    values.normalise(built)
    return Literal(built)


def item(statement: str, struct: Struct) -> tuple[tuple[str, Literal | Parameter], ...]:
    """Return the attributes of an item that a tuple spells."""
    return tuple([(name, value(statement, member)) for name, member in _members(statement, struct, _ROOT)])


def _build(statement: str, term: Term, path: str) -> AttributeValue:
    if isinstance(term, Constant):
        return dict(term.value)
    if isinstance(term, Sequence):
        if term.kind == "<<":
            return _set(statement, term)
        return {"L": [_build(statement, member, f"{path}.{i}") for i, member in enumerate(term.members)]}
    if isinstance(term, Struct):
        members = _members(statement, term, path)
        return {"M": {name: _build(statement, member, f"{path}.{name}") for name, member in members}}
    if isinstance(term, Ion):
        raise located(statement, term.place, f"Ion Literals are not supported: {_ion_kind(term.text)} under key {path}")
    raise _unsupported(statement, term, kind_of(term), path)


def _members(statement: str, struct: Struct, path: str) -> list[tuple[str, Term]]:
    members: dict[str, Term] = {}
    for key, member in struct.members:
        if not isinstance(key, Constant) or "S" not in key.value:
            raise located(
                statement,
                key.place,
                f"Tuple keys must be of type String. Actual type: {kind_of(key)} under {path}",
            )
        name = key.value["S"]
        if name in members:
            raise located(statement, key.place, f"Duplicate keys in tuple. Key: {name} under {path}")
        members[name] = member
    return list(members.items())


def _set(statement: str, bag: Sequence) -> AttributeValue:
    if not bag.members:
        raise located(statement, bag.place, "Empty bags are not supported")
    kinds: list[str] = []
    contents: list[str] = []
    for member in bag.members:
        kind = values.type_of(member.value) if isinstance(member, Constant) else ""
        if kind not in _SETS or (kinds and kind != kinds[0]):
            raise located(
                statement,
                member.place,
                "Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags",
            )
        kinds.append(kind)
        if isinstance(member, Constant):
            contents.append(member.value[kind])
    if len(set(contents)) != len(contents):
        raise ValidationError("Input collection contains duplicates")
    return {_SETS[kinds[0]]: contents}


def _unsupported(statement: str, term: Term, shown: str, path: str) -> ValidationError:
    return located(statement, term.place, f"Unsupported data type: {shown} under key {path}")


def _shown(statement: str, term: Term) -> str:
    if isinstance(term, Operation):
        return term.operator
    if isinstance(term, Call):
        return term.name
    return statement[term.place.start : term.place.start + term.place.length]


def _ion_kind(text: str) -> str:
    content = text[1:-1].strip()
    if content[:1] in ('"', "'"):
        return "STRING"
    return "INT" if content.lstrip("-").isdigit() else "SYMBOL"
