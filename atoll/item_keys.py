"""Primary keys as people write them on a command line or in a URL.

What: DynamoDB JSON of the key attributes (``{"id":{"S":"a"}}``), or the values alone: ``a`` for a table with a
partition key, ``a,b`` for one with a sort key too. A value is of the type that the table declares; a binary is base64.

Hazard: of ``a,b`` the first comma parts the two. A partition key with a comma in it needs the JSON.
"""

from __future__ import annotations

import json
from typing import Any

from region.errors import DynamoError
from region.model import keys, values
from region.model.table import Table


def parse(table: Table, text: str) -> bytes:
    """Return the key that a text means, as the store orders it.

    Raises:
        ValueError: it means none of this table's; the text of the error says why.
    """
    try:
        key = _json(text) if text.startswith("{") else _plain(table, text)
        values.normalise_item(key)
        return table.key_of(key)
    except DynamoError as error:
        raise ValueError(f"{text!r} is no key of {table.name}: {error.message}. {_expected(table)}") from None


def _json(text: str) -> dict[str, Any]:
    try:
        key: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no JSON: {error}.") from None
    return key


def _plain(table: Table, text: str) -> dict[str, Any]:
    names = table.keys.names
    parts = [text] if len(names) == 1 else text.split(",", 1)
    if len(parts) != len(names):
        raise ValueError(f"{text!r} is no key of {table.name}. {_expected(table)}")
    return {name: {table.types[name]: part} for name, part in zip(names, parts, strict=True)}


def _expected(table: Table) -> str:
    names = table.keys.names
    example = json.dumps({name: {table.types[name]: "…"} for name in names}, ensure_ascii=False)
    return f"Write {','.join(names)} or {example}."


def attributes(table: Table, key: bytes) -> dict[str, Any]:
    """Return the key attributes of a stored key, as DynamoDB JSON."""
    names = table.keys.names
    return dict(zip(names, keys.decode(key, [table.types[name] for name in names]), strict=True))
