"""``atoll pause``: stop replication of a region, or of one directed link, without touching its clients."""

from __future__ import annotations

import json

import click

from atoll import pausing
from atoll.cli import options
from atoll.pausing import Target
from atoll.remote import AdminClient


@click.command("pause")
@click.argument("target", type=options.TargetType(), metavar="REGION|SRC->DST")
@click.option(
    "--for", "for_ms", type=options.Duration(), metavar="30s", help="End the pause by itself after this time."
)
@click.option("--table", metavar="TABLE", help="Only this table's changes; others flow past them.")
@click.option("--in", "inward", is_flag=True, help="Only what comes into the region.")
@click.option("--out", "outward", is_flag=True, help="Only what goes out of the region.")
@options.cluster_option
@options.json_option
def command(
    target: Target,
    for_ms: int | None,
    table: str | None,
    inward: bool,
    outward: bool,
    cluster: str | None,
    as_json: bool,
) -> None:
    """Pause replication into and out of REGION, or of the link SRC->DST (quote it, or write SRC:DST).

    Clients go on reading and writing everywhere. What waits is delivered after `atoll resume`, or when --for is over;
    a region that restarts meanwhile is paused as before.
    """
    if target.region is None and (inward or outward):
        raise click.UsageError("A link has one direction: leave --in and --out away.")
    direction: pausing.Direction = "both" if inward == outward else "in" if inward else "out"
    links = pausing.apply(
        options.find(cluster), target, AdminClient.pause, direction=direction, for_ms=for_ms, table=table
    )
    if as_json:
        click.echo(json.dumps({"paused": links, "table": table, "for_ms": for_ms}))
        return
    what = f"{table} on " if table is not None else ""
    span = f" for {for_ms / 1000:g} s" if for_ms is not None else " until `atoll resume`"
    for link in links:
        click.echo(f"paused {what}{link}{span}")
    if not links:
        click.echo("There is no such link: nothing was paused.")
