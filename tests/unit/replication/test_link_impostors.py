"""Links over mutual TLS, from the attacker's side: missing, foreign, expired and borrowed certificates, replays."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from atoll import authority
from atoll.config import TlsConfig
from atoll.failure import StartError
from atoll.tls import Tls
from clock import SystemClock
from region.errors import ReplicationError
from region.randomness import SeededRng
from replication import Connection, Listener, WebSocketTransport
from replication.link import connect
from replication.message import Subscribe, encode

EAST, WEST, SOUTH = "us-east-1", "eu-west-1", "sa-east-1"
DAY_MS = 24 * 60 * 60 * 1000
HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of a fleet, one of a client, an expired one, and those of another authority."""
    made = tmp_path_factory.mktemp("certificates")
    now_ms = SystemClock().now_ms()
    authority.make(made, regions=(EAST, WEST), clients=("client",), now_ms=now_ms)
    authority.make(made, regions=(SOUTH,), days=1, now_ms=now_ms - 2 * DAY_MS)
    authority.make(made / "others", regions=(EAST, WEST), now_ms=now_ms)
    return made


def transport(folder: Path, name: str) -> WebSocketTransport:
    config = TlsConfig(
        certificate=str(folder / f"{name}.pem"),
        key=str(folder / f"{name}-key.pem"),
        authorities=str(folder / "ca.pem"),
        replication=True,
    )
    return WebSocketTransport(Tls(config).peers)


class Source:
    """The listener of one region, and who got so far as to be accepted."""

    def __init__(self, transport: WebSocketTransport) -> None:
        self.transport = transport
        self.accepted: asyncio.Queue[Connection] = asyncio.Queue()
        self.listener: Listener | None = None
        self._released = asyncio.Event()

    async def _accept(self, connection: Connection) -> None:
        self.accepted.put_nowait(connection)
        await self._released.wait()

    async def start(self) -> None:
        self.listener = await self.transport.serve(HOST, 0, self._accept)

    @property
    def port(self) -> int:
        assert self.listener is not None
        return self.listener.port

    @property
    def url(self) -> str:
        return f"wss://{HOST}:{self.port}"

    async def stop(self) -> None:
        self._released.set()
        assert self.listener is not None
        await self.listener.close()
        await self.transport.close()


@pytest.fixture
async def east(folder: Path) -> AsyncIterator[Source]:
    source = Source(transport(folder, EAST))
    await source.start()
    yield source
    await source.stop()


async def refused(source: Source, sink: WebSocketTransport, url: str | None = None) -> str:
    """Return why a sink gets no connection that carries anything, whether it or the source sees to that."""
    try:
        connection = await sink.connect(url or source.url)
        try:
            # With TLS 1.3 a client believes that it is connected before the server has seen its certificate.
            await connection.receive()
        finally:
            await connection.close()
    except ReplicationError as error:
        return str(error)
    finally:
        await sink.close()
    raise AssertionError("the attacker was let in")


async def test_both_ends_learn_who_the_other_is_by_its_certificate(east: Source, folder: Path) -> None:
    west = transport(folder, WEST)
    near = await connect(west, east.url, EAST, 5)
    far = await east.accepted.get()
    assert (near.region, far.region) == (EAST, WEST)
    await near.send(b"frame")
    assert await far.receive() == b"frame"
    await near.close()
    await west.close()


async def test_a_peer_that_proves_to_be_another_region_than_asked_for_is_left(east: Source, folder: Path) -> None:
    west = transport(folder, WEST)
    with pytest.raises(ReplicationError, match=f"stands for {SOUTH}, but its certificate is that of {EAST}"):
        await connect(west, east.url, SOUTH, 5)
    await west.close()


async def test_a_peer_without_a_certificate_is_refused(east: Source, folder: Path) -> None:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    reader, writer = await asyncio.open_connection(HOST, east.port, ssl=context)
    writer.write(b"GET /replicate HTTP/1.1\r\nHost: x\r\n\r\n")
    with suppress(ssl.SSLError):  # The alert, unless the end of the connection overtakes it.
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    assert east.accepted.empty()


