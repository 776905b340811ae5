from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import zlib
from typing import Any

import pytest
from wire_endpoint import connected, empty, message, seconds_pass, serving

from region.model import limits
from region.wire.http import Connection


class Collected(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def write(self, data: Any) -> None:
        self.data += data

    def is_closing(self) -> bool:
        return False

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        pass


async def test_a_request_may_be_cut_anywhere() -> None:
    requests = message("GetItem", {"TableName": "tab", "Key": {"a": {"S": "x"}}}) + message("ListTables", chunks=1)
    async with serving() as server:
        for step in (*range(1, 40), *range(40, len(requests), 7)):
            transport, connection = Collected(), Connection(server.endpoint)
            connection.connection_made(transport)
            for at in range(0, len(requests), step):
                connection.data_received(requests[at : at + step])
            await asyncio.sleep(0)  # Answers leave at the end of a tick.
            assert transport.data.count(b"HTTP/1.1 200 OK\r\n") == 2
            connection.connection_lost(None)
        assert server.engine.submitted[-1].operation == "ListTables"


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_chunked_body_is_put_together(size: int) -> None:
    async with connected() as (server, client):
        answer = await client.ask("GetItem", {"TableName": "tab", "Key": {"a": {"S": "x" * 100}}}, chunks=size)
        assert answer.json["Key"] == {"a": {"S": "x" * 100}}
        assert len(server.engine.submitted) == 1


async def test_pipelined_answers_come_in_order_although_writes_finish_late_and_in_any_order() -> None:
    kinds = ["GetItem", "PutItem", "GetItem", "PutItem", "PutItem", "GetItem"]
    async with connected() as (server, client):
        for number, kind in enumerate(kinds):
            name = "Item" if kind == "PutItem" else "Key"
            client.send(message(kind, {"TableName": f"tab{number}", name: {"a": {"S": "x"}}}))
        await server.engine.has(len(kinds))
        for submitted in reversed(server.engine.waiting):
            server.engine.answer(submitted)
        answers = [await client.answer() for _ in kinds]
        assert [answer.json["TableName"] for answer in answers] == [f"tab{number}" for number in range(len(kinds))]
        assert len({answer.headers["x-amzn-requestid"] for answer in answers}) == len(kinds)


async def test_no_more_requests_than_allowed_are_at_the_engine_and_none_is_lost() -> None:
    async with connected(pipelined_max=4) as (server, client):
        client.send(message("PutItem", {"TableName": "tab", "Item": {}}) * 50)
        for _ in range(50):
            await server.engine.has(1)
            assert len(server.engine.waiting) <= 4
            server.engine.submitted.clear()
            while server.engine.waiting:
                waiting, server.engine.waiting = server.engine.waiting, []
                for submitted in waiting:
                    server.engine.answer(submitted)
                assert len(server.engine.waiting) <= 4
            if server.endpoint.statistics.operations["PutItem"].total().requests == 50:
                break
        assert [(await client.answer()).status for _ in range(50)] == [200] * 50


async def test_a_client_that_does_not_read_is_not_read_either() -> None:
    big = {"Item": {"a": {"S": "x" * 300_000}}}
    request = message("GetItem", {"TableName": "tab", "Key": {"a": {"S": "x"}}})
    async with connected(lambda _operation, _request: big) as (server, client):
        client.send(request * 400)
        await server.engine.has(1)
        served = -1
        while served != len(server.engine.submitted):
            served = len(server.engine.submitted)
            await asyncio.sleep(0)
        assert served < 400
        assert [len((await client.answer()).body) > 300_000 for _ in range(400)] == [True] * 400


async def test_a_client_that_never_reads_is_dropped() -> None:
    big = {"Item": {"a": {"S": "x" * 300_000}}}
    async with connected(lambda _operation, _request: big) as (server, client):
        client.send(message("GetItem", {"TableName": "tab", "Key": {"a": {"S": "x"}}}) * 100)
        await server.engine.has(1)
        seconds_pass(server.endpoint, 61)
        await empty(server.endpoint)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST / HTTP/1.1\r\nbad header\r\n\r\n",
        b"POST / HTTP/7.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_after_what_came_before_and_the_connection_closed(nonsense: bytes) -> None:
    async with connected() as (_server, client):
        client.send(message() + nonsense)
        assert (await client.answer()).status == 200
        answer = await client.answer()
        assert (answer.status, answer.type) == (400, "BadRequestException")
        assert answer.headers["connection"] == "close"
        assert await client.end() == b""


async def test_too_large_headers_are_refused() -> None:
    async with serving() as server:
        for filler in (f"X: {'x' * 70_000}\r\n", "".join(f"X-{number}: x\r\n" for number in range(9000))):
            for end in ("", "\r\n"):
                client = await server.client()
                client.send(f"POST / HTTP/1.1\r\n{filler}{end}".encode())
                assert (await client.answer()).status == 431


async def test_a_body_over_the_limit_is_refused_whether_announced_or_not() -> None:
    async with serving(body_bytes_max=1000) as server:
        for chunks in (None, 100, 2000):
            client = await server.client()
            client.send(message("GetItem", b" " * 1001, chunks=chunks))
            answer = await client.answer()
            assert (answer.status, answer.type) == (413, "RequestEntityTooLargeException")
            assert await client.end() == b""
        assert server.engine.submitted == []


async def test_a_client_that_is_still_sending_too_much_sees_the_refusal() -> None:
    async with connected() as (_server, client):
        client.send(message("GetItem", b" " * (limits.REQUEST_BYTES_MAX + 1)))
        assert (await client.answer()).status == 413


async def test_a_body_of_exactly_the_limit_is_served() -> None:
    body = json.dumps({"TableName": "tab", "Key": {}}).encode()
    async with connected(body_bytes_max=1_000_000) as (_server, client):
        client.send(message() + message("GetItem", body.ljust(1_000_000), chunks=65_536))
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 200


async def test_a_client_that_expects_100_continue_is_told_to_go_on() -> None:
    request = message("GetItem", {"TableName": "tab", "Key": {}}, headers={"Expect": "100-continue"})
    head, _, body = request.partition(b"\r\n\r\n")
    async with connected() as (_server, client):
        client.send(head + b"\r\n\r\n")
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(body)
        assert (await client.answer()).status == 200


async def test_a_client_that_expects_100_continue_for_too_much_is_refused_at_once() -> None:
    headers: dict[str, str | None] = {"Expect": "100-continue", "Content-Length": "99999999"}
    async with connected() as (_server, client):
        client.send(message("GetItem", b"", headers=headers))
        assert (await client.answer()).status == 413


async def test_an_offer_to_upgrade_is_declined_and_the_body_is_read() -> None:
    headers: dict[str, str | None] = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AA"}
    request = message("GetItem", {"TableName": "tab", "Key": {}}, headers=headers)
    async with connected() as (_server, client):
        for at in range(1, len(request), 5):
            client.send(request[:at])
            await client.writer.drain()
            await asyncio.sleep(0)
            client.send(request[at:] + message())
            assert (await client.answer()).json == {"TableName": "tab", "Key": {}}
            assert (await client.answer()).json == {}


async def test_connection_close_is_honoured() -> None:
    async with connected() as (_server, client):
        client.send(message(headers={"Connection": "close"}) + message())
        answer = await client.answer()
        assert answer.headers["connection"] == "close"
        assert await client.end() == b""


@pytest.mark.parametrize("keep", [True, False])
async def test_http_1_0_is_kept_alive_only_on_request(keep: bool) -> None:
    headers: dict[str, str | None] = {"Connection": "keep-alive"} if keep else {}
    request = message(headers=headers).replace(b"HTTP/1.1", b"HTTP/1.0")
    async with connected() as (_server, client):
        client.send(request)
        answer = await client.answer()
        assert answer.headers["connection"] == ("keep-alive" if keep else "close")
        if not keep:
            assert await client.end() == b""


async def test_a_client_that_closes_its_half_gets_its_answers() -> None:
    async with connected() as (server, client):
        client.send(message("PutItem", {"TableName": "tab", "Item": {}}))
        client.writer.write_eof()
        await server.engine.has(1)
        server.engine.answer(server.engine.waiting[0])
        assert (await client.answer()).status == 200
        assert await client.end() == b""


async def test_an_answer_for_a_client_that_has_gone_is_dropped() -> None:
    async with serving() as server:
        gone = await server.client()
        gone.send(message("PutItem", {"TableName": "tab", "Item": {}}) * 3)
        await server.engine.has(3)
        # Lingering for no time makes the close a reset; without it the client might still be listening.
        gone.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.writer.transport.abort()
        await empty(server.endpoint)
        for submitted in server.engine.waiting:
            server.engine.answer(submitted)
        other = await server.client()
        assert (await other.ask()).status == 200


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [(b"", 301), (b"POST / HT", 21), (b"POST / HTTP/1.1\r\nA: b\r\n", 21), (message("GetItem", b"{}")[:-1], 121)],
)
async def test_slow_and_resting_clients_are_dropped_in_time_and_not_before(sent: bytes, seconds: int) -> None:
    async with connected() as (server, client):
        assert (await client.ask()).status == 200
        client.send(sent)
        other = await server.client()
        # Its answer shows that what was sent before has been read.
        assert (await other.ask()).status == 200
        seconds_pass(server.endpoint, seconds - 1)
        assert server.endpoint.statistics.connections >= 1
        seconds_pass(server.endpoint, 1)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.answer()


