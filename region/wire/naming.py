"""Which tables a request names, for those who count requests by table.

What: most requests say so in ``TableName``; batches, transactions and PartiQL say it inside. An ARN stands for the
table at its end. What a request names need not be there.

Hazard: this is for counting alone. Who decides anything by a table's name asks ``region.operation.context``.

Source: botocore's service model; the PartiQL grammar of ``region.partiql``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from region.wire.statistics import Named

STATEMENTS_CACHED_MAX: Final = 1024
_FROM: Final = re.compile(r"""\b(?:FROM|INTO|UPDATE)\s+"?([a-zA-Z0-9_.-]{3,255})""", re.IGNORECASE)


def tables_named(operation: str, request: Mapping[str, Any]) -> Named | None:
    """Return the table, or the tables, that a request of an operation names; ``None`` if it names none."""
    names = request.get("TableName")
    if names is not None:
        return _plain(names)
    inside = _INSIDE.get(operation)
    if inside is None:
        return None
    found = sorted({_plain(name) for name in inside(request) if name})
    return tuple(found) if len(found) > 1 else found[0] if found else None


def _plain(name: str) -> str:
    return name.rpartition("/")[2] if name.startswith("arn:") else name


def _batch(request: Mapping[str, Any]) -> Iterable[str]:
    names: Mapping[str, Any] = request["RequestItems"]
    return names


def _transaction(request: Mapping[str, Any]) -> Iterable[str]:
    return (action.get("TableName", "") for item in request["TransactItems"] for action in item.values())


def _statements(member: str) -> Callable[[Mapping[str, Any]], Iterable[str]]:
    return lambda request: (_table_of(statement["Statement"]) for statement in request[member])


@lru_cache(STATEMENTS_CACHED_MAX)
def _table_of(statement: str) -> str:
    found = _FROM.search(statement)
    return found[1] if found else ""


_INSIDE: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterable[str]]]] = {
    "BatchGetItem": _batch,
    "BatchWriteItem": _batch,
    "TransactGetItems": _transaction,
    "TransactWriteItems": _transaction,
    "ExecuteStatement": lambda request: [_table_of(request["Statement"])],
    "BatchExecuteStatement": _statements("Statements"),
    "ExecuteTransaction": _statements("TransactStatements"),
}
