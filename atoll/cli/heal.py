"""``atoll heal``: everything works again."""

from __future__ import annotations

import json

import click

from atoll import remote_control
from atoll.cli import options


@click.command("heal")
@click.argument("number", type=int, required=False)
@options.cluster_option
@options.json_option
def command(number: int | None, cluster: str | None, as_json: bool) -> None:
    """End the fault NUMBER, or every fault and pause; start every region that is down, and wait until links answer."""
    control = remote_control.find(cluster)
    ended = control.heal() if number is None else control.end(number)
    if as_json:
        click.echo(json.dumps({"ended": ended}))
    elif ended:
        click.echo(f"ended {len(ended)} fault{'' if len(ended) == 1 else 's'}: {', '.join(map(str, ended))}")
    else:
        click.echo("Nothing was broken.")
