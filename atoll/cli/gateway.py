"""``atoll gateway``: one address for all regions of a cluster; a request goes to the region that it was signed for."""

from __future__ import annotations

from ssl import SSLContext

import click

from atoll import tether
from atoll.cli import options, status
from atoll.failure import UsageError
from atoll.gateway import Gateway
from atoll.trust import Trust, serving

PORT = 8090


@click.command("gateway")
@options.cluster_option
@click.option(
    "--region", "routes", multiple=True, metavar="REGION=URL", help="A region's endpoint, instead of a cluster."
)
@click.option("--admin", "admins", multiple=True, metavar="REGION=URL", help="A region's admin address, with --region.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the gateway listens.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Its port; 0 takes any free one."
)
@options.serving
@click.option(
    "--authorities", type=click.Path(exists=True, dir_okay=False), metavar="FILE", help="Whom to trust, with --region."
)
@click.option("--tethered", is_flag=True, hidden=True)
def command(
    cluster: str | None,
    routes: tuple[str, ...],
    admins: tuple[str, ...],
    host: str,
    port: int,
    tethered: bool,
    **files: str | None,
) -> int:
    """Serve all regions at one address, until SIGTERM or Ctrl-C.

    For programs that know one URL and many regions: each request goes to the region that it was signed for.
    """

    async def serve() -> None:
        until = tether.Until(tethered=tethered)
        shown = Trust(**{name: file or "" for name, file in files.items()})
        where = _given(routes, admins, shown) if routes else _found(cluster)
        gateway = Gateway(*where, shown=serving(shown.certificate, shown.key))
        url = await gateway.start(host, port)
        try:
            await until.told(url, f"The gateway is ready at {url}, for {', '.join(gateway.regions)}.")
        finally:
            await gateway.stop()

    return tether.run(serve, tethered=tethered)


Where = tuple[dict[str, str], dict[str, str], SSLContext | None]
"""Endpoints and admin URLs by region, and how their certificates are judged."""


def _given(routes: tuple[str, ...], admins: tuple[str, ...], shown: Trust) -> Where:
    """Return what was given. To regions, too, the gateway shows its certificate."""
    endpoints = dict(_route(route) for route in routes)
    over_tls = any(url.startswith("https:") for url in endpoints.values())
    return endpoints, dict(_route(admin) for admin in admins), shown.context() if over_tls else None


def _route(text: str) -> tuple[str, str]:
    region, _, url = text.partition("=")
    if not region or not url.startswith(("http://", "https://")):
        raise UsageError(f"{text!r} is no REGION=URL.", "Write --region us-east-1=http://127.0.0.1:8000.")
    return region, url.rstrip("/")


def _found(cluster: str | None) -> Where:
    """Return the URLs of a running cluster's regions; one that is down has none to forward to."""
    clients = options.find(cluster)
    found = {region: known.addresses for region, known in status.ask(clients).items() if known}
    return (
        {region: it.api for region, it in found.items()},
        {region: it.admin for region, it in found.items()},
        options.tls(clients),
    )
