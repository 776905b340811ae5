from __future__ import annotations

import asyncio
import re
import zlib
from typing import Any

import orjson
import pytest
from wire_endpoint import Server, connected, message, serving

from clock import ManualClock
from region.errors import (
    ConditionalCheckFailedError,
    DefectError,
    DynamoError,
    InternalServerError,
    OperatingError,
    ResourceNotFoundError,
    SerializationError,
    StoreError,
)
from region.model.values import MalformedValueError, normalise_item
from region.randomness import SeededRng
from region.wire import Endpoint, EndpointSettings

GET = {"TableName": "tab", "Key": {"a": {"S": "x"}}}


def raising(error: Exception) -> Any:
    """Return an answer function that raises."""

    def answer(_operation: str, _request: dict[str, Any]) -> Any:
        raise error

    return answer


def failing_values(_operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Answer as an operation does that normalises its key."""
    request["Key"]["spoiled"] = {"S": "by the operation"}
    normalise_item(request["Key"])
    return {}


async def test_an_answer_has_awss_headers() -> None:
    async with connected() as (_server, client):
        answer = await client.ask("GetItem", GET)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/x-amz-json-1.0"
        assert re.fullmatch(r"[A-Z0-9]{52}", answer.headers["x-amzn-requestid"])
        assert int(answer.headers["x-amz-crc32"]) == zlib.crc32(answer.body)
        assert answer.headers["date"].endswith(" GMT")


async def test_the_engine_gets_the_request_and_the_id_that_the_client_sees() -> None:
    async with connected() as (server, client):
        answer = await client.ask("GetItem", GET)
        assert server.engine.submitted[0][:3] == ("GetItem", GET, answer.headers["x-amzn-requestid"])


async def test_images_are_spliced_into_the_answer() -> None:
    image = orjson.Fragment(b'{"a":{"N":"1"}}')
    async with connected(lambda _operation, _request: {"Items": [image, image]}) as (_server, client):
        answer = await client.ask("GetItem", GET)
        assert answer.body == b'{"Items":[{"a":{"N":"1"}},{"a":{"N":"1"}}]}'


async def test_the_date_follows_the_clock() -> None:
    clock = ManualClock(0)
    endpoint = Endpoint(EngineNobodyAsks(), EndpointSettings(), rng=SeededRng(1), source=clock)
    made = endpoint.dispatcher.answers
    assert b"Date: Thu, 01 Jan 1970 00:00:00 GMT" in made.success("", b"")
    clock.set(86_400_000)
    made.tick()
    assert b"Date: Fri, 02 Jan 1970 00:00:00 GMT" in made.success("", b"")


class EngineNobodyAsks:
    """An engine for endpoints that never start."""

    def submit(self, *_arguments: Any) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (
            ResourceNotFoundError("Requested resource not found"),
            400,
            {
                "__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
                "message": "Requested resource not found",
            },
        ),
        (
            ConditionalCheckFailedError(Item={"a": {"S": "x"}}),
            400,
            {
                "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
                "message": "The conditional request failed",
                "Item": {"a": {"S": "x"}},
            },
        ),
        (
            SerializationError("Unexpected field type"),
            400,
            {"__type": "com.amazon.coral.service#SerializationException", "Message": "Unexpected field type"},
        ),
        (
            InternalServerError("oh"),
            500,
            {"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "oh"},
        ),
    ],
)
async def test_an_operations_error_is_rendered_as_awss(error: DynamoError, status: int, body: dict[str, Any]) -> None:
    async with connected(raising(error)) as (server, client):
        answer = await client.ask("GetItem", GET)
        assert (answer.status, answer.json) == (status, body)
        assert int(answer.headers["x-amz-crc32"]) == zlib.crc32(answer.body)
        assert server.endpoint.statistics.operations["GetItem"].total().outcomes == {error.name: 1}


@pytest.mark.parametrize("error", [OperatingError("full"), StoreError("no disk", definite=False), DefectError("wrong")])
async def test_what_is_not_the_callers_fault_is_a_500_that_tells_nothing(error: Exception) -> None:
    async with connected(raising(error)) as (_server, client):
        answer = await client.ask("GetItem", GET)
        assert (answer.status, answer.type) == (500, "InternalServerError")
        assert str(error) not in answer.message


async def test_a_defect_in_handling_one_request_is_a_500_and_harms_no_other() -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    responses = {"GetItem": {"what JSON cannot say": object()}, "ListTables": {}}
    async with connected(lambda operation, _request: responses[operation]) as (server, client):
        client.send(message("GetItem", GET) + message())
        first, second = await client.answer(), await client.answer()
        assert (first.status, first.type, second.status) == (500, "InternalServerError", 200)
        assert server.endpoint.statistics.defects == 1
        assert first.headers["x-amzn-requestid"] in reported[0]["message"]


async def test_a_door_that_breaks_is_a_500() -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    async with connected() as (server, client):
        server.engine.submit = None  # type: ignore[method-assign, assignment]  # What is broken is the point here.
        assert (await client.ask()).status == 500
        assert len(reported) == 1


async def test_a_malformed_value_is_explained_from_what_the_client_sent() -> None:
    async with connected(failing_values) as (server, client):
        answer = await client.ask("GetItem", {"TableName": "tab", "Key": {"a": {"S": 5}}})
        assert (answer.type, answer.message) == ("SerializationException", "NUMBER_VALUE cannot be converted to String")
        assert len(server.engine.submitted) == 1


async def test_a_malformed_value_that_aws_would_read_is_run_again_as_aws_reads_it() -> None:
    async with connected(failing_values) as (server, client):
        answer = await client.ask("GetItem", {"TableName": "tab", "Key": {"a": {"S": None}}})
        assert answer.message.startswith("Supplied AttributeValue is empty")
        assert len(server.engine.submitted) == 2


async def test_a_malformed_value_that_cannot_be_explained_is_answered_as_it_is() -> None:
    async with connected(raising(MalformedValueError())) as (server, client):
        answer = await client.ask("GetItem", GET)
        assert answer.message == "Unexpected token received from parser"
        assert len(server.engine.submitted) == 2


async def test_a_request_that_fails_the_model_never_reaches_the_engine() -> None:
    async with connected() as (server, client):
        answer = await client.ask("GetItem", {"TableName": "", "Key": {}})
        assert answer.type == "ValidationException"
        assert answer.message.startswith("1 validation error detected: ")
        assert server.engine.submitted == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nonsense", b"{} x", b"\xff\xfe", b'{"TableName":NaN}', b'{"a":"\\ud800"}']
)
async def test_a_body_that_is_no_json_is_a_serialization_error(body: bytes) -> None:
    async with connected() as (_server, client):
        answer = await client.ask("GetItem", body)
        assert answer.json == {"__type": "com.amazon.coral.service#SerializationException"}


@pytest.mark.parametrize("depth", [100, 100_000])
async def test_deep_json_is_an_answer_and_not_the_end(depth: int) -> None:
    async with connected(failing_values) as (_server, client):
        deep = b'{"L":[' * depth + b"]}" * depth
        answer = await client.ask("GetItem", b'{"TableName":"tab","Key":{"a":' + deep + b"}}")
        assert answer.status == 400


@pytest.mark.parametrize(
    "target",
    ["DynamoDB_20120810.NoSuch", "DynamoDB_20120810", "Kinesis_20131202.ListStreams", "DynamoDB_20111205.GetItem"],
)
async def test_an_unknown_target_is_an_unknown_operation(target: str) -> None:
    async with connected() as (_server, client):
        answer = await client.ask(headers={"X-Amz-Target": target})
        assert (answer.status, answer.json) == (400, {"__type": "com.amazon.coral.service#UnknownOperationException"})


async def test_an_operation_of_the_model_that_is_not_built_is_unknown() -> None:
    async with connected() as (_server, client):
        assert (await client.ask("SearchVectors")).type == "UnknownOperationException"


async def test_without_a_target_the_content_type_decides_the_form_of_the_refusal() -> None:
    async with connected() as (_server, client):
        answer = await client.ask(headers={"X-Amz-Target": None})
        assert (answer.status, answer.type) == (400, "UnknownOperationException")
        answer = await client.ask(headers={"X-Amz-Target": None, "Content-Type": "text/plain"})
        assert (answer.status, answer.body) == (404, b"<UnknownOperationException/>\n")


@pytest.mark.parametrize("content_type", ["application/json", "application/x-amz-json-1.0; charset=utf-8"])
async def test_a_content_type_of_json_may_be_written_in_several_ways(content_type: str) -> None:
    async with connected() as (_, client):
        assert (await client.ask(headers={"Content-Type": content_type})).status == 200


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-amz-json-1.1"])
async def test_any_other_content_type_gets_the_answer_of_an_unknown_page(content_type: str | None) -> None:
    async with connected() as (server, client):
        answer = await client.ask(headers={"Content-Type": content_type})
        assert (answer.status, answer.body) == (404, b"<UnknownOperationException/>\n")
        assert not server.engine.submitted


@pytest.mark.parametrize(("method", "path"), [("POST", "/other"), ("GET", "/other"), ("PUT", "/"), ("DELETE", "/")])
async def test_other_paths_and_methods_are_not_found(method: str, path: str) -> None:
    async with connected() as (_server, client):
        assert (await client.ask(method=method, path=path)).status == 404


@pytest.mark.parametrize("path", ["http://localhost:8000/", "/?x=1", "http://localhost"])
async def test_the_root_may_be_written_in_other_ways(path: str) -> None:
    async with connected() as (_server, client):
        assert (await client.ask(path=path)).status == 200


async def test_get_and_head_say_that_the_region_is_healthy() -> None:
    async with connected(region="eu-west-1") as (_server, client):
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.body) == (200, b"healthy: dynamodb.eu-west-1.amazonaws.com ")
        client.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + message())
        head = await client.answer(bodiless=True)
        assert head.headers["content-length"] == str(len(answer.body))
        assert (await client.answer()).json == {}


async def test_browsers_may_call_from_anywhere() -> None:
    async with connected() as (_server, client):
        client.send(
            b"OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: http://page\r\nAccess-Control-Request-Method: POST\r\n"
            b"Access-Control-Request-Headers: x-amz-target,authorization\r\n\r\n"
        )
        preflight = await client.answer()
        assert preflight.status == 200
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert "POST" in preflight.headers["access-control-allow-methods"]
        assert {"x-amz-target", "authorization"} <= set(preflight.headers["access-control-allow-headers"].split(","))
        for request in (message(headers={"Origin": "http://page"}), message("No", headers={"Origin": "null"})):
            client.send(request)
            answer = await client.answer()
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "x-amz-crc32" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-origin" not in (await client.ask()).headers


async def test_a_taken_port_is_an_error_that_says_what_to_do() -> None:
    async with serving() as server:
        endpoint = Endpoint(EngineNobodyAsks(), EndpointSettings(), rng=SeededRng(1), source=ManualClock())
        with pytest.raises(OperatingError, match=f"Port {server.port} on 127.0.0.1 is in use.*choose another"):
            await endpoint.start("127.0.0.1", server.port)
        await endpoint.stop()


async def test_a_host_that_is_not_here_is_an_error_that_says_so() -> None:
    endpoint = Endpoint(EngineNobodyAsks(), EndpointSettings(), rng=SeededRng(1), source=ManualClock())
    with pytest.raises(OperatingError, match=r"Cannot listen on 192\.0\.2\.1"):
        await endpoint.start("192.0.2.1", 0)


async def stopping(server: Server) -> asyncio.Task[None]:
    """Begin to stop, and return once the endpoint listens no more."""
    task = asyncio.create_task(server.endpoint.stop())
    while server.endpoint._server is not None:
        await asyncio.wait([task], timeout=0)
    return task


async def test_a_stop_answers_what_has_arrived_and_closes_what_rests() -> None:
    async with serving() as server:
        resting, busy, halfway = [await server.client() for _ in range(3)]
        assert (await resting.ask()).status == 200
        assert (await halfway.ask()).status == 200
        halfway.send(message()[:-1])
        busy.send(message("PutItem", {"TableName": "tab", "Item": {}}) * 2)
        await server.engine.has(4)
        task = await stopping(server)
        assert await resting.end() == b""
        assert await halfway.end() == b""
        for submitted in server.engine.waiting:
            server.engine.answer(submitted)
        assert (await busy.answer()).status == 200
        assert (await busy.answer()).headers["connection"] == "close"
        assert await busy.end() == b""
        await task
        with pytest.raises(ConnectionError):
            await server.client()


async def test_a_stop_does_not_wait_forever() -> None:
    async with connected(stop_timeout_s=0.01) as (server, client):
        client.send(message("PutItem", {"TableName": "tab", "Item": {}}))
        await server.engine.has(1)
        await server.endpoint.stop()
        assert server.endpoint.statistics.connections == 0
