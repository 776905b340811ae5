"""``atoll dashboard``: the live page of a running cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import click

from atoll import tether
from atoll.child import Serving
from atoll.cli import options
from atoll.failure import RemedyError, StartError
from clock import SystemClock
from dashboard import Dashboard
from region.randomness import SystemRng

PORT = 8080


@click.command("dashboard")
@options.cluster_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the page is served.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Its port; 0: any free one."
)
@click.option("--tethered", is_flag=True, hidden=True)
def command(cluster: str | None, host: str, port: int, tethered: bool) -> int:
    """Serve the live page of a running cluster, until SIGTERM or Ctrl-C."""
    try:
        admins = {region: client.url for region, client in options.find(cluster).items()}
        asyncio.run(_serve(admins, host, port, tethered=tethered))
    except RemedyError as error:
        if not tethered:
            raise
        tether.report_refusal(error)
        return error.exit_code
    return 0


async def _serve(admins: Mapping[str, str], host: str, port: int, *, tethered: bool) -> None:
    stopped = asyncio.Event()
    tether.watch(lambda _: stopped.set(), tethered=tethered)
    page = Dashboard(admins, SystemClock(), SystemRng())
    try:
        url = await page.start(host, port)
    except OSError as error:
        raise StartError(
            f"Port {port} of {host} for the dashboard cannot be used: {error.strerror}.",
            "End the process that holds it, or choose another with --port.",
        ) from error
    try:
        if tethered:
            tether.report(Serving(url=url))
        else:
            click.echo(f"The dashboard is at {url}")
        await stopped.wait()
    finally:
        await page.stop()
