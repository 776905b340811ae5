"""Neighbours of the DynamoDB API: who gets which requests, and who tells the errors; and which tables requests name."""

from __future__ import annotations

from typing import Any

import pytest
from wire_endpoint import AUTHORIZATION, connected

from region.errors import DynamoError
from region.wire.answers import Page
from region.wire.exchange import Exchange
from region.wire.naming import tables_named

BESIDE = AUTHORIZATION.replace("/dynamodb/", "/monitoring/")


class Echo:
    """A neighbour that answers with what it got."""

    def action(self, exchange: Exchange) -> str:
        return "echo:Do"

    def serve(self, exchange: Exchange) -> Page:
        return Page(201, "text/echo", exchange.method + exchange.path.encode() + exchange.body, "x-echo: yes\r\n")

    def refuse(self, exchange: Exchange, error: DynamoError) -> Page:
        return Page(error.status, "text/echo", error.name.encode())


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Amz-Target": "Other.Do"},
        {"X-Amz-Target": None, "Content-Type": "application/cbor"},
        {"X-Amz-Target": None, "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
    ],
)
async def test_what_is_signed_for_a_neighbour_goes_there_whatever_its_form(headers: dict[str, str | None]) -> None:
    async with connected() as (server, client):
        server.endpoint.dispatcher.neighbours["monitoring"] = Echo()
        answer = await client.ask("Do", b"body", headers={"Authorization": BESIDE, **headers}, path="/a/b")
        assert (answer.status, answer.body) == (201, b"POST/a/bbody")
        assert answer.headers["content-type"] == "text/echo"
        assert answer.headers["x-echo"] == "yes"
        assert not server.engine.submitted


async def test_everything_else_goes_where_it_went() -> None:
    async with connected() as (server, client):
        server.endpoint.dispatcher.neighbours["monitoring"] = Echo()
        assert (await client.ask("ListTables")).status == 200
        assert (await client.ask("None")).type == "UnknownOperationException"
        assert (await client.ask("Do", path="/other")).status == 404
        health = await client.ask("Do", b"", method="GET", headers={"X-Amz-Target": None, "Authorization": None})
        assert health.body.startswith(b"healthy")


async def test_a_neighbour_tells_of_a_bad_signature_in_its_own_way() -> None:
    async with connected(access_keys={"KNOWN": "secret"}) as (server, client):
        server.endpoint.dispatcher.neighbours["monitoring"] = Echo()
        answer = await client.ask("Do", headers={"Authorization": BESIDE, "X-Amz-Target": "Other.Do"})
        assert (answer.status, answer.body) == (400, b"UnrecognizedClientException")


@pytest.mark.parametrize(
    ("operation", "request_", "named"),
    [
        ("GetItem", {"TableName": "arn:aws:dynamodb:r:000000000000:table/orders"}, "orders"),
        ("ListTables", {}, None),
        ("BatchGetItem", {"RequestItems": {"b": {}, "a": {}}}, ("a", "b")),
        ("BatchWriteItem", {"RequestItems": {"a": []}}, "a"),
        ("TransactWriteItems", {"TransactItems": [{"Put": {"TableName": "a"}}, {"Delete": {"TableName": "a"}}]}, "a"),
        ("ExecuteStatement", {"Statement": 'select * from "orders"."index" where a = 1'}, "orders"),
        ("ExecuteStatement", {"Statement": "nonsense"}, None),
        ("ExecuteTransaction", {"TransactStatements": [{"Statement": "INSERT INTO abc VALUE {}"}]}, "abc"),
        ("BatchExecuteStatement", {"Statements": [{"Statement": "UPDATE abc SET"}, {"Statement": ""}]}, "abc"),
    ],
)
def test_the_tables_that_a_request_names(operation: str, request_: dict[str, Any], named: Any) -> None:
    assert tables_named(operation, request_) == named


async def test_requests_count_under_the_table_that_they_name() -> None:
    async with connected() as (server, client):
        await client.ask("GetItem", {"TableName": "one", "Key": {"a": {"S": "x"}}})
        await client.ask("GetItem", {"TableName": "two", "Key": {"a": {"S": "x"}}})
        await client.ask("GetItem", {"TableName": "two", "Key": {"a": {"S": "x"}}})
        await client.ask("GetItem", {"TableName": 3})
        counts = server.endpoint.statistics.operations["GetItem"]
        assert {name: tally.requests for name, tally in counts.tables.items()} == {"one": 1, "two": 2}
        assert counts.unnamed.outcomes == {"SerializationException": 1}
        assert counts.total().requests == 4
