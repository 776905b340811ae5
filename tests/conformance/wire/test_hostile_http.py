"""HTTP that no client library would speak: refused or served as RFC 9112 has it, and nobody else suffers.

The fixture ``unharmed`` looks after every test that the region is the same process, serves, and holds what it held.
"""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from raw_http import RawConnection, exchange, request

pytestmark = pytest.mark.usefixtures("unharmed")

TABLE = "witnessed"
GET = request("GetItem", {"TableName": TABLE, "Key": {"pk": {"S": "witness"}}})
PUT = request("PutItem", {"TableName": TABLE, "Item": {"pk": {"S": "intruder"}}})
HEALTHY = b"healthy: dynamodb.us-east-1.amazonaws.com "


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/elsewhere"])
def test_other_methods_are_not_found(endpoint: str, method: str, path: str) -> None:
    body = {"TableName": TABLE, "Item": {"pk": {"S": "intruder"}}}
    reply = exchange(endpoint, request("PutItem", body, method=method, path=path))
    assert (reply.status, reply.body) == (404, b"<UnknownOperationException/>\n")


@pytest.mark.parametrize(
    "path", ["/elsewhere", "//", "/../etc/passwd", "/%00", "/%ff", "//[", "//[::1", "/]", "/\\", "/" + "a" * 8000]
)
def test_there_is_no_other_page(endpoint: str, path: str) -> None:
    for method in ("GET", "POST"):
        reply = exchange(endpoint, request("PutItem", b"{}", method=method, path=path))
        assert reply.status in (400, 404), (method, path)


def test_get_tells_the_health_and_head_leaves_the_body_out(endpoint: str) -> None:
    assert exchange(endpoint, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").body == HEALTHY
    with RawConnection(endpoint) as connection:
        connection.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        reply = connection.receive(bodiless=True)
        assert (reply.status, reply.headers["content-length"]) == (200, str(len(HEALTHY)))
        connection.send(GET)
        assert connection.receive().status == 200


def test_options_answers_a_browsers_question_and_runs_nothing(endpoint: str) -> None:
    headers: dict[str, str | None] = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}
    reply = exchange(endpoint, request("PutItem", b"", headers, method="OPTIONS"))
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "POST" in reply.headers["access-control-allow-methods"]


NO_HTTP = {
    "binary": bytes(range(256)),
    "a TLS handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "another protocol": b"EHLO example.com\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": GET.replace(b"HTTP/1.1", b"HTTP/9.9"),
    "CONNECT": b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "no method": b" / HTTP/1.1\r\n\r\n",
    "a blank in a header's name": GET.replace(b"X-Amz-Date:", b"X-Amz-Date :"),
    "a null character in a header": GET.replace(b"20250101T", b"2025\x00101T"),
    "a header without a colon": GET.replace(b"\r\n\r\n", b"\r\nnonsense\r\n\r\n", 1),
    "a negative length": PUT.replace(b"Content-Length: ", b"Content-Length: -"),
    "a length that is no number": PUT.replace(b"Content-Length: ", b"Content-Length: 0x"),
    "a length of 30 digits": PUT.replace(b"Content-Length: ", b"Content-Length: 9" + b"9" * 29),
    "two lengths": PUT.replace(b"Content-Length: ", b"Content-Length: 1\r\nContent-Length: "),
    "a length and chunks": PUT.replace(b"Content-Length: ", b"Transfer-Encoding: chunked\r\nContent-Length: "),
    "chunks within another coding": request(
        "PutItem", b"0\r\n\r\n", {"Content-Length": None, "Transfer-Encoding": "chunked, identity"}
    ),
}


@pytest.mark.parametrize("data", NO_HTTP.values(), ids=NO_HTTP.keys())
def test_what_is_no_http_gets_a_400_and_the_end_of_the_connection(endpoint: str, data: bytes) -> None:
    with RawConnection(endpoint) as connection:
        connection.send(data)
        reply = connection.receive()
        assert (reply.status, reply.error[0]) == (400, "BadRequestException")
        assert reply.headers["connection"] == "close"
        assert connection.ended()


BAD_CHUNKS = {
    "a size that is no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "a negative size": b"-2\r\n{}\r\n0\r\n\r\n",
    "a size of 20 digits": b"f" * 20 + b"\r\n{}\r\n0\r\n\r\n",
    "no line end behind a chunk": b"2\r\n{}0\r\n\r\n",
    "no size": b"\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("chunks", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
def test_bad_chunks_get_a_400_and_the_end_of_the_connection(endpoint: str, chunks: bytes) -> None:
    with RawConnection(endpoint) as connection:
        connection.send(request("PutItem", chunks, {"Content-Length": None, "Transfer-Encoding": "chunked"}))
        reply = connection.receive()
        assert (reply.status, reply.error[0]) == (400, "BadRequestException")
        assert connection.ended()


def test_sound_chunks_of_one_byte_with_extensions_and_trailers_are_put_together(endpoint: str) -> None:
    body = GET.partition(b"\r\n\r\n")[2]
    chunks = b"".join(b"1;name=value\r\n%c\r\n" % byte for byte in body) + b"0\r\nTrailer: x\r\n\r\n"
    reply = exchange(endpoint, request("GetItem", chunks, {"Content-Length": None, "Transfer-Encoding": "chunked"}))
    assert (reply.status, reply.json["Item"]["v"]) == (200, {"N": "1"})


FLOODS = {
    "20,000 headers": b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(20_000)),
    "one endless header": b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 1_000_000,
    "one endless name": b"GET / HTTP/1.1\r\n" + b"x" * 1_000_000,
    "an endless request line": b"GET /" + b"x" * 1_000_000,
    "an endless folded header": b"GET / HTTP/1.1\r\nX-Long: x\r\n" + b" x\r\n" * 200_000,
}


