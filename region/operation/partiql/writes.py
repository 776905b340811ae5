"""The writes of PartiQL: INSERT, UPDATE, DELETE and EXISTS as the actions of a transaction.

What: :func:`prepare` turns a statement into the :class:`Write` that TransactWriteItems makes of its actions, and
:func:`evaluate` finds out what it does, so that single statements, batches and transactions of PartiQL check and write
as the item operations do. An INSERT is a Put on the condition that there is no item, an UPDATE an Update on the
condition that there is one, a DELETE of a missing item succeeds whatever it asks for.

Source: AWS developer guide, "PartiQL insert statements for DynamoDB" and its siblings for UPDATE and DELETE, "Using
the EXISTS function with PartiQL for DynamoDB"; wording as DynamoDB Local sends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from region.errors import ConditionalCheckFailedError, DuplicateItemError, DynamoError, ValidationError
from region.expression import Condition, touched, update_of
from region.expression.binding import value_of
from region.expression.syntax import ConditionTree, Function, Path, conjunction, disjunction
from region.model import values
from region.model.change import StoredItem
from region.model.table import Table
from region.model.values import Item, type_of
from region.operation.context import Context, size_limit
from region.operation.partiql.binding import Bound, compile_condition, plain_words, table_of
from region.operation.transaction import actions
from region.operation.transaction.actions import ActionError, Effect, Place, Write
from region.partiql import Delete, Exists, Insert, Select, Update, check_sets, full_key

DUPLICATE: Final = "DuplicateItem"
NOT_ONE_ITEM: Final = "EXISTS() must contain a single item read with additional condition"
_DUPLICATE_MESSAGE: Final = "Duplicate primary key exists in table"
_CONDITION_FAILED: Final = "ConditionalCheckFailed"
_NO_KEY: Final = "Where clause does not contain a mandatory equality on all key attributes"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A write ready to be evaluated: the statement, and what a transaction would make of it."""

    bound: Bound
    write: Write


def prepare(context: Context, bound: Bound) -> Prepared:
    """Turn a writing statement into a write.

    Raises:
        ValidationError: it does not fit its table.
        ResourceNotFoundError: there is no such table.
    """
    statement = bound.statement
    if isinstance(statement, Insert):
        write = _insert(table_of(context, statement.table), bound, statement)
    elif isinstance(statement, Update):
        write = _update(table_of(context, statement.table), bound, statement)
    elif isinstance(statement, Delete):
        write = _delete(table_of(context, statement.table), bound, statement)
    elif isinstance(statement, Exists):
        write = _exists(table_of(context, statement.select.table), bound, statement.select)
    else:
        raise ValidationError("Unsupported operation in transaction.")
    return Prepared(bound, write)


def evaluate(prepared: Prepared, place: Place, incumbent: StoredItem | None) -> Effect:
    """Find out what a write does to the item that is there.

    Raises:
        ActionError: it cannot be done.
        ValidationError: it would make a key of an index empty.
    """
    try:
        return actions.evaluate(prepared.write, place, incumbent)
    except ActionError as error:
        if isinstance(prepared.bound.statement, Insert) and error.code == _CONDITION_FAILED:
            raise ActionError(DUPLICATE, _DUPLICATE_MESSAGE) from None
        raise


def returned(prepared: Prepared, effect: Effect) -> Item | None:
    """Return what the statement's RETURNING asks for, if there is anything."""
    statement = prepared.bound.statement
    if not isinstance(statement, Update | Delete) or statement.returning is None:
        return None
    if statement.returning == "ALL_OLD":
        return effect.old_item
    if statement.returning == "ALL_NEW" or not isinstance(statement, Update):
        return effect.item
    item = effect.item if statement.returning == "UPDATED_NEW" else effect.old_item
    paths = tuple([_plain(action.path) for action in statement.actions])
    return touched(item or {}, paths) or None


def as_error(error: ActionError) -> DynamoError:
    """Return what a statement on its own answers where a transaction gives a reason."""
    message, item = error.reason["Message"], error.reason.get("Item")
    if error.code == DUPLICATE:
        return DuplicateItemError(message)
    if error.code == _CONDITION_FAILED:
        return ConditionalCheckFailedError(message) if item is None else ConditionalCheckFailedError(message, Item=item)
    return ValidationError(message)


def _insert(table: Table, bound: Bound, statement: Insert) -> Write:
    item: Item = {name: value_of(value, bound.values) for name, value in statement.item}
    for name in table.keys.names:
        if name not in item:
            raise ValidationError(f"Key attribute should be present in the item: Key {name}")
        if type_of(item[name]) != table.types[name]:
            raise ValidationError(f"Key attribute's data type should match its data type in table's schema: Key {name}")
    size = values.item_size(item)
    size_limit(size)
    condition = compile_condition(bound, _is_missing(table))
    return Write(actions.PUT, _request(bound, statement.table), item, size, condition, None)


def _update(table: Table, bound: Bound, statement: Update) -> Write:
    key, residual = _key(table, bound, statement.where)
    check_sets(statement.actions, {text: type_of(value) for text, value in bound.values.items()})
    with plain_words():
        # Of two paths that overlap DynamoDB names the later one first.
        update = update_of(statement.actions[::-1], placeholders=bound.placeholders)
    condition = _if_there(table, bound, residual)
    return Write(actions.UPDATE, _request(bound, statement.table), key, values.item_size(key), condition, update)


def _delete(table: Table, bound: Bound, statement: Delete) -> Write:
    key, residual = _key(table, bound, statement.where)
    condition = None
    if residual is not None:
        condition = compile_condition(bound, disjunction((_is_missing(table), residual)))
    return Write(actions.DELETE, _request(bound, statement.table), key, values.item_size(key), condition, None)


def _exists(table: Table, bound: Bound, select: Select) -> Write:
    found = None
    if select.index is None:
        found = full_key(select.where, table.keys, table.types, bound.values)
    if found is None or found.residual is None:
        raise ValidationError(NOT_ONE_ITEM)
    condition = _if_there(table, bound, found.residual)
    size = values.item_size(found.key)
    return Write(actions.CHECK, _request(bound, select.table), found.key, size, condition, None)


def _key(table: Table, bound: Bound, where: ConditionTree | None) -> tuple[Item, ConditionTree | None]:
    found = full_key(where, table.keys, table.types, bound.values)
    if found is None:
        raise ValidationError(_NO_KEY)
    return found.key, found.residual


def _if_there(table: Table, bound: Bound, residual: ConditionTree | None) -> Condition:
    """Return the condition that there is an item, and that the rest of the clause holds for it."""
    there = Function("attribute_exists", (Path((table.hash_name,)),))
    return compile_condition(bound, there if residual is None else conjunction((there, residual)))


def _is_missing(table: Table) -> ConditionTree:
    return Function("attribute_not_exists", (Path((table.hash_name,)),))


def _request(bound: Bound, table: str) -> dict[str, Any]:
    """Return what a transaction's action would say of the table and of what to tell when its condition fails."""
    name = "ReturnValuesOnConditionCheckFailure"
    return {"TableName": table, name: bound.request.get(name)}


def _plain(path: Path) -> tuple[str | int, ...]:
    return tuple([part for part in path.parts if isinstance(part, str | int)])
