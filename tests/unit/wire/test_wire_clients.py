"""Client libraries, and bodies that no client library would send, against an endpoint on a real socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import botocore.config
import botocore.session
import orjson
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_endpoint import message, serving

from region.errors import ConditionalCheckFailedError
from region.model.values import normalise_item

KEYS = {"AKIDEXAMPLE": "secret"}


def answer(operation: str, request: dict[str, Any]) -> Any:
    """Answer as an operation would that looks at its values."""
    if operation == "GetItem":
        if request["TableName"] == "failing":
            raise ConditionalCheckFailedError(Item={"a": {"S": "old"}})
        normalise_item(request["Key"])
        return {"Item": request["Key"]}
    return {"TableNames": ["tab"]}


class BackgroundServer:
    """An endpoint in a thread of its own, for clients that block."""

    def __init__(self, **endpoint_settings: Any) -> None:
        self._settings = endpoint_settings
        self._port: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def start(self) -> int:
        self._thread.start()
        return self._port.result(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        async with serving(answer, **self._settings) as server:
            self._port.set_result(server.port)
            await self._stopped.wait()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = BackgroundServer()
    yield server.start()
    server.stop()


@pytest.fixture(scope="module")
def verifying_port() -> Iterator[int]:
    server = BackgroundServer(access_keys=KEYS)
    yield server.start()
    server.stop()


def client(port: int, secret: str = "secret") -> Any:
    session = botocore.session.Session()
    return session.create_client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=secret,
        config=botocore.config.Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=5),
    )


def test_botocore_is_served_and_checks_the_crc(port: int) -> None:
    dynamodb = client(port)
    answered = dynamodb.get_item(TableName="tab", Key={"a": {"B": b"\x00\xff"}})
    assert answered["Item"] == {"a": {"B": b"\x00\xff"}}
    metadata = answered["ResponseMetadata"]
    assert metadata["RequestId"] == metadata["HTTPHeaders"]["x-amzn-requestid"]
    assert "x-amz-crc32" in metadata["HTTPHeaders"]
    dynamodb.close()


def test_botocore_finds_the_error_its_message_and_its_fields(port: int) -> None:
    dynamodb = client(port)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as caught:
        dynamodb.get_item(TableName="failing", Key={"a": {"S": "x"}})
    assert caught.value.response["Error"]["Message"] == "The conditional request failed"
    assert caught.value.response["Item"] == {"a": {"S": "old"}}
    with pytest.raises(ClientError, match=r"ValidationException.*Member must have length less than or equal to 1024"):
        dynamodb.get_item(TableName="t" * 1025, Key={"a": {"S": "x"}})
    dynamodb.close()


def test_botocores_signatures_are_verified(verifying_port: int) -> None:
    good, bad = client(verifying_port), client(verifying_port, "wrong")
    assert good.list_tables()["TableNames"] == ["tab"]
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        bad.list_tables()
    good.close()
    bad.close()


KINDS = ("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL", "X", "")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KINDS), inner, max_size=2)
        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=10,
)
BODIES = (
    st.binary(max_size=60)
    | ANYTHING.map(orjson.dumps)
    | st.fixed_dictionaries({"TableName": ANYTHING, "Key": ANYTHING}).map(orjson.dumps)
    | st.builds(lambda key: orjson.dumps({"TableName": "tab", "Key": {"a": key}}), ANYTHING)
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(BODIES, min_size=1, max_size=12))
def test_no_body_makes_a_5xx_or_a_hang(bodies: list[bytes]) -> None:
    async def send_all() -> list[int]:
        async with serving(answer) as server:
            peer = await server.client()
            for body in bodies:
                peer.send(message("GetItem", body))
            return [(await asyncio.wait_for(peer.answer(), 10)).status for _ in bodies]

    assert set(asyncio.run(send_all())) <= {200, 400}


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 300), st.integers(0, 5))
def test_no_bytes_make_a_hang_or_harm_another_client(noise: bytes, at: int, dropped: int) -> None:
    request = message("GetItem", {"TableName": "tab", "Key": {"a": {"S": "x"}}})

    async def spoil() -> int:
        async with serving(answer) as server:
            peer, other = await server.client(), await server.client()
            peer.send(request[:at] + noise + request[at + dropped :])
            peer.writer.write_eof()
            await asyncio.wait_for(peer.end(), 10)
            return (await other.ask()).status

    assert asyncio.run(spoil()) == 200
