"""What PartiQL's operations need: each statement for itself.

Invariants: a statement that cannot be understood, or whose table cannot be named, needs nothing, because it cannot
run: its operation refuses it with the same functions.

Source: AWS developer guide, "IAM security policies with PartiQL for DynamoDB".
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from region.authorization.demand import Demand, Demands, Details, Request, place
from region.authorization.details import UNKNOWN, Columns, ItemDetails, named_in, plain, returned, scalar
from region.errors import DynamoError
from region.expression.binding import value_of
from region.model.table import Table
from region.operation.context import Context
from region.operation.partiql.binding import bind, normalise_parameters
from region.partiql import Delete, Exists, Insert, Select, Statement, Update, full_key, key_plan, parse

_ACTIONS: Final = {Select: "Select", Exists: "Select", Insert: "Insert", Update: "Update", Delete: "Delete"}


def execute(context: Context, request: Request) -> Iterator[Demand]:
    """Yield what ExecuteStatement needs."""
    yield from demands_of(context, request, request, None)


def several(member: str, enclosing: str | None) -> Demands:
    """Return what an operation with several statements needs; ``enclosing``: the transaction that it is."""

    def demands(context: Context, request: Request) -> Iterator[Demand]:
        for statement in request[member]:
            yield from demands_of(context, statement, request, enclosing)

    return demands


def demands_of(context: Context, given: Request, request: Request, enclosing: str | None) -> Iterator[Demand]:
    """Yield what one statement needs, as the request gives it with its parameters."""
    try:
        statement = parse(given["Statement"]).statement
        source = statement.select if isinstance(statement, Exists) else statement
        resource, table = place(context, source.table)
    except DynamoError:
        return
    if isinstance(source, Select) and source.index is not None:
        resource = f"{resource}/index/{source.index}"

    def details() -> Details:
        columns = _leading(table, statement, given)
        scans = isinstance(source, Select) and columns is None
        return ItemDetails(
            lambda: columns or (),
            lambda: _attributes(source),
            plain(
                request,
                select=_selected(source),
                returnvalues=_returned(source, given),
                enclosingoperation=enclosing,
                fulltablescan="true" if scans else "false",
            ),
        )

    yield Demand(f"dynamodb:PartiQL{_ACTIONS[type(statement)]}", resource, table, details=details)


def _attributes(statement: Statement) -> set[str]:
    """Return the top-level attributes that a statement names."""
    if isinstance(statement, Insert):
        return {name for name, _ in statement.item}
    terms: Any = ()
    if isinstance(statement, Select):
        terms = (statement.paths, statement.where)
    elif isinstance(statement, Update):
        terms = (statement.actions, statement.where)
    elif isinstance(statement, Delete):
        terms = statement.where
    return named_in(terms)


def _selected(statement: Statement) -> str | None:
    if not isinstance(statement, Select):
        return None
    if statement.paths:
        return "SPECIFIC_ATTRIBUTES"
    return "ALL_ATTRIBUTES" if statement.index is None else "ALL_PROJECTED_ATTRIBUTES"


def _returned(statement: Statement, given: Request) -> str | None:
    if isinstance(statement, Select):
        return None
    returning = statement.returning if isinstance(statement, Update | Delete) else None
    return returned({**given, "ReturnValues": returning})


def _leading(table: Table | None, statement: Statement, given: Request) -> Columns | None:
    """Return the partition keys that a statement names; ``None``: it reads all of its source."""
    if table is None:
        return UNKNOWN
    try:
        request = {**given, "Parameters": deepcopy(given.get("Parameters"))}
        normalise_parameters(request)
        bound = bind(request).values
        if isinstance(statement, Insert):
            item = {name: value_of(value, bound) for name, value in statement.item}
            return ((scalar(item[table.hash_name]),),) if table.hash_name in item else UNKNOWN
        if isinstance(statement, Select):
            index = None if statement.index is None else table.indexes.get(statement.index)
            if statement.index is not None and index is None:
                return UNKNOWN
            schema = table.keys if index is None else index.keys
            plan = key_plan(statement.where, schema, table.types, bound)
            if plan.partitions is None:
                return None
            parts = [[scalar(value) for value in partition.hash_values] for partition in plan.partitions]
            return tuple(tuple(column) for column in zip(*parts, strict=True))
        where = statement.select.where if isinstance(statement, Exists) else statement.where
        found = full_key(where, table.keys, table.types, bound)
    except DynamoError:
        return UNKNOWN
    return UNKNOWN if found is None else ((scalar(found.key[table.hash_name]),),)
