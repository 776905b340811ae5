"""The actions of a transaction: each read from its request, checked, and evaluated against the item as it is.

What: :func:`read_write` and :func:`read_get` look at the request alone, in the order in which AWS does; :func:`locate`
finds tables and keys and refuses two actions on one item; :func:`evaluate` finds out what a write would do. Nothing
here writes.

Invariants: what is wrong with the request itself is a ``ValidationException``; what is wrong with one action in the
light of its table or its item raises :class:`ActionError`, and becomes that action's cancellation reason. An empty
key value belongs to the former although only the table knows the keys: AWS looks for it before the transaction runs.

Hazard: requests are brought to canonical form in place.

Source: AWS API reference, "TransactWriteItems" and "TransactGetItems" (errors, cancellation reasons); wording as AWS
and DynamoDB Local send it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from region.errors import ConditionalCheckFailedError, ValidationError
from region.expression import Condition, Placeholders, Projection, Update
from region.expression import update as parse_update
from region.model import image as images
from region.model import limits, values
from region.model.change import StoredItem
from region.model.table import Table
from region.model.values import Item
from region.operation.context import Context, size_limit
from region.operation.item import parameters
from region.operation.item.items import updated

CHECK: Final = "ConditionCheck"
PUT: Final = "Put"
DELETE: Final = "Delete"
UPDATE: Final = "Update"
_KINDS: Final = (CHECK, PUT, DELETE, UPDATE)
_TEXTS: Final = ("ConditionExpression", "UpdateExpression")

_EMPTY_KEY: Final = "One or more parameter values are not valid."
"""So AWS begins what it says of an empty key value, and nothing else."""


class ActionError(Exception):
    """One action cannot be done; ``reason`` is its entry in the list of cancellation reasons."""

    def __init__(self, code: str, message: str, item: Item | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason: dict[str, Any] = {"Code": code, "Message": message}
        if item is not None:
            self.reason["Item"] = item


class Write(NamedTuple):
    """A writing or checking action as its request says it: the item to put, or the key, and what was parsed."""

    kind: str
    request: dict[str, Any]
    item: Item
    size: int
    condition: Condition | None
    update: Update | None


class Get(NamedTuple):
    """A reading action as its request says it."""

    request: dict[str, Any]
    item: Item
    projection: Projection | None


class Place(NamedTuple):
    """Where an action works; without a ``key`` there is an ``error``. ``called`` is what it calls the table."""

    called: str
    table: Table
    key: bytes
    error: ActionError | None


class Effect(NamedTuple):
    """What a write action does to its item: ``item`` replaces ``incumbent``, ``None`` deletes it."""

    write: Write
    table: Table
    key: bytes
    incumbent: StoredItem | None
    old_item: Item | None
    item: Item | None
    size: int


def read_writes(actions: Sequence[dict[str, Any]]) -> list[Write]:
    """Read the actions of a TransactWriteItems.

    Raises:
        ValidationError: one is malformed in itself, or all together are too large.
    """
    writes = [_read_write(kind, action[kind]) for kind, action in [(_kind(action), action) for action in actions]]
    payload = sum(map(_payload, writes))
    if payload > limits.TRANSACTION_BYTES_MAX:
        raise ValidationError(f"Transaction payload size cannot exceed 4MB. Payload Size: {payload}")
    return writes


def read_gets(actions: Sequence[dict[str, Any]]) -> list[Get]:
    """Read the actions of a TransactGetItems.

    Raises:
        ValidationError: one is malformed in itself.
    """
    return [_read_get(action["Get"]) for action in actions]


def _kind(action: Mapping[str, Any]) -> str:
    kinds = [kind for kind in _KINDS if action.get(kind) is not None]
    if not kinds:
        raise ValidationError("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request")
    if len(kinds) > 1:
        raise ValidationError("TransactItems can only contain one of Check, Put, Update or Delete")
    return kinds[0]


def _read_write(kind: str, request: dict[str, Any]) -> Write:
    item: Item = request["Item" if kind == PUT else "Key"]
    size = values.normalise_item(item)
    update = None
    if kind == UPDATE:
        placeholders = Placeholders.of(request, "UpdateExpression", "ConditionExpression")
        update = parse_update(request["UpdateExpression"], placeholders)
    else:
        placeholders = Placeholders.of(request, "ConditionExpression")
    condition = parameters.condition_of(request, placeholders)
    placeholders.finish()
    if kind == PUT:
        size_limit(size)
    return Write(kind, request, item, size, condition, update)


def _payload(write: Write) -> int:
    """Return what an action adds to the size of its transaction: item or key, expressions, and their values."""
    given = write.request.get("ExpressionAttributeValues") or {}
    texts = [text for name in _TEXTS if (text := write.request.get(name)) is not None]
    return write.size + sum(map(values.size_of, given.values())) + sum(map(values.text_size, texts))


def _read_get(request: dict[str, Any]) -> Get:
    placeholders = Placeholders.of_projection(request)
    projection = parameters.projection_of(request, placeholders)
    placeholders.finish()
    item: Item = request["Key"]
    values.normalise_item(item)
    return Get(request, item, projection)


def locate(context: Context, actions: Iterable[Write | Get]) -> list[Place]:
    """Find the table and the key of every action.

    Raises:
        ResourceNotFoundError: a table is not there.
        ValidationError: a key is empty, or two actions work on one item.
    """
    found = [(action, context.table(action.request["TableName"])) for action in actions]
    places = [_place(action, table) for action, table in found]
    seen: set[tuple[int, bytes]] = set()
    for place in places:
        if place.error is None and (place.table.id, place.key) in seen:
            raise ValidationError("Transaction request cannot include multiple operations on one item")
        seen.add((place.table.id, place.key))
    return places


def _place(action: Write | Get, table: Table) -> Place:
    called = action.request["TableName"]
    whole = isinstance(action, Write) and action.kind == PUT
    encode: Callable[[Item], bytes] = table.check_item_keys if whole else table.key_of
    try:
        key = encode(action.item)
        if isinstance(action, Get) and action.projection is not None:
            action.projection.refuse_nested_keys(table.keys.names)
    except ValidationError as error:
        return Place(called, table, b"", _as_reason(error))
    return Place(called, table, key, None)


def _as_reason(error: ValidationError) -> ActionError:
    if error.message.startswith(_EMPTY_KEY):
        raise error
    return ActionError("ValidationError", error.message)


def evaluate(write: Write, place: Place, incumbent: StoredItem | None) -> Effect:
    """Find out what an action does to the item that is there.

    Raises:
        ActionError: its condition does not hold, its key does not fit, or its update cannot be done.
        ValidationError: it would make a key of an index empty.
    """
    if place.error is not None:
        raise place.error
    table = place.table
    old_item = images.decode(incumbent.image) if incumbent is not None and incumbent.image is not None else None
    try:
        _check(write, table, old_item)
        item, size = _outcome(write, table, old_item)
    except ConditionalCheckFailedError as error:
        wanted = write.request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        raise ActionError("ConditionalCheckFailed", error.message, old_item if wanted else None) from None
    except ValidationError as error:
        raise _as_reason(error) from None
    return Effect(write, table, place.key, incumbent, old_item, item, size)


def _check(write: Write, table: Table, old_item: Item | None) -> None:
    if write.update is not None:
        write.update.refuse_keys(table.keys.names)
    if write.condition is not None:
        write.condition.refuse_nested_keys(table.keys.names)
        if not write.condition.matches(old_item):
            raise ConditionalCheckFailedError


def _outcome(write: Write, table: Table, old_item: Item | None) -> tuple[Item | None, int]:
    """Return the item as it will be, and its size."""
    if write.update is not None:
        item, _, size = updated(table, write.update, old_item, write.item)
        return item, size
    if write.kind == PUT:
        return write.item, write.size
    return None, 0


def perform(context: Context, effect: Effect, *, group: str | None = None) -> None:
    """Write what was found out about one action."""
    context.write(
        effect.table,
        effect.key,
        None if effect.item is None else images.encode(effect.item),
        effect.size,
        effect.incumbent,
        item=effect.item,
        old_item=effect.old_item,
        group=group,
        condition=effect.write.condition,
    )
