"""The proxy's randomness repeats itself with its seed, whatever other proxies do."""

from __future__ import annotations

import asyncio
import itertools

from chaos.proxy import ProxyServer
from chaos.proxy.toxic import parse

HIT = b'{"type":"limit_data","toxicity":0.5,"attributes":{"bytes":0}}'
CONNECTIONS = 40


async def hits(seed: int | None, name: str = "one", *, beside: bool = False) -> list[bool]:
    """Which of so many connections one after the other are hit by a toxic of toxicity 0.5."""
    served: list[asyncio.StreamWriter] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(writer)
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    upstream = await asyncio.start_server(echo, "127.0.0.1", 0)
    address = f"127.0.0.1:{upstream.sockets[0].getsockname()[1]}"
    server = ProxyServer(seed=seed)
    names = [name, "beside"] if beside else [name]
    proxies = {each: await server.proxies.add(each, "", address, enabled=True) for each in names}
    for proxy in proxies.values():
        proxy.add_toxic(parse(HIT, ()))
    seen = []
    for _, each in itertools.product(range(CONNECTIONS), names):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(proxies[each].listen.rpartition(":")[2]))
        writer.write(b"x")
        hit = not await reader.read(1)
        writer.close()
        await writer.wait_closed()
        if each == name:
            seen.append(hit)
    await server.stop()
    upstream.close()
    for writer in served:
        writer.close()
        await writer.wait_closed()
    return seen


async def test_the_same_seed_hits_the_same_connections() -> None:
    first = await hits(7)
    assert {True, False} == set(first)
    assert await hits(7) == first
    assert await hits(7, beside=True) == first


async def test_another_seed_or_another_proxy_is_hit_otherwise() -> None:
    first = await hits(7)
    assert await hits(8) != first
    assert await hits(7, "two") != first
