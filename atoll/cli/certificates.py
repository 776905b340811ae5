"""``atoll certificates``: an authority and certificates for regions and clients, in a folder."""

from __future__ import annotations

from pathlib import Path

import click

from atoll import authority
from atoll.failure import UsageError
from clock import SystemClock


@click.command("certificates")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--region", "regions", multiple=True, metavar="NAME", help="Make a region's certificate.")
@click.option("--client", "clients", multiple=True, metavar="NAME", help="Make a client's certificate.")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME|IP",
    default=authority.HOSTS,
    show_default=True,
    help="Where they are reached; may be given several times.",
)
@click.option(
    "--days",
    type=click.IntRange(1, authority.AUTHORITY_DAYS),
    default=authority.DAYS,
    show_default=True,
    help="How long they hold.",
)
def command(
    folder: Path, regions: tuple[str, ...], clients: tuple[str, ...], hosts: tuple[str, ...], days: int
) -> None:
    """Make an authority in a folder, if there is none, and certificates of regions and clients, anew each time.

    A running region takes new files at SIGHUP.
    """
    for name in (*regions, *clients):
        if name == authority.AUTHORITY or Path(name).name != name or name.startswith("."):
            raise UsageError(f"{name!r} cannot be the name of a certificate.", "Give a plain name, such as us-east-1.")
    if twice := set(regions) & set(clients):
        raise UsageError(f"{min(twice)} is named as a region and as a client.", "Give them different names.")
    made = authority.make(
        folder, regions=regions, clients=clients, hosts=hosts, days=days, now_ms=SystemClock().now_ms()
    )
    for path in made:
        click.echo(f"{path}  {'trust this' if path == made[0] else f'key: {path.stem}-key.pem'}")
