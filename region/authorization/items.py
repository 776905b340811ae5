"""What operations on items need, those of transactions and batches included.

Source: AWS service authorization reference, "Actions, resources, and condition keys for Amazon DynamoDB"; AWS developer
guide, "Using IAM with DynamoDB transactions".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from region.authorization.demand import Demand, Demands, Details, Request, place
from region.authorization.details import (
    ItemDetails,
    leading,
    named,
    plain,
    projected,
    query_leading,
    returned,
    selected,
)
from region.model.table import Table
from region.operation.context import Context

TRANSACTION: Final = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Get": "dynamodb:GetItem",
}
"""The actions that a transaction's members need."""


def one_item(operation: str) -> Demands:
    """Return what GetItem, PutItem, UpdateItem or DeleteItem needs."""

    def demands(context: Context, request: Request) -> Iterator[Demand]:
        yield _item(context, f"dynamodb:{operation}", request, request, None)

    return demands


def range_read(operation: str) -> Demands:
    """Return what Query or Scan needs, of a table or of one of its indexes."""

    def demands(context: Context, request: Request) -> Iterator[Demand]:
        resource, table = place(context, request["TableName"])
        if request.get("IndexName") is not None:
            resource = f"{resource}/index/{request['IndexName']}"

        def details() -> Details:
            return ItemDetails(
                (lambda: query_leading(table, request)) if operation == "Query" else None,
                lambda: named(request),
                plain(request, select=selected(request)),
            )

        yield Demand(f"dynamodb:{operation}", resource, table, details=details)

    return demands


def batch_get(context: Context, request: Request) -> Iterator[Demand]:
    """Yield what BatchGetItem needs of each table."""
    for name, reads in request["RequestItems"].items():
        resource, table = place(context, name)
        yield Demand("dynamodb:BatchGetItem", resource, table, details=_batch_read(table, request, reads))


def batch_write(context: Context, request: Request) -> Iterator[Demand]:
    """Yield what BatchWriteItem needs of each table."""
    for name, writes in request["RequestItems"].items():
        resource, table = place(context, name)
        yield Demand("dynamodb:BatchWriteItem", resource, table, details=_batch_writes(table, request, writes))


def transaction(operation: str) -> Demands:
    """Return what TransactGetItems or TransactWriteItems needs: what each of its members would need alone."""

    def demands(context: Context, request: Request) -> Iterator[Demand]:
        for member in request["TransactItems"]:
            for kind, action in TRANSACTION.items():
                inner = member.get(kind)
                if inner is not None:
                    yield _item(context, action, inner, request, operation)

    return demands


def _item(context: Context, action: str, inner: Request, request: Request, enclosing: str | None) -> Demand:
    resource, table = place(context, inner["TableName"])

    def details() -> Details:
        reads = action == "dynamodb:GetItem"
        return ItemDetails(
            lambda: leading(table, [inner["Item" if action == "dynamodb:PutItem" else "Key"]]),
            lambda: named(inner),
            plain(
                request,
                select=projected(inner) if reads else None,
                returnvalues=None if reads else returned(inner),
                enclosingoperation=enclosing,
            ),
        )

    return Demand(action, resource, table, details=details)


def _batch_read(table: Table | None, request: Request, reads: dict[str, Any]) -> Callable[[], Details]:
    def attributes() -> set[str]:
        return named(reads).union(*[key.keys() for key in reads["Keys"]])

    return lambda: ItemDetails(
        lambda: leading(table, reads["Keys"]), attributes, plain(request, select=projected(reads))
    )


def _batch_writes(table: Table | None, request: Request, writes: list[dict[str, Any]]) -> Callable[[], Details]:
    items = [
        inner[member]
        for write in writes
        for inner, member in ((write.get("PutRequest"), "Item"), (write.get("DeleteRequest"), "Key"))
        if inner is not None
    ]

    def attributes() -> set[str]:
        return {name for item in items for name in item}

    return lambda: ItemDetails(lambda: leading(table, items), attributes, plain(request))
