"""``atoll resume``: end pauses."""

from __future__ import annotations

import json

import click

from atoll import pausing
from atoll.cli import options
from atoll.pausing import Target
from atoll.remote import AdminClient


@click.command("resume")
@click.argument("target", type=options.TargetType(), metavar="[REGION|SRC->DST]", required=False)
@click.option("--table", metavar="TABLE", help="Only the pauses of this table.")
@click.option("--in", "inward", is_flag=True, help="Only what comes into the region.")
@click.option("--out", "outward", is_flag=True, help="Only what goes out of the region.")
@options.cluster_option
@options.json_option
def command(
    target: Target | None, table: str | None, inward: bool, outward: bool, cluster: str | None, as_json: bool
) -> None:
    """End the pauses of REGION, of the link SRC->DST, or of everything; what waited is delivered."""
    if (target is None or target.region is None) and (inward or outward):
        raise click.UsageError("--in and --out go with a region.")
    clients = options.find(cluster)
    targets = [target] if target is not None else [Target(region=region) for region in clients]
    direction: pausing.Direction = "both" if inward == outward else "in" if inward else "out"
    touched = (pausing.apply(clients, each, AdminClient.resume, direction=direction, table=table) for each in targets)
    links = sorted(set().union(*touched))
    if as_json:
        click.echo(json.dumps({"resumed": links}))
        return
    if not links:
        click.echo("There is no such link: nothing was resumed.")
    elif target is None:
        click.echo(f"resumed all {len(links)} links")
    else:
        click.echo("\n".join(f"resumed {link}" for link in links))
