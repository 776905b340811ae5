"""Sends each request to a region and to the oracle, and collects how their answers differ.

Queries and scans are compared by what all their pages hold: the region is paged through with the request's limit, the
oracle answers in one page, since it loses items that tie on an index's key at the edge of a page. The order is compared
by the sort key, as AWS promises no other.

Invariant: both sides hold the same items before every request. A write that differs is followed by an alignment, which
makes the region's table what the oracle's is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from answer_differences import Difference, differences, normalised, text
from compared_tables import TABLES, Table
from oracle_connection import Connection, Reply
from random_requests import Request

READS: Final = frozenset({"Query", "Scan"})
PAGES_MAX: Final = 1000
STATE_EVERY: Final = 500


class Comparison:
    """A region and the oracle, side by side."""

    def __init__(self, region: Connection, oracle: Connection) -> None:
        self.region = region
        self.oracle = oracle
        self.requests = 0
        self.refused = 0
        self.found: list[tuple[Difference, Any]] = []

    def run(self, requests: Iterable[Request]) -> None:
        """Compare requests one by one, and now and then all that the tables hold."""
        for request in requests:
            differ = self.compare(request.operation, request.body, request.table)
            if differ and request.operation not in READS | {"GetItem", "BatchGetItem", "TransactGetItems"}:
                self._align(request.table, noticed=True)
            if self.requests % STATE_EVERY == 0:
                for table in TABLES:
                    self._align(table, noticed=False)

    def compare(self, operation: str, body: dict[str, Any], table: Table | None = None) -> bool:
        """Compare one request; return whether the answers differ."""
        self.requests += 1
        ours, theirs = self.region.ask(operation, body), self.oracle.ask(operation, body)
        self.refused += bool(theirs.error)
        if operation in READS and table is not None and not (ours.error or theirs.error):
            # Neither the order of partition keys nor that of items which tie on an index's key is defined.
            if "Segment" in body or ("ExclusiveStartKey" in body and (operation == "Scan" or "IndexName" in body)):
                return False
            ours, theirs = self._whole(operation, body, table)
        elif operation == "BatchGetItem":
            ours, theirs = _unordered(ours), _unordered(theirs)
        found = differences(operation, ours, theirs)
        self.found += [(difference, body) for difference in found]
        return bool(found)

    def _whole(self, operation: str, body: dict[str, Any], table: Table) -> tuple[Reply, Reply]:
        index = next((index for index in table.indexes if index.name == body.get("IndexName")), table.indexes[0])
        ordered = index.range_key if operation == "Query" else None
        unlimited = {name: value for name, value in body.items() if name != "Limit"}
        answers = (pages(self.region, operation, body), pages(self.oracle, operation, unlimited))
        return _comparable(answers[0], ordered), _comparable(answers[1], ordered)

    def _align(self, table: Table, *, noticed: bool) -> None:
        """Make the region's table what the oracle's is; what was not noticed before is a difference of its own."""
        held = [self._items(side, table) for side in (self.region, self.oracle)]
        for key in held[0].keys() | held[1].keys():
            ours, theirs = held[0].get(key), held[1].get(key)
            if ours is not None and theirs is not None and normalised(ours) == normalised(theirs):
                continue
            if not noticed:
                difference = Difference("State", f"{key} = {text(ours)}", f"{key} = {text(theirs)}")
                self.found.append((difference, {"TableName": table.name}))
            request = {"TableName": table.name}
            if theirs is None or self.region.ask("PutItem", {**request, "Item": theirs}).error:
                item: dict[str, Any] = ours or theirs or {}
                removal = {**request, "Key": {name: item[name] for name in table.key}}
                for side in (self.region, self.oracle):
                    side.ask("DeleteItem", removal)

    def _items(self, side: Connection, table: Table) -> dict[str, Any]:
        items = pages(side, "Scan", {"TableName": table.name}).body["Items"]
        return {text(normalised({name: item[name] for name in table.key})): item for item in items}


def pages(side: Connection, operation: str, body: dict[str, Any]) -> Reply:
    """Return all pages of a query or a scan as one answer, or the first error."""
    items: list[Any] = []
    counts = {"Count": 0, "ScannedCount": 0}
    start: dict[str, Any] = {}
    for _ in range(PAGES_MAX):
        reply = side.ask(operation, {**body, **start})
        if reply.error:
            return reply
        limit = body.get("Limit")
        if limit is not None and reply.body["ScannedCount"] > limit:
            return Reply("", "", {"Limit": f"{reply.body['ScannedCount']} items read, where {limit} may be"})
        items += reply.body.get("Items", [])
        counts = {name: number + reply.body[name] for name, number in counts.items()}
        if "LastEvaluatedKey" not in reply.body:
            listed = {"Items": items} if "Items" in reply.body else {}
            return Reply("", "", {**counts, **listed})
        start = {"ExclusiveStartKey": reply.body["LastEvaluatedKey"]}
    return Reply("", "", {"Pages": "without end"})


def _comparable(reply: Reply, ordered: str | None) -> Reply:
    """Return all pages with the items as a set, and the order of the sort key beside them."""
    items = reply.body.get("Items")
    if items is None:
        return reply
    order = [normalised(item[ordered]) for item in items if ordered in item]
    unordered = sorted((normalised(item) for item in items), key=text)
    return Reply("", "", {**reply.body, "Items": unordered, "Order": order})


def _unordered(reply: Reply) -> Reply:
    """Return a batch's answer with the items of each table as a set."""
    if reply.error:
        return reply
    found = reply.body["Responses"]
    responses = {table: sorted(map(normalised, items), key=text) for table, items in found.items()}
    return Reply("", "", {**reply.body, "Responses": responses})


def create(comparison: Comparison, table: Table) -> None:
    """Create a table on both sides, without what an earlier run left in the oracle."""
    comparison.oracle.ask("DeleteTable", {"TableName": table.name})
    for side in (comparison.region, comparison.oracle):
        reply = side.ask("CreateTable", table.definition())
        if reply.error:
            raise SystemExit(f"CreateTable of {table.name}: {reply.error}: {reply.message}")
        wait_active(side, table.name)


def wait_active(side: Connection, table: str) -> None:
    """Wait until a table is ACTIVE, or gone."""
    while True:
        reply = side.ask("DescribeTable", {"TableName": table})
        if reply.error or reply.body["Table"]["TableStatus"] == "ACTIVE":
            return
