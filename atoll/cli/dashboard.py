"""``atoll dashboard``: the live page of a running cluster."""

from __future__ import annotations

from ssl import SSLContext

import click

from atoll import remote_control, tether
from atoll.cli import options
from atoll.failure import StartError, UsageError
from atoll.steering import Laboratories, Pauses
from atoll.trust import serving
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
@options.serving
@click.option("--tethered", is_flag=True, hidden=True)
def command(cluster: str | None, host: str, port: int, tethered: bool, certificate: str | None, key: str | None) -> int:
    """Serve the live page of a running cluster, until SIGTERM or Ctrl-C."""

    async def serve() -> None:
        await _serve(cluster, host, port, serving(certificate or "", key or ""), tethered=tethered)

    return tether.run(serve, tethered=tethered)


def _control(cluster: str | None) -> str | None:
    """Return the control address of a cluster that has one."""
    try:
        return remote_control.find(cluster).url
    except UsageError:
        return None


async def _serve(cluster: str | None, host: str, port: int, shown: SSLContext | None, *, tethered: bool) -> None:
    until = tether.Until(tethered=tethered)
    clients, control = options.find(cluster), _control(cluster)
    controls = Pauses(clients) if control is None else Laboratories(control)
    admins = {region: client.url for region, client in clients.items()}
    page = Dashboard(admins, SystemClock(), SystemRng(), controls, trusted=options.tls(clients), shown=shown)
    try:
        url = await page.start(host, port)
    except OSError as error:
        raise StartError(
            f"Port {port} of {host} for the dashboard cannot be used: {error.strerror}.",
            "End the process that holds it, or choose another with --port.",
        ) from error
    try:
        await until.told(url, f"The dashboard is at {url}")
    finally:
        await page.stop()
