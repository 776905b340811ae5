"""DynamoDB's own condition keys for an access to items: which partition keys, which attributes, what comes back.

What: ``dynamodb:LeadingKeys`` are the partition keys that a request names, ``dynamodb:Attributes`` the top-level
attributes that it names anywhere: in keys, items, expressions, projections and legacy parameters; whether it reads or
writes them.

Invariants: a partition key is taken from the member that the operation reads, attributes from all that could name one:
a client may send members that its operation does not know. A partition key is compared in the form in which it is
stored (``1.0`` is ``1``), so that no other spelling reaches its item. Where it cannot be known, because the table does
not exist or the request does not fit it, it is :data:`UNKNOWN`, which no policy names. A request is not changed.

Source: AWS developer guide, "Using IAM policy conditions for fine-grained access control".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, Final

from region.authorization.demand import Request
from region.errors import ValidationError
from region.expression import Placeholders
from region.expression.grammar import parse_condition, parse_projection, parse_update
from region.expression.placeholders import NAMES, VALUES
from region.expression.syntax import Alias, Path
from region.model import values
from region.model.table import Index, Table
from region.model.values import Item, MalformedValueError
from region.operation.item import parameters

Columns = tuple[tuple[str, ...], ...]
"""The values of each attribute of a partition key, first attribute first; tables and most indexes have one."""

UNKNOWN: Final[Columns] = (("\0",),)
_POSITIONS: Final = {
    "dynamodb:leadingkeys": 0,
    "dynamodb:firstpartitionkeyvalues": 0,
    "dynamodb:secondpartitionkeyvalues": 1,
    "dynamodb:thirdpartitionkeyvalues": 2,
    "dynamodb:fourthpartitionkeyvalues": 3,
}
SPECIFIC: Final = "SPECIFIC_ATTRIBUTES"
TEXTS_MAX: Final = 1024
_ATTRIBUTES: Final = "dynamodb:attributes"
_EXPRESSIONS: Final = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "UpdateExpression",
    "ProjectionExpression",
)
_LEGACY: Final = ("AttributesToGet", "AttributeUpdates", "Expected", "QueryFilter", "ScanFilter", "KeyConditions")
_KEYS: Final = ("Key", "Item", "ExclusiveStartKey")


class ItemDetails:
    """The condition keys of one access."""

    __slots__ = ("_attributes", "_leading", "_plain")

    def __init__(
        self,
        leading: Callable[[], Columns] | None,
        attributes: Callable[[], Iterable[str]],
        plain: Mapping[str, str | None],
    ) -> None:
        self._leading = leading
        self._attributes = attributes
        self._plain = plain

    def get(self, key: str, /) -> tuple[str, ...] | None:
        """Return the values of a condition key."""
        position = _POSITIONS.get(key)
        if position is not None:
            columns = self._leading() if self._leading is not None else ()
            return columns[position] if position < len(columns) else None
        if key == _ATTRIBUTES:
            return tuple(sorted(set(self._attributes())))
        value = self._plain.get(key)
        return None if value is None else (value,)


def plain(request: Request, **more: str | None) -> dict[str, str | None]:
    """Return the keys whose value a request gives as it is, and more of them, by their names without the prefix."""
    return {
        "dynamodb:returnconsumedcapacity": request.get("ReturnConsumedCapacity") or "NONE",
        **{f"dynamodb:{name}": value for name, value in more.items()},
    }


def returned(request: Request) -> str:
    """Return what of the old or new item a write wants; the whole old item too, where its condition fails."""
    if request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
        return "ALL_OLD"
    return request.get("ReturnValues") or "NONE"


def selected(request: Request) -> str:
    """Return what of items a Query or Scan wants, in the words of ``Select``."""
    if request.get("Select") is not None:
        return str(request["Select"])
    found = projected(request)
    return found if found == SPECIFIC or request.get("IndexName") is None else "ALL_PROJECTED_ATTRIBUTES"


def projected(request: Request) -> str:
    """Return the same of a read of items by their keys, which knows no ``Select``."""
    if request.get("ProjectionExpression") is not None or request.get("AttributesToGet") is not None:
        return SPECIFIC
    return "ALL_ATTRIBUTES"


def named(request: Request) -> set[str]:
    """Return the top-level attributes that a request names.

    Raises:
        ValidationError: an expression is none.
    """
    names: set[str] = set()
    for parameter in (*_KEYS, *_LEGACY):
        names.update(request.get(parameter) or ())
    aliases = request.get(NAMES) or {}
    for parameter in _EXPRESSIONS:
        text = request.get(parameter)
        if text is not None:
            names.update(aliases.get(name, name) for name in _named_in_text(parameter, text))
    return names


def named_in(tree: Any) -> set[str]:
    """Return the top-level attributes that a term of the expression language names; aliases as they are."""
    if isinstance(tree, Path):
        first = tree.parts[0]
        return {first.text if isinstance(first, Alias) else str(first)}
    names: set[str] = set()
    if isinstance(tree, tuple):
        for part in tree:
            names |= named_in(part)
    elif is_dataclass(tree):
        for field in fields(tree):
            names |= named_in(getattr(tree, field.name))
    return names


@lru_cache(TEXTS_MAX)
def _named_in_text(parameter: str, text: str) -> frozenset[str]:
    if parameter == "UpdateExpression":
        return frozenset(named_in(parse_update(text).tree))
    if parameter == "ProjectionExpression":
        return frozenset(named_in(parse_projection(text).tree))
    return frozenset(named_in(parse_condition(text, parameter).tree))


def leading(table: Table | None, items: Iterable[Item]) -> Columns:
    """Return the partition keys of items, or of their keys.

    Raises:
        MalformedValueError: a key is no value.
    """
    if table is None:
        return UNKNOWN
    found = [item.get(table.hash_name) for item in items]
    if not found:
        return ()
    return (tuple(["\0" if value is None else scalar(value) for value in found]),)


def scalar(value: Any) -> str:
    """Return a value of a key as it is stored.

    Raises:
        MalformedValueError, ValidationError: it is no value.
    """
    if type(value) is not dict:
        raise MalformedValueError
    copy = dict(value)
    values.normalise(copy)
    ((kind, content),) = copy.items()
    return content if kind in ("S", "N", "B") else "\0"


def query_leading(table: Table | None, request: Request) -> Columns:
    """Return the partition key of a Query.

    Raises:
        MalformedValueError: a value is none.
    """
    index: Index | None = None
    if table is not None and request.get("IndexName") is not None:
        index = table.indexes.get(request["IndexName"])
        if index is None:
            return UNKNOWN
    if table is None:
        return UNKNOWN
    schema = table.keys if index is None else index.keys
    asked = {name: request.get(name) for name in ("KeyConditionExpression", "KeyConditions")}
    try:
        placeholders = Placeholders(request.get(NAMES), deepcopy(request.get(VALUES)))
        condition = parameters.key_condition_of(deepcopy(asked), placeholders)
        resolved = condition.resolve(schema.hash, schema.range, table.types)
    except ValidationError:
        return UNKNOWN
    return tuple((scalar(value),) for value in resolved.hash_values)
