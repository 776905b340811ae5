"""``atoll force``: let a link's parked changes pass."""

from __future__ import annotations

import json

import click

from atoll.cli import options
from atoll.pausing import Target
from atoll.rendezvous import require_region


@click.command("force")
@click.argument("target", type=options.TargetType(), metavar="SRC->DST")
@options.cluster_option
@options.json_option
def command(target: Target, cluster: str | None, as_json: bool) -> None:
    """Let the changes pass that the link SRC->DST has parked because the clock of SRC is too far ahead.

    DST's own clock follows them: what is written there from now on is later than they are, so DST may be too far ahead
    for others in its turn. Changes that come later pass too, while they are no further ahead than those; a source whose
    clock was right once, or runs further ahead, is parked again. Mend the clock of SRC first.
    """
    if target.source is None or target.sink is None:
        raise click.UsageError("Name the link: 'us-east-1->eu-west-1'.")
    clients = options.find(cluster)
    require_region(target.source, clients)
    links = require_region(target.sink, clients).force(target.source)
    if as_json:
        click.echo(json.dumps({"forced": links}))
        return
    for link in links:
        click.echo(f"forced {link}")