async def test_a_request_at_the_engine_is_never_dropped_for_its_age() -> None:
    async with connected() as (server, client):
        client.send(message("PutItem", {"TableName": "tab", "Item": {}}))
        await server.engine.has(1)
        seconds_pass(server.endpoint, 10_000)
        server.engine.answer(server.engine.waiting[0])
        assert (await client.answer()).status == 200


async def test_surplus_clients_are_turned_away() -> None:
    async with connected(connections_max=1) as (server, client):
        assert (await client.ask()).status == 200
        other = await server.client()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await other.answer()
        assert server.endpoint.statistics.connections_refused == 1
        assert (await client.ask()).status == 200


DEFLATED = zlib.compressobj(wbits=-15)
BODY = json.dumps({"TableName": "tab", "Key": {"a": {"S": "x" * 500}}}).encode()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("GZIP", gzip.compress(BODY[:100], mtime=0) + gzip.compress(BODY[100:], mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", DEFLATED.compress(BODY) + DEFLATED.flush()),
        ("identity", BODY),
    ],
)
async def test_compressed_bodies_are_understood(encoding: str, body: bytes) -> None:
    async with connected() as (_server, client):
        answer = await client.ask("GetItem", body, headers={"Content-Encoding": encoding})
        assert answer.json == json.loads(BODY)


