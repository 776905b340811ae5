"""``atoll gateway``: one address for all regions of a cluster; a request goes to the region that it was signed for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import click

from atoll import tether
from atoll.child import Serving
from atoll.cli import options, status
from atoll.failure import RemedyError, UsageError
from atoll.gateway import Gateway

PORT = 8090


@click.command("gateway")
@options.cluster_option
@click.option(
    "--region", "routes", multiple=True, metavar="REGION=URL", help="A region's endpoint, instead of a cluster."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the gateway listens.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Its port; 0 takes any free one."
)
@click.option("--tethered", is_flag=True, hidden=True)
def command(cluster: str | None, routes: tuple[str, ...], host: str, port: int, tethered: bool) -> int:
    """Serve all regions at one address, until SIGTERM or Ctrl-C.

    For programs that know one URL and many regions: each request goes to the region that it was signed for.
    """
    try:
        endpoints = dict(_route(route) for route in routes) or _endpoints(cluster)
        asyncio.run(_serve(endpoints, host, port, tethered=tethered))
    except RemedyError as error:
        if not tethered:
            raise
        tether.report_refusal(error)
        return error.exit_code
    return 0


async def _serve(endpoints: Mapping[str, str], host: str, port: int, *, tethered: bool) -> None:
    stopped = asyncio.Event()
    tether.watch(lambda _: stopped.set(), tethered=tethered)
    gateway = Gateway(endpoints)
    url = await gateway.start(host, port)
    try:
        if tethered:
            tether.report(Serving(url=url))
        else:
            click.echo(f"The gateway is ready at {url}, for {', '.join(endpoints)}.")
        await stopped.wait()
    finally:
        await gateway.stop()


def _route(text: str) -> tuple[str, str]:
    region, _, url = text.partition("=")
    if not region or not url.startswith(("http://", "https://")):
        raise UsageError(f"--region {text!r} is no REGION=URL.", "Write --region us-east-1=http://127.0.0.1:8000.")
    return region, url.rstrip("/")


def _endpoints(cluster: str | None) -> dict[str, str]:
    """Return the endpoints of a running cluster's regions; one that is down has none to forward to."""
    statuses = status.ask(options.find(cluster))
    return {region: known.addresses.api for region, known in statuses.items() if known is not None}