@pytest.mark.parametrize("name", [EAST, WEST])
async def test_a_certificate_of_another_authority_is_refused(east: Source, folder: Path, name: str) -> None:
    impostor = transport(folder / "others", name)
    assert "certificate verify failed" in await refused(east, impostor)
    # One that trusts whom it should, but cannot show what it must.
    config = TlsConfig(
        certificate=str(folder / "others" / f"{name}.pem"),
        key=str(folder / "others" / f"{name}-key.pem"),
        authorities=str(folder / "ca.pem"),
        replication=True,
    )
    assert await refused(east, WebSocketTransport(Tls(config).peers))
    assert east.accepted.empty()


async def test_a_source_of_another_authority_is_refused_by_the_sink(folder: Path) -> None:
    impostor = Source(transport(folder / "others", EAST))
    await impostor.start()
    assert "certificate verify failed" in await refused(impostor, transport(folder, WEST))
    await impostor.stop()


async def test_an_expired_certificate_is_refused_at_either_end(east: Source, folder: Path) -> None:
    assert await refused(east, transport(folder, SOUTH))
    assert east.accepted.empty()
    south = Source(transport(folder, SOUTH))
    await south.start()
    assert "certificate has expired" in await refused(south, transport(folder, WEST))
    await south.stop()


async def test_a_certificate_of_the_fleet_that_names_no_region_opens_no_link(east: Source, folder: Path) -> None:
    assert await refused(east, transport(folder, "client"))
    assert east.accepted.empty()
    client = Source(transport(folder, "client"))
    await client.start()
    assert "names no region" in await refused(client, transport(folder, WEST))
    await client.stop()


async def test_a_plain_peer_is_refused_and_none_is_called_plainly(east: Source, folder: Path) -> None:
    assert await refused(east, WebSocketTransport(), f"ws://{HOST}:{east.port}")
    assert east.accepted.empty()
    assert "TLS only" in await refused(east, transport(folder, WEST), f"ws://{HOST}:{east.port}")


async def test_a_source_that_speaks_plainly_is_refused_by_the_sink(folder: Path) -> None:
    plain = Source(WebSocketTransport())
    await plain.start()
    assert await refused(plain, transport(folder, WEST))
    await plain.stop()


async def test_links_speak_tls_1_3_and_nothing_older(east: Source, folder: Path) -> None:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / f"{WEST}.pem", folder / f"{WEST}-key.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(HOST, east.port, ssl=context)


async def test_what_was_recorded_on_the_wire_says_nothing_and_opens_nothing_when_replayed(
    east: Source, folder: Path
) -> None:
    recorded: list[bytes] = []

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: bool) -> None:
        while data := await reader.read(65536):
            if record:
                recorded.append(data)
            writer.write(data)
        writer.close()

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, on = await asyncio.open_connection(HOST, east.port)
        await asyncio.gather(relay(reader, on, True), relay(back, writer, False))

    tap = await asyncio.start_server(between, HOST, 0)
    west = transport(folder, WEST)
    near = await connect(west, f"wss://{HOST}:{tap.sockets[0].getsockname()[1]}", EAST, 5)
    far = await east.accepted.get()
    frame = encode(Subscribe(WEST, EAST, "", 0, 1 << 20))
    await near.send(frame)
    assert await far.receive() == frame
    await near.close()
    await west.close()
    tap.close()
    stream = b"".join(recorded)
    assert len(stream) > len(frame)
    assert WEST.encode() not in stream
    reader, writer = await asyncio.open_connection(HOST, east.port)
    writer.write(stream)
    writer.write_eof()
    answer: Any = await asyncio.wait_for(reader.read(), 5)
    assert b"HTTP/1.1" not in answer
    assert east.accepted.empty()
    writer.close()


def test_files_that_do_not_fit_stop_a_start_with_a_sentence(folder: Path, tmp_path: Path) -> None:
    good = {"certificate": str(folder / f"{EAST}.pem"), "key": str(folder / f"{EAST}-key.pem")}
    noise = tmp_path / "noise.pem"
    noise.write_bytes(SeededRng(1).token(64).encode())
    for change, words in (
        ({"certificate": "missing.pem"}, "missing.pem cannot be used for TLS: No such file"),
        ({"key": str(folder / f"{WEST}-key.pem")}, "cannot be used for TLS: .*mismatch"),
        ({"authorities": str(noise), "client_certificates": True}, "noise.pem cannot be used for TLS"),
    ):
        with pytest.raises(StartError, match=words):
            Tls(TlsConfig(**{**good, **change}))
