"""The tables of the differential run: every key type, with and without a sort key, and indexes of both kinds."""

from __future__ import annotations

from typing import Any, Final, NamedTuple


class Index(NamedTuple):
    """A table's own key, or that of one of its indexes; ``projected`` is ``None`` where all attributes are."""

    name: str | None
    hash_key: str
    range_key: str | None
    projected: tuple[str, ...] | None = None
    local: bool = False


class Table(NamedTuple):
    """A table under comparison."""

    name: str
    kinds: dict[str, str]
    indexes: tuple[Index, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the primary key's attributes."""
        return _names(self.indexes[0])

    def definition(self) -> dict[str, Any]:
        """Return the request that creates the table."""
        request: dict[str, Any] = {
            "TableName": self.name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind} for name, kind in self.kinds.items()
            ],
            "KeySchema": _schema(self.indexes[0]),
        }
        for member, local in (("GlobalSecondaryIndexes", False), ("LocalSecondaryIndexes", True)):
            indexes = [_index(index) for index in self.indexes[1:] if index.local is local]
            if indexes:
                request[member] = indexes
        return request


def _names(index: Index) -> tuple[str, ...]:
    return (index.hash_key,) if index.range_key is None else (index.hash_key, index.range_key)


def _schema(index: Index) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(_names(index), ("HASH", "RANGE"), strict=False)
    ]


def _index(index: Index) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": "ALL"}
    if index.projected is not None:
        projection = {"ProjectionType": "KEYS_ONLY"}
    if index.projected:
        projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.projected)}
    return {"IndexName": index.name, "KeySchema": _schema(index), "Projection": projection}


TABLES: Final = (
    Table(
        "differential-string-number",
        {"pk": "S", "sk": "N", "g": "S", "h": "N", "l": "S", "b": "B"},
        (
            Index(None, "pk", "sk"),
            Index("global-keys", "g", "h", ()),
            Index("global-all", "h", "b"),
            Index("global-include", "b", None, ("x", "m")),
            Index("local-keys", "pk", "l", (), local=True),
            Index("local-all", "pk", "b", local=True),
        ),
    ),
    Table("differential-binary", {"pk": "B", "g": "N"}, (Index(None, "pk", None), Index("global-all", "g", None))),
    Table("differential-number-string", {"pk": "N", "sk": "S"}, (Index(None, "pk", "sk"),)),
    Table(
        "differential-string-binary",
        {"pk": "S", "sk": "B", "l": "N"},
        (Index(None, "pk", "sk"), Index("local-include", "pk", "l", ("x",), local=True)),
    ),
)