@pytest.mark.parametrize(
    ("encoding", "body", "kind"),
    [
        ("gzip", gzip.compress(b" " * 50_000_000, mtime=0), "RequestEntityTooLargeException"),
        ("gzip", gzip.compress(BODY, mtime=0)[:-9], "SerializationException"),
        ("gzip", BODY, "SerializationException"),
        ("deflate", b"", "SerializationException"),
        ("br", BODY, "SerializationException"),
    ],
)
async def test_compressed_bodies_that_are_damaged_or_explode_are_refused(encoding: str, body: bytes, kind: str) -> None:
    async with connected() as (server, client):
        answer = await client.ask("GetItem", body, headers={"Content-Encoding": encoding})
        assert answer.type == kind
        assert server.engine.submitted == []
        assert (await client.ask()).status == 200


@pytest.mark.parametrize(
    ("size", "accepts", "packed"), [(10_000, "gzip, br", True), (100, "gzip", False), (10_000, "", False)]
)
async def test_large_answers_are_compressed_for_those_who_accept_it(size: int, accepts: str, packed: bool) -> None:
    response: dict[str, Any] = {"Item": {"a": {"S": "x" * size}}}
    headers: dict[str, str | None] = {"Accept-Encoding": accepts or None}
    async with connected(lambda _operation, _request: response) as (_server, client):
        answer = await client.ask("GetItem", {"TableName": "tab", "Key": {}}, headers=headers)
        assert int(answer.headers["x-amz-crc32"]) == zlib.crc32(answer.body)
        assert ("content-encoding" in answer.headers) == packed
        assert json.loads(gzip.decompress(answer.body) if packed else answer.body) == response
