"""TransactWriteItems and TransactGetItems, and what other languages of transactions share with them.

What: a transaction of writes reads and evaluates all of its actions against the store, and only when every one of them
can be done writes them all, in the engine's one transaction, with one ``group`` in their log records, so that peers
apply them together too. A transaction of reads reads all of its items as of one commit.

Invariants: all or nothing, in the region and, by default, at every peer. Writes run one after another, so a transaction
is serializable with every other one and with single writes, and no two can ever conflict: a region answers neither
``TransactionConflict`` nor ``TransactionInProgressException``.

Hazard: requests are brought to canonical form in place.

Source: AWS API reference of both operations; developer guide, "Amazon DynamoDB transactions: how it works".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from region.errors import ValidationError
from region.model import image as images
from region.model import limits
from region.model.change import Response
from region.model.client_token import ClientToken
from region.operation.context import Context
from region.operation.transaction import reports, tokens
from region.operation.transaction.actions import (
    CHECK,
    ActionError,
    Effect,
    Get,
    Place,
    Write,
    evaluate,
    locate,
    perform,
    read_gets,
    read_writes,
)

GROUP_BYTES: Final = 12


def transact_get_items(context: Context, request: dict[str, Any]) -> Response:
    """Read up to 100 items, all as of one commit; a missing one is answered by an empty object."""
    gets = read_gets(request["TransactItems"])
    places = locate(context, gets)
    reports.require([place.error for place in places])
    return read_together(context, gets, places, request.get("ReturnConsumedCapacity"))


def transact_write_items(context: Context, request: dict[str, Any]) -> Response:
    """Do up to 100 writes and checks, all or none."""
    writes = read_writes(request["TransactItems"])
    mode = request.get("ReturnConsumedCapacity")
    token = tokens.token_of(context, request, request["TransactItems"])
    if tokens.had_its_effect(context, token):
        return read_again(context, writes, mode)
    effects = _evaluate(context, writes)
    carry_out(context, effects, token)
    return {
        **reports.write_capacity(effects, mode),
        **reports.collection_metrics(context, effects, request.get("ReturnItemCollectionMetrics")),
    }


def read_together(context: Context, gets: Sequence[Get], places: Sequence[Place], mode: str | None) -> Response:
    """Read the items of a transaction, none of whose places has an error, and answer in their order.

    Raises:
        ValidationError: they are larger than 4 MB together.
    """
    found = context.reader.get_together((place.table, place.key) for place in places)
    total = sum(map(reports.live_size, found))
    if total > limits.TRANSACTION_BYTES_MAX:
        raise ValidationError(f"Payload in response is too large.{total}")
    reports.count_reads(context.usages, places, found)
    responses: list[dict[str, Any]] = []
    for get, stored in zip(gets, found, strict=True):
        if stored is None or stored.image is None:
            responses.append({})
        elif get.projection is None:
            responses.append({"Item": images.splice(stored.image)})
        else:
            responses.append({"Item": get.projection.apply(images.decode(stored.image))})
    return {"Responses": responses, **reports.read_capacity(places, found, mode)}


def read_again(context: Context, writes: Sequence[Write], mode: str | None) -> Response:
    """Answer a request that has had its effect: it costs what reading its items costs."""
    if mode is None or mode == "NONE":
        return {}
    places = locate(context, writes)
    found = context.reader.get_together((place.table, place.key) for place in places)
    reports.count_reads(context.usages, places, found)
    return reports.read_capacity(places, found, mode)


def carry_out(context: Context, effects: Sequence[Effect], token: ClientToken | None) -> None:
    """Write everything that a transaction does, as one group, and remember its token."""
    group = context.rng.token(GROUP_BYTES)
    for effect in effects:
        if effect.write.kind != CHECK:
            perform(context, effect, group=group)
    reports.count_checks(context.usages, effects)
    tokens.remember(context, token)


def _evaluate(context: Context, writes: Sequence[Write]) -> list[Effect]:
    """Find out what all actions do.

    Raises:
        TransactionCanceledError: one cannot be done.
    """
    places = locate(context, writes)
    found = context.reader.get_together((place.table, place.key) for place in places)
    effects: list[Effect] = []
    errors: list[ActionError | None] = []
    for write, place, incumbent in zip(writes, places, found, strict=True):
        try:
            effects.append(evaluate(write, place, incumbent))
        except ActionError as error:
            errors.append(error)
        else:
            errors.append(None)
    reports.require(errors)
    return effects
