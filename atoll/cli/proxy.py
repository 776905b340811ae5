"""``atoll proxy``: the embedded TCP proxy alone, for whatever a Toxiproxy client wants to break."""

from __future__ import annotations

import os
from pathlib import Path

import click

from atoll import tether
from atoll.failure import StartError, UsageError

PORT = 8474


@click.command("proxy")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the API listens.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Its port; 0 takes any free one."
)
@click.option(
    "--config", "file", type=click.Path(path_type=Path), metavar="FILE", help="JSON: an array of proxies to begin with."
)
@click.option("--seed", type=int, metavar="N", help="Makes toxicity and jitter repeat themselves.")
@click.option("--metrics", is_flag=True, help="Serve /metrics.")
@click.option("--tethered", is_flag=True, hidden=True)
def command(host: str, port: int, file: Path | None, seed: int | None, metrics: bool, tethered: bool) -> int:
    """Run a TCP proxy with the HTTP API of Toxiproxy 2.12, until SIGTERM or Ctrl-C."""

    async def serve() -> None:
        proxies = b"[]" if file is None else _read(file)
        await _serve(host, port, proxies, seed, metrics=metrics, tethered=tethered)

    return tether.run(serve, tethered=tethered)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "Give a JSON file of proxies.") from error


async def _serve(host: str, port: int, proxies: bytes, seed: int | None, *, metrics: bool, tethered: bool) -> None:
    # Loaded here, so that the verb's help costs nothing.
    from chaos.proxy import ApiError, ProxyServer  # noqa: PLC0415

    until = tether.Until(tethered=tethered)
    server = ProxyServer(seed=seed, metrics=metrics)
    try:
        await server.start(host, port)
    except OSError as error:
        raise StartError(
            f"Port {port} of {host} for the proxy's API cannot be used: {os.strerror(error.errno or 0)}.",
            "End the process that holds it, or choose another with --port.",
        ) from error
    url = f"http://{f'[{host}]' if ':' in host else host}:{server.port}"
    try:
        made = await server.populate(proxies)
        await until.told(url, f"{made} proxies; the API of Toxiproxy is at {url}")
    except ApiError as error:
        raise UsageError(f"The proxies cannot be made: {error.message}.", "Correct the file.") from error
    finally:
        await server.stop()