@pytest.mark.parametrize("data", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_of_headers_is_cut_off(endpoint: str, data: bytes) -> None:
    with RawConnection(endpoint) as connection:
        connection.send(data)
        assert connection.receive().status in (400, 431)
        assert connection.ended()


def test_a_length_beyond_the_limit_is_refused_before_the_body_comes(endpoint: str) -> None:
    for headers in ({"Content-Length": "99999999"}, {"Content-Length": "99999999", "Expect": "100-continue"}):
        with RawConnection(endpoint) as connection:
            connection.send(request("PutItem", b"", {**headers}))
            reply = connection.receive()
            assert (reply.status, reply.error[0]) == (413, "RequestEntityTooLargeException")
            assert connection.ended()


def test_a_client_that_waits_for_a_go_ahead_gets_it(endpoint: str) -> None:
    head, _, body = GET.partition(b"\r\n\r\n")
    with RawConnection(endpoint) as connection:
        connection.send(head + b"\r\nExpect: 100-continue\r\n\r\n")
        connection.receive_continue()
        connection.send(body)
        assert connection.receive().status == 200


def test_http_1_0_is_served_and_closed_unless_asked_otherwise(endpoint: str) -> None:
    old = GET.replace(b"HTTP/1.1", b"HTTP/1.0")
    with RawConnection(endpoint) as connection:
        connection.send(old)
        assert connection.receive().status == 200
        assert connection.ended()
    with RawConnection(endpoint) as connection:
        for _ in range(2):
            connection.send(old.replace(b"Host:", b"Connection: keep-alive\r\nHost:"))
            reply = connection.receive()
            assert (reply.status, reply.headers["connection"]) == (200, "keep-alive")


def test_an_offer_of_another_protocol_is_declined(endpoint: str) -> None:
    with RawConnection(endpoint) as connection:
        connection.send(GET.replace(b"Host:", b"Connection: Upgrade\r\nUpgrade: h2c\r\nHost:") + GET)
        assert [connection.receive().status for _ in range(2)] == [200, 200]


def test_500_pipelined_requests_are_answered_in_order_errors_included(endpoint: str) -> None:
    kinds = [
        (GET, 200, "Item"),
        (request("Scan", {"TableName": TABLE}), 200, "Count"),
        (request("PutItem", b"{"), 400, "__type"),
        (request("DeleteItem", {"TableName": TABLE, "Key": {"pk": {"S": "absent"}}}), 200, None),
        (request("NoSuchOperation", b"{}"), 400, "__type"),
    ]
    with RawConnection(endpoint) as connection:
        connection.send(b"".join(data for data, *_ in kinds) * 100)
        ids = set()
        for number in range(500):
            reply = connection.receive()
            _, status, member = kinds[number % len(kinds)]
            assert reply.status == status, number
            assert member in reply.json if member else reply.json == {}, number
            ids.add(reply.headers["x-amzn-requestid"])
        assert len(ids) == 500


def test_what_stands_before_a_broken_pipelined_request_is_answered_first(endpoint: str) -> None:
    with RawConnection(endpoint) as connection:
        connection.send(GET * 3 + b"\x00\x00\x00 nonsense\r\n\r\n" + PUT)
        assert [connection.receive().status for _ in range(4)] == [200, 200, 200, 400]
        assert connection.ended()


def test_a_request_that_comes_byte_by_byte_is_served(endpoint: str) -> None:
    with RawConnection(endpoint) as connection:
        for position in range(len(GET)):
            connection.send(GET[position : position + 1])
        assert connection.receive().status == 200


def test_a_client_that_closes_its_half_still_gets_its_answers(endpoint: str) -> None:
    with RawConnection(endpoint) as connection:
        connection.send(GET * 5)
        connection.half_close()
        assert [connection.receive().status for _ in range(5)] == [200] * 5
        assert connection.ended()


@pytest.mark.parametrize("part", [b"", PUT[:20], PUT[:-1]], ids=["nothing", "half a head", "all but one byte"])
def test_a_request_that_ends_too_early_does_nothing(endpoint: str, part: bytes) -> None:
    with RawConnection(endpoint) as connection:
        connection.send(part)
        connection.half_close()
        assert connection.ended()
    with RawConnection(endpoint) as connection:
        connection.send(part)


def test_connections_that_rest_half_way_or_never_read_do_not_hold_up_others(endpoint: str) -> None:
    with ExitStack() as stack:
        for number in range(200):
            connection = stack.enter_context(RawConnection(endpoint))
            connection.send((b"", PUT[:1], PUT[:60], PUT[:-1], GET * 5)[number % 5])
        for _ in range(20):
            assert exchange(endpoint, GET).status == 200


def test_a_client_that_asks_without_end_and_never_reads_is_held_back(endpoint: str) -> None:
    with RawConnection(endpoint) as greedy:
        sent = greedy.send_until_stuck(GET * 200, 256 << 20)
        assert sent < 256 << 20
        assert exchange(endpoint, GET).status == 200
