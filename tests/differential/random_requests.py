"""Random requests of the item operations: valid, invalid in their expressions and values, and torn in their shape."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from answer_differences import normalised, text
from compared_tables import TABLES, Index, Table
from random_expressions import Expressions
from random_values import Values

JUNK: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    1.5,
    1 << 31,
    1 << 63,
    "",
    "x",
    "a b",
    "x" * 300,
    [],
    {},
    [None],
    {"": {}},
    {"S": "x"},
    {"N": "1"},
    [[]],
    "NONE",
)


class Request(NamedTuple):
    """One request; ``table`` is where its effects would be."""

    operation: str
    body: dict[str, Any]
    table: Table


class Requests:
    """The random requests of one run."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._values = Values(rng)
        self._kinds: tuple[Callable[[Table], Request], ...] = (
            self.put,
            self.put,
            self.put,
            self.update,
            self.update,
            self.update,
            self.delete,
            self.get,
            self.transact_write,
            self.transact_get,
            self.batch_write,
            self.batch_get,
            self.query,
            self.query,
            self.query,
            self.scan,
        )

    def __iter__(self) -> Iterator[Request]:
        while True:
            table = self._rng.choice(TABLES[:1] * 3 + TABLES[1:])
            self._values.begin()
            tear = self._values.slip()
            request = self._rng.choice(self._kinds)(table)
            yield self.torn(request) if tear else request

    def put(self, table: Table) -> Request:
        """PutItem."""
        item = self._values.item(table)
        self._break(item)
        body = {"TableName": table.name, "Item": item, **self._reports("NONE", "ALL_OLD")}
        return Request("PutItem", {**body, **self._condition(table, 0.3)}, table)

    def delete(self, table: Table) -> Request:
        """DeleteItem."""
        body = {"TableName": table.name, "Key": self._key(table), **self._reports("NONE", "ALL_OLD")}
        return Request("DeleteItem", {**body, **self._condition(table, 0.3)}, table)

    def update(self, table: Table) -> Request:
        """UpdateItem, with all five kinds of answers."""
        expressions = Expressions(self._values)
        body = {
            "TableName": table.name,
            "Key": self._key(table),
            "UpdateExpression": expressions.update(table),
            **self._reports("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"),
        }
        return Request("UpdateItem", {**body, **self._condition(table, 0.2, expressions)}, table)

    def get(self, table: Table) -> Request:
        """GetItem."""
        expressions = Expressions(self._values)
        body: dict[str, Any] = {"TableName": table.name, "Key": self._key(table)}
        if self._rng.random() < 0.5:
            body["ProjectionExpression"] = expressions.projection()
        if self._rng.random() < 0.5:
            body["ConsistentRead"] = self._rng.random() < 0.5
        return Request("GetItem", {**body, **expressions.fields()}, table)

    def batch_write(self, table: Table) -> Request:
        """BatchWriteItem; at times with a key twice."""
        actions: dict[str, Any] = {}
        for number in range(26 if self._values.slip(0.05) else self._rng.choice((1, 2, 5, 6))):
            key = self._key(table)
            put = {"PutRequest": {"Item": {**self._values.item(table), **key}}}
            name = str(number) if self._values.slip(0.2) else _identity(key)
            actions[name] = put if self._rng.random() < 0.6 else {"DeleteRequest": {"Key": key}}
        return Request("BatchWriteItem", {"RequestItems": {table.name: list(actions.values())}}, table)

    def batch_get(self, table: Table) -> Request:
        """BatchGetItem; at times with a key twice."""
        expressions = Expressions(self._values)
        keys = [self._key(table) for _ in range(self._rng.randint(1, 5))]
        if not self._values.slip():
            keys = list({_identity(key): key for key in keys}.values())
        wanted: dict[str, Any] = {"Keys": keys}
        if self._rng.random() < 0.3:
            wanted["ProjectionExpression"] = expressions.projection()
        return Request("BatchGetItem", {"RequestItems": {table.name: {**wanted, **expressions.fields()}}}, table)

    def transact_write(self, table: Table) -> Request:
        """TransactWriteItems of all four kinds of actions; at times with an item twice."""
        actions: dict[str, Any] = {}
        kinds = {"Put": self.put, "Update": self.update, "Delete": self.delete, "ConditionCheck": self.delete}
        for number in range(self._rng.randint(1, 4)):
            kind = self._rng.choice(list(kinds))
            body = kinds[kind](table).body
            body.pop("ReturnValues", None)
            if kind == "ConditionCheck" and "ConditionExpression" not in body:
                body["ConditionExpression"] = "attribute_not_exists(absent)"
            item = body.get("Item") or body["Key"]
            name = (
                str(number) if self._values.slip(0.2) else _identity({it: item[it] for it in table.key if it in item})
            )
            actions[name] = {kind: body}
        return Request("TransactWriteItems", {"TransactItems": list(actions.values())}, table)

    def transact_get(self, table: Table) -> Request:
        """TransactGetItems; at times with an item twice."""
        gets: dict[str, Any] = {}
        for number in range(self._rng.randint(1, 4)):
            body = self.get(table).body
            body.pop("ConsistentRead", None)
            gets[str(number) if self._values.slip(0.2) else _identity(body["Key"])] = {"Get": body}
        return Request("TransactGetItems", {"TransactItems": list(gets.values())}, table)

    def query(self, table: Table) -> Request:
        """Query on the table or an index."""
        index = self._rng.choice(table.indexes)
        expressions = Expressions(self._values)
        body = {"KeyConditionExpression": expressions.key_condition(table, index)}
        if self._rng.random() < 0.7:
            body["ScanIndexForward"] = self._rng.random() < 0.5
        return Request("Query", {**body, **self._read(table, index, expressions)}, table)

    def scan(self, table: Table) -> Request:
        """Scan of the table or an index, at times of one segment."""
        index = self._rng.choice(table.indexes)
        body: dict[str, Any] = {}
        if self._rng.random() < 0.1:
            body = {"TotalSegments": 2, "Segment": self._rng.choice((-1, 2)) if self._values.slip() else 1}
        return Request("Scan", {**body, **self._read(table, index, Expressions(self._values))}, table)

    def torn(self, request: Request) -> Request:
        """Return a request with one member missing, strange, or too many."""
        body = copy.deepcopy(request.body)
        places = list(_places(body))
        container, name = self._rng.choice(places)
        match self._rng.randrange(4):
            case 0:
                del container[name]
            case 1 if isinstance(container, dict):
                container[self._rng.choice(("Nonsense", "Limit", "IndexName", "ConsistentRead", "Select"))] = (
                    copy.deepcopy(self._rng.choice(JUNK))
                )
            case 2:
                other, other_name = self._rng.choice(places)
                container[name] = copy.deepcopy(other[other_name])
            case _:
                container[name] = copy.deepcopy(self._rng.choice(JUNK))
        return request._replace(body=body)

    def _read(self, table: Table, index: Index, expressions: Expressions) -> dict[str, Any]:
        """Return what Query and Scan share."""
        rng = self._rng
        body: dict[str, Any] = {"TableName": table.name}
        if index.name is not None:
            body["IndexName"] = index.name
        if rng.random() < 0.4:
            body["Limit"] = rng.choice((0, 1, 2, 3, 7, 50))
        # What an index does not carry is asked of it by mistake only.
        whole = index.projected is None
        if rng.random() < 0.3 and (whole or self._values.slip()):
            body["FilterExpression"] = expressions.condition(table)
        if rng.random() < 0.2 and (whole or index.local or self._values.slip()):
            body["ProjectionExpression"] = expressions.projection()
        elif rng.random() < 0.2:
            wrong = self._values.slip()
            rest = ("COUNT", "ALL_ATTRIBUTES") if whole or index.local else ("COUNT",)
            body["Select"] = rng.choice(("SPECIFIC_ATTRIBUTES", "ALL_ATTRIBUTES")) if wrong else rng.choice(rest)
        if rng.random() < 0.1 and (index.name is None or index.local or self._values.slip()):
            body["ConsistentRead"] = True
        if self._values.slip(0.2):
            item = {**self._values.item(table), **self._values.key(table)}
            body["ExclusiveStartKey"] = {
                name: item[name] for name in (*table.key, index.hash_key, index.range_key) if name in item
            }
        return {**body, **expressions.fields()}

    def _condition(self, table: Table, share: float, expressions: Expressions | None = None) -> dict[str, Any]:
        expressions = expressions or Expressions(self._values)
        fields: dict[str, Any] = {}
        if self._rng.random() < share:
            fields["ConditionExpression"] = expressions.condition(table)
            fields["ReturnValuesOnConditionCheckFailure"] = self._rng.choice(("NONE", "ALL_OLD"))
        return {**fields, **expressions.fields()}

    def _reports(self, *kinds: str) -> dict[str, str]:
        if self._values.slip(0.05):
            return {"ReturnValues": self._rng.choice(("ALL_NEW", "UPDATED_OLD", "NONSENSE", "none"))}
        return {"ReturnValues": self._rng.choice(kinds)} if self._rng.random() < 0.8 else {}

    def _key(self, table: Table) -> dict[str, Any]:
        key = self._values.key(table)
        if self._values.slip(0.1):
            name = self._rng.choice(table.key)
            key[name] = self._rng.choice((self._values.value(), self._values.broken(), {"S": ""}, {"B": ""}))
        if self._values.slip(0.05):
            key["extra"] = {"S": "x"}
        if self._values.slip(0.05):
            del key[self._rng.choice(list(key))]
        return key

    def _break(self, item: dict[str, Any]) -> None:
        if self._values.slip(0.1):
            item[self._rng.choice(list(item))] = self._values.value()
        if self._values.slip(0.1):
            item[self._rng.choice((*item, "broken"))] = self._values.broken()


def _identity(key: dict[str, Any]) -> str:
    """Return the same text for equal keys, however their numbers are spelled."""
    return text(normalised(key))


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON tree, as its container and the name or position there."""
    for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield tree, name
        if isinstance(value, dict | list):
            yield from _places(value)
