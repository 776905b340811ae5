"""ExecuteStatement and BatchExecuteStatement: PartiQL statements one by one.

What: a statement on its own is a read of pages or one write. A batch runs up to 25 reads of single items or writes,
each of which succeeds or fails by itself.

Invariants: all that can refuse a request as a whole is checked before its first write, and a statement raises all of
its errors before its own: a batch's writes share the engine's transaction, but none of them fails half-way.

Source: AWS API reference of both operations; developer guide, "Running batch operations with PartiQL for DynamoDB";
wording as DynamoDB Local sends it.
"""

from __future__ import annotations

from typing import Any, Final

from region.errors import (
    DynamoError,
    ResourceNotFoundError,
    ThrottlingError,
    ThroughputExceededError,
    ValidationError,
)
from region.expression import Projection
from region.model import image as images
from region.model.change import Response, StoredItem
from region.operation.capacity.consumption import Consumption, read_units
from region.operation.context import Context
from region.operation.partiql import writes as writing
from region.operation.partiql.binding import Bound, bind, normalise_parameters, table_of, writes
from region.operation.partiql.reads import select, single
from region.operation.partiql.writes import Prepared
from region.operation.transaction import actions
from region.operation.transaction.actions import ActionError, Effect, Get, Place, perform
from region.partiql import Exists, Select

_EXISTS: Final = "EXISTS can only be used in ExecuteTransaction write requests."
_MIXED: Final = "Read and write requests together in the same batch is not supported."
_NOT_ONE_ITEM: Final = "Only single item select is supported"
_DUPLICATES: Final = "Provided list of item keys contains duplicates"
_CODES: Final[tuple[tuple[type[DynamoError], str], ...]] = (
    (ValidationError, "ValidationError"),
    (ResourceNotFoundError, "ResourceNotFound"),
    (ThroughputExceededError, "ProvisionedThroughputExceeded"),
    (ThrottlingError, "ThrottlingError"),
)


def statement_writes(request: dict[str, Any]) -> bool:
    """Whether an ExecuteStatement needs the writer."""
    return writes(request)


def batch_writes(request: dict[str, Any]) -> bool:
    """Whether a BatchExecuteStatement needs the writer."""
    return any(map(writes, request["Statements"]))


def execute_statement(context: Context, request: dict[str, Any]) -> Response:
    """Run one statement."""
    normalise_parameters(request)
    bound = bind(request)
    if isinstance(bound.statement, Select):
        return select(context, bound, bound.statement)
    if isinstance(bound.statement, Exists):
        raise ValidationError(_EXISTS)
    prepared = writing.prepare(context, bound)
    place = actions.locate(context, [prepared.write])[0]
    try:
        effect = writing.evaluate(prepared, place, context.reader.get(place.table, place.key))
    except ActionError as error:
        raise writing.as_error(error) from None
    perform(context, effect)
    item = writing.returned(prepared, effect)
    response: Response = {"Items": [] if item is None else [item]}
    mode = request.get("ReturnConsumedCapacity")
    if mode is not None and mode != "NONE":
        response["ConsumedCapacity"] = _cost(effect).report(mode)
    return response


def batch_execute_statement(context: Context, request: dict[str, Any]) -> Response:
    """Run up to 25 statements, all of them reads of single items or all of them writes."""
    statements: list[dict[str, Any]] = request["Statements"]
    for statement in statements:
        normalise_parameters(statement)
    tasks = [_Task(context, statement) for statement in statements]
    understood = [task.bound.statement for task in tasks if task.bound is not None]
    kinds = {isinstance(statement, Select) for statement in understood if not isinstance(statement, Exists)}
    if len(kinds) > 1:
        raise ValidationError(_MIXED)
    seen: set[tuple[int, bytes]] = set()
    for task in tasks:
        if task.place is None:
            continue
        target = (task.place.table.id, task.place.key)
        if target in seen:
            raise ValidationError(_DUPLICATES)
        seen.add(target)
    responses = [task.run(context) for task in tasks]
    response: Response = {"Responses": responses}
    mode = request.get("ReturnConsumedCapacity")
    if mode is not None and mode != "NONE":
        response["ConsumedCapacity"] = [task.cost.report(mode) for task in tasks if task.cost is not None]
    return response


class _Task:
    """One statement of a batch: first understood and located, then run; its failure is its own."""

    def __init__(self, context: Context, request: dict[str, Any]) -> None:
        self.bound: Bound | None = None
        self.place: Place | None = None
        self.cost: Consumption | None = None
        self._consistent = bool(request.get("ConsistentRead"))
        self._action: Get | Prepared | None = None
        self._answer: dict[str, Any] = {}
        try:
            self.bound = bind(request)
            self._action = _action(context, self.bound)
            write = self._action.write if isinstance(self._action, Prepared) else self._action
            self.place = _settled(actions.locate(context, [write])[0])
        except (DynamoError, ActionError) as error:
            self._answer["Error"] = _error(error)

    def run(self, context: Context) -> dict[str, Any]:
        """Run the statement and return its response."""
        if self.place is None:
            return self._answer
        self._answer["TableName"] = self.place.table.name
        item: Any = None
        try:
            incumbent = context.reader.get(self.place.table, self.place.key)
            if isinstance(self._action, Prepared):
                effect = writing.evaluate(self._action, self.place, incumbent)
                perform(context, effect)
                self.cost = _cost(effect)
                item = writing.returned(self._action, effect)
            elif self._action is not None:
                item = _project(incumbent, self._action.projection)
                self.cost = Consumption(self.place.table, self.place.called)
                self.cost.table_units = read_units(_size(incumbent), consistent=self._consistent)
                context.usages[self.place.table.name].add(self.cost, writes=False)
        except (DynamoError, ActionError) as error:
            self._answer["Error"] = _error(error)
        if item is not None:
            self._answer["Item"] = item
        return self._answer


def _action(context: Context, bound: Bound) -> Get | Prepared:
    """Turn a statement of a batch into a read of one item or a write."""
    if isinstance(bound.statement, Exists):
        raise ValidationError(_EXISTS)
    if not isinstance(bound.statement, Select):
        return writing.prepare(context, bound)
    get = single(table_of(context, bound.statement.table), bound, bound.statement)
    if get is None:
        raise ValidationError(_NOT_ONE_ITEM)
    return get


def _settled(place: Place) -> Place:
    if place.error is not None:
        raise place.error
    return place


def _error(error: DynamoError | ActionError) -> dict[str, Any]:
    """Return the ``Error`` member of a statement's response."""
    if isinstance(error, ActionError):
        return error.reason
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "InternalServerError")
    return {"Code": code, "Message": error.message}


def _cost(effect: Effect) -> Consumption:
    consumption = Consumption(effect.table, effect.write.request["TableName"])
    size = effect.incumbent.size if effect.incumbent is not None else 0
    consumption.add_write(effect.old_item, size, effect.item, effect.size)
    return consumption


def _size(stored: StoredItem | None) -> int:
    return stored.size if stored is not None and stored.image is not None else 0


def _project(stored: StoredItem | None, projection: Projection | None) -> Any:
    """Return what is answered of an item, or ``None`` where there is none."""
    if stored is None or stored.image is None:
        return None
    return images.splice(stored.image) if projection is None else projection.apply(images.decode(stored.image))
