"""``python -m bench.access``: what verifying a signature and judging a request add to a GetItem.

What: the same GetItem through a dispatcher over a real engine in this process, from the request's bytes to the
answer's, without sockets; of many short rounds the best counts, so that other work on the machine does not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from clock import DriftBounds, SystemClock
from region.access import compile_policy
from region.access.principal import principal
from region.authorization import Credential, Guard
from region.engine import Engine
from region.events import Events
from region.operation import OPERATIONS
from region.operation.context import RegionSettings
from region.randomness import SystemRng
from region.store.sqlite import open_store
from region.wire import EndpointSettings
from region.wire.dispatch import Dispatcher
from region.wire.exchange import Exchange, Origin
from region.wire.statistics import EndpointStatistics
from replication import Assembly, Ports, ReplicationSettings, WebSocketTransport

REGION: Final = "us-east-1"
ALICE: Final = "arn:aws:iam::000000000000:user/alice"
BODY: Final = b'{"TableName":"orders","Key":{"id":{"S":"x"}}}'
ROUNDS, CALLS = 300, 200
FINE: Final = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "x", "dynamodb:Attributes": ["id", "state"]}}


class Caller:
    """Takes the answers."""

    origin: Final = Origin("127.0.0.1", secure=False)

    def __init__(self) -> None:
        self.answer = b""

    def answered(self, exchange: Exchange) -> None:
        """Keep the answer."""
        self.answer = exchange.answer or b""


def credential(**condition: Any) -> Credential:
    """Return the key of somebody who may read, on a condition."""
    statement = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*", **condition}
    policy = compile_policy({"Version": "2012-10-17", "Statement": statement}, "policy")
    return Credential("secret", principal(ALICE, policies=(policy,)))


CASES: Final[Mapping[str, EndpointSettings]] = {
    "off": EndpointSettings(region=REGION),
    "signature verified": EndpointSettings(region=REGION, access_keys={"AKID": "secret"}),
    "and judged by a policy without conditions": EndpointSettings(region=REGION, credentials={"AKID": credential()}),
    "and by one on leading keys and attributes": EndpointSettings(
        region=REGION, credentials={"AKID": credential(Condition=FINE)}
    ),
}


async def engine() -> Engine:
    """Return an engine that holds one item."""
    source, rng = SystemClock(), SystemRng()
    made = Assembly(
        Ports(source, open_store(None, region=REGION, durability="memory", rng=rng), WebSocketTransport(None), rng),
        settings=RegionSettings(region=REGION),
        replication=ReplicationSettings(region=REGION),
        drift=DriftBounds(500, 5000),
        events=Events(),
    ).engine
    table = {
        "TableName": "orders",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    await made.execute("CreateTable", table)
    await made.execute("PutItem", {"TableName": "orders", "Item": {"id": {"S": "x"}, "state": {"S": "y" * 100}}})
    return made


def signed() -> dict[bytes, bytes]:
    """Return the headers of the request."""
    headers = {"X-Amz-Target": "DynamoDB_20120810.GetItem", "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", "http://localhost:8000/", headers=headers, data=BODY)
    SigV4Auth(Credentials("AKID", "secret"), "dynamodb", REGION).add_auth(request)
    named = {name.lower().encode(): str(value).encode() for name, value in request.headers.items()}
    return {b"host": b"localhost:8000", **named}


async def measure() -> dict[str, float]:
    """Return the µs of a GetItem in each case."""
    made, headers, caller = await engine(), signed(), Caller()
    found: dict[str, float] = {}
    for name, settings in CASES.items():
        dispatcher = Dispatcher(
            made,
            settings,
            statistics=EndpointStatistics(tuple(OPERATIONS)),
            rng=made.rng,
            source=made.source,
            guard=Guard(lambda: made.reading) if settings.credentials else None,
        )
        best = float("inf")
        for _ in range(ROUNDS):
            began = time.perf_counter()
            for _ in range(CALLS):
                dispatcher.serve(Exchange(dispatcher, caller, b"POST", b"/", headers, BODY))
            best = min(best, time.perf_counter() - began)
        assert caller.answer.startswith(b"HTTP/1.1 200"), caller.answer
        found[name] = best / CALLS * 1e6
    await made.close()
    return found


def report() -> str:
    """Measure, and return the table."""
    rows = [f"| {name} | {cost:.0f} |" for name, cost in asyncio.run(measure()).items()]
    return "\n".join(("| a GetItem in one process, access | µs |", "|---|---|", *rows))


if __name__ == "__main__":
    print(report())
