"""Torn transactions: reads are counted while one is, whichever operation reads, and at no other time."""

from __future__ import annotations

import asyncio
from typing import Any

from test_applier import Replica

from region.engine import Engine
from region.events import Event
from replication.events import TransactionTorn
from replication.sink import Part
from replication.tears import Tears

PEER = "us-west-2"
TABLE = "accounts"
KEYS = [{"pk": {"S": name}} for name in ("a", "b", "c")]
READS: list[tuple[str, dict[str, Any]]] = [
    ("GetItem", {"TableName": TABLE, "Key": KEYS[0]}),
    ("BatchGetItem", {"RequestItems": {TABLE: {"Keys": [KEYS[2], KEYS[1]]}}}),
    ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": TABLE, "Key": KEYS[1]}}]}),
    (
        "Query",
        {
            "TableName": TABLE,
            "KeyConditionExpression": "pk = :k",
            "ExpressionAttributeValues": {":k": {"S": "b"}},
        },
    ),
    (
        "Query",
        {
            "TableName": TABLE,
            "IndexName": "by_owner",
            "KeyConditionExpression": "owned_by = :o",
            "ExpressionAttributeValues": {":o": {"S": "ann"}},
        },
    ),
    ("Scan", {"TableName": TABLE}),
    ("ExecuteStatement", {"Statement": f"SELECT * FROM {TABLE} WHERE pk = 'a'"}),
]
ELSEWHERE: list[tuple[str, dict[str, Any]]] = [
    ("GetItem", {"TableName": TABLE, "Key": KEYS[2]}),
    ("GetItem", {"TableName": TABLE, "Key": {"pk": {"S": "nobody"}}}),
    ("DescribeTable", {"TableName": TABLE}),
]


class Clock:
    """The event loop's clock, as the test sets it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def accounts(engine: Engine) -> None:
    await engine.execute(
        "CreateTable",
        {
            "TableName": TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "owned_by")],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "by_owner",
                    "KeySchema": [{"AttributeName": "owned_by", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        },
    )
    for key in KEYS:
        await engine.execute("PutItem", {"TableName": TABLE, "Item": {**key, "owned_by": {"S": "ann"}}})


async def read(engine: Engine, reads: list[tuple[str, dict[str, Any]]]) -> None:
    for operation, request in reads:
        await engine.execute(operation, dict(request))


def test_every_kind_of_read_that_finds_an_item_of_a_torn_transaction_counts_once() -> None:
    async def run() -> None:
        replica = Replica("us-east-1", 1)
        engine, clock = replica.engine, Clock()
        events: list[Event] = []
        engine.events.subscribe(events.append)
        tears = Tears(engine, clock)
        await accounts(engine)
        table = engine.catalogue.by_name[TABLE]
        places = tuple((table.uid, table.key_of(key)) for key in KEYS[:2])

        def committed(part: Part | None) -> None:
            tears.stage(PEER, part)
            tears.committed()

        await read(engine, READS)
        assert tears.status() == []
        tears.stage(PEER, Part("group", places, 1))
        tears.unstage()
        tears.committed()
        assert engine.reading.reader is engine.store, "what was rolled back tears nothing"
        committed(Part("group", places, 1))
        await read(engine, READS)
        await read(engine, ELSEWHERE)
        (status,) = tears.status()
        assert (status.source, status.open, status.torn, status.reads) == (PEER, 1, 0, len(READS))
        clock.now_s += 0.25
        committed(Part("group", places[1:], 0))
        await read(engine, READS)
        (status,) = tears.status()
        assert (status.open, status.torn, status.reads, status.longest_ms) == (0, 1, len(READS), 250.0)
        assert engine.reading.reader is engine.store, "nothing is in the way of a read without a tear"
        assert [event for event in events if isinstance(event, TransactionTorn)] == [
            TransactionTorn(PEER, "us-east-1", 2, 250.0, len(READS))
        ]
        await engine.close()

    asyncio.run(run())


def test_a_tear_ends_when_its_link_goes_on_to_something_else() -> None:
    async def run() -> None:
        replica = Replica("us-east-1", 1)
        tears = Tears(replica.engine, Clock())
        places = (("uid", b"a"), ("uid", b"b"))
        for part in (Part("one", places, 1), Part("two", places, 1), None, Part("single", places[:1], 0)):
            tears.stage(PEER, part)
            tears.committed()
        (status,) = tears.status()
        assert (status.open, status.torn) == (0, 2)
        await replica.engine.close()

    asyncio.run(run())
