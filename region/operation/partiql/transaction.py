"""ExecuteTransaction: up to 100 PartiQL statements, all or none.

What: reads of single items as of one commit, or writes and EXISTS checks. It is TransactGetItems and TransactWriteItems
said in PartiQL, and shares their actions, cancellation reasons, client request tokens and reports of capacity.

Invariants: a statement that is wrong in itself refuses the request; one that does not fit its table or its item cancels
the transaction, with its reason at its place.

Source: AWS API reference, "ExecuteTransaction"; developer guide, "Performing transactions with PartiQL for DynamoDB";
wording as DynamoDB Local sends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from region.errors import ValidationError
from region.model import limits, values
from region.model.change import Response
from region.operation.context import Context
from region.operation.partiql import writes as writing
from region.operation.partiql.binding import WRONG_COUNT, Bound, bind, normalise_parameters, table_of, writes
from region.operation.partiql.reads import single
from region.operation.partiql.writes import Prepared
from region.operation.transaction import actions, reports, tokens, transactions
from region.operation.transaction.actions import ActionError, Effect, Get
from region.partiql import Delete, Select, Update

_MIXED: Final = "ExecuteTransaction API does not support both read and write operations in the same request."
_NO_INDEX: Final = "Reads on indices are not supported within transactions."
_NO_KEY: Final = "Select statements within ExecuteTransaction must specify the primary key in the where clause."
_NO_RETURNING: Final = "RETURNING clause is not supported in ExecuteTransaction."


def transaction_writes(request: dict[str, Any]) -> bool:
    """Whether an ExecuteTransaction needs the writer."""
    return any(map(writes, request["TransactStatements"]))


def execute_transaction(context: Context, request: dict[str, Any]) -> Response:
    """Run up to 100 statements, all of them reads of single items or none of them."""
    statements: list[dict[str, Any]] = request["TransactStatements"]
    for statement in statements:
        normalise_parameters(statement)
    bounds = [_bind(number, statement) for number, statement in enumerate(statements)]
    reads = [isinstance(bound.statement, Select) for bound in bounds]
    if any(reads) != all(reads):
        raise ValidationError(_MIXED)
    mode = request.get("ReturnConsumedCapacity")
    if all(reads):
        return _read(context, bounds, mode)
    return _write(context, bounds, request, mode)


def _bind(number: int, request: dict[str, Any]) -> Bound:
    """Bind a statement and refuse what no transaction can do."""
    try:
        bound = bind(request)
    except ValidationError as error:
        raise _failed(number, error.message) if error.message == WRONG_COUNT else error from None
    if isinstance(bound.statement, Update | Delete) and bound.statement.returning is not None:
        raise _failed(number, _NO_RETURNING)
    return bound


def _failed(number: int, message: str) -> ValidationError:
    return ValidationError(f"Validation failed in TransactStatements[{number}]: {message}")


def _read(context: Context, bounds: Sequence[Bound], mode: str | None) -> Response:
    gets: list[Get] = []
    errors: list[ActionError | None] = []
    for number, bound in enumerate(bounds):
        try:
            gets.append(_get(context, number, bound))
        except ActionError as error:
            errors.append(error)
        else:
            errors.append(None)
    places = actions.locate(context, gets)
    reports.require(_merge(errors, [place.error for place in places]))
    return transactions.read_together(context, gets, places, mode)


def _get(context: Context, number: int, bound: Bound) -> Get:
    """Turn a SELECT into a read of one item."""
    statement = bound.statement
    if not isinstance(statement, Select):
        raise ValidationError(_MIXED)
    table = table_of(context, statement.table)
    if statement.index is not None:
        raise _failed(number, _NO_INDEX)
    try:
        get = single(table, bound, statement)
    except ValidationError as error:
        raise ActionError("ValidationError", error.message) from None
    if get is None:
        raise _failed(number, _NO_KEY)
    return get


def _write(
    context: Context,
    bounds: Sequence[Bound],
    request: dict[str, Any],
    mode: str | None,
) -> Response:
    prepared: list[Prepared] = []
    errors: list[ActionError | None] = []
    for number, bound in enumerate(bounds):
        try:
            prepared.append(_prepare(context, number, bound))
        except ActionError as error:
            errors.append(error)
        else:
            errors.append(None)
    payload = sum(write.write.size + sum(map(values.size_of, write.bound.values.values())) for write in prepared)
    if payload > limits.TRANSACTION_BYTES_MAX:
        raise ValidationError(f"Transaction payload size cannot exceed 4MB. Payload Size: {payload}")
    token = tokens.token_of(context, request, request["TransactStatements"])
    if tokens.had_its_effect(context, token):
        return {"Responses": [], **transactions.read_again(context, [write.write for write in prepared], mode)}
    effects = _evaluate(context, prepared, errors)
    transactions.carry_out(context, effects, token)
    return {"Responses": [], **reports.write_capacity(effects, mode)}


def _prepare(context: Context, number: int, bound: Bound) -> Prepared:
    try:
        return writing.prepare(context, bound)
    except ValidationError as error:
        if error.message == writing.NOT_ONE_ITEM:
            raise _failed(number, error.message) from None
        raise ActionError("ValidationError", error.message) from None


def _evaluate(context: Context, prepared: Sequence[Prepared], errors: Sequence[ActionError | None]) -> list[Effect]:
    """Find out what all writes do.

    Raises:
        TransactionCanceledError: one cannot be done.
    """
    places = actions.locate(context, [write.write for write in prepared])
    found = context.reader.get_together((place.table, place.key) for place in places)
    effects: list[Effect] = []
    failures: list[ActionError | None] = []
    for write, place, incumbent in zip(prepared, places, found, strict=True):
        try:
            effects.append(writing.evaluate(write, place, incumbent))
        except ActionError as error:
            failures.append(error)
        else:
            failures.append(None)
    reports.require(_merge(errors, failures))
    return effects


def _merge(errors: Sequence[ActionError | None], later: Sequence[ActionError | None]) -> list[ActionError | None]:
    """Return the errors of all statements, where ``later`` are those of the statements that had none before."""
    rest = iter(later)
    return [next(rest) if error is None else error for error in errors]
