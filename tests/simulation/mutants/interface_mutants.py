"""Bugs of what a region promises its clients: conditions, transactions, tokens, time to live, streams, settings."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chaos.faults import Suspend
from mutants.bank import mutant
from region.engine import Engine
from region.model import expiry as expiries
from region.model import image as images
from region.model import session
from region.model.change import CAUSE_EXPIRY
from region.operation import OPERATIONS
from region.operation.context import Context
from region.operation.item import items
from region.operation.setting import time_to_live
from region.operation.stream.iterators import ShardIterator
from region.operation.stream.log import LogTape
from region.operation.transaction import tokens as transaction_tokens
from region.store import expiry
from region.store.transaction import SqliteTransaction
from region.wire.session import ASKED, Sessions

CONTENDED = {"clients": 3, "pause_ms": 30.0, "span_s": 6.0}


@mutant("linearizability", "sessions", workloads=("locks", "registers"), nemeses=("failing-disk",), **CONTENDED)
def condition_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """A condition is checked first, and the write done a little later (check-then-act in an application's cache)."""
    write = Engine.write
    names = ("ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues")

    def submit(self: Engine, operation: Any, request: dict[str, Any], request_id: str, done: Any) -> None:
        if operation.run is not items.put_item or "ConditionExpression" not in request:
            real(self, operation, request, request_id, done)
            return
        table = self.reading.table(request["TableName"])
        condition = items._write_condition(request)
        stored = self.store.get(table, table.key_of({name: request["Item"][name] for name in table.keys.names}))
        found = None if stored is None or stored.image is None else images.decode(stored.image)
        if condition is not None and not condition.matches(found):
            real(self, operation, request, request_id, done)
            return
        for name in names:
            request.pop(name, None)
        asyncio.get_running_loop().call_later(
            0.004, lambda: write(self, lambda context: operation.run(context, request), done, request_id=request_id)
        )

    real = Engine.submit
    patch.setattr(Engine, "submit", submit)


@mutant("linearizability", "values", "sessions", "durability", workloads=("counters",), **CONTENDED)
def lost_update(patch: pytest.MonkeyPatch) -> None:
    """An update builds on what was there before the last one (a read from a snapshot that is too old)."""
    get = SqliteTransaction.get
    kept: dict[tuple[int, bytes], Any] = {}

    def update(context: Context, request: dict[str, Any]) -> Any:
        transaction: Any = context.transaction
        table = context.table(request["TableName"])
        place = id(transaction), table.key_of(dict(request["Key"]))
        fresh = get(transaction, table, place[1])
        stale = kept.get(place)
        kept[place] = fresh
        if fresh is not None and stale is not None and fresh.image is not None and stale.version != fresh.version:
            old = fresh._replace(image=stale.image, size=stale.size)
            patch_reader = transaction.get
            transaction.get = lambda asked, key: old if key == place[1] else patch_reader(asked, key)
            try:
                return real(context, request)
            finally:
                del transaction.get
        return real(context, request)

    real = items.update_item
    patch.setitem(OPERATIONS, "UpdateItem", OPERATIONS["UpdateItem"]._replace(run=update))


@mutant("values", workloads=("bank",), script=(Suspend(region="*", at_ms=3000, for_ms=7000),))
def token_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A transaction that is asked for again under its token is done again (payments without idempotency keys)."""
    patch.setattr(transaction_tokens, "had_its_effect", lambda context, token: False)


@mutant("values", workloads=("ttl",), pause_ms=60.0)
def renewed_item_expires(patch: pytest.MonkeyPatch) -> None:
    """The old expiry of an item that was renewed still deletes it (Cassandra's TTL of an overwritten cell)."""

    def follow(execute: Any, plan: Any, change: Any) -> None:
        if change.image is not None:
            at_s = expiries.expires_s(images.decode(change.image), plan.attribute)
            if at_s is not None:
                execute(plan.insert, (at_s, change.key))

    def expire(context: Context, table: Any, items_max: int, bytes_max: int) -> tuple[int, int]:
        transaction: Any = context.transaction
        due = transaction.expired(table, *expiries.due_s(context.now_ms()), items_max)
        for at_s, key in due:
            stored = transaction.get(table, key)
            if stored is not None and stored.image is not None:
                context.write(table, key, None, 0, stored, old_item=images.decode(stored.image), cause=CAUSE_EXPIRY)
            transaction._execute(transaction._state.plan(table).expiry.delete, (at_s, key))
            context.written += 1
        return len(due), 0

    patch.setattr(expiry, "follow", follow)
    patch.setattr(time_to_live, "_expire", expire)


@mutant("streams", workloads=("streams",))
def stream_record_twice(patch: pytest.MonkeyPatch) -> None:
    """An iterator stands before the record that was read last, which comes again (Kinesis shard iterators AT/AFTER)."""
    read = LogTape.read

    def again(*arguments: Any, **named: Any) -> tuple[Any, ShardIterator]:
        records, following = read(*arguments, **named)
        if len(records) > 1:
            following = following._replace(after=int(records[-1]["dynamodb"]["SequenceNumber"]) - 1)
        return records, following

    patch.setattr(LogTape, "read", again)


@mutant("streams", workloads=("streams",))
def stream_record_skipped(patch: pytest.MonkeyPatch) -> None:
    """A page that is full ends one record too late, and the one between is never shown (cursor arithmetic)."""
    read = LogTape.read

    def beyond(*arguments: Any, **named: Any) -> tuple[Any, ShardIterator]:
        records, following = read(*arguments, **named)
        return records, following._replace(after=following.after + (len(records) > 1))

    patch.setattr(LogTape, "read", beyond)


@mutant("sessions", "linearizability", delay_ms=150.0)
def session_wait_skipped(patch: pytest.MonkeyPatch) -> None:
    """A request is served though its session has seen more than this region (MongoDB before causal sessions)."""

    def at_once(self: Sessions, exchange: Any, text: bytes, request: Any, submit: Any) -> None:
        exchange.session = session.decode(text.decode("latin-1"))
        exchange.marks |= ASKED
        submit()

    patch.setattr(Sessions, "admit", at_once)
