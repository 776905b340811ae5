"""``atoll kill``: a region's process dies at once, or stands still."""

from __future__ import annotations

import click

from atoll.cli import faulting, options


@click.command("kill")
@click.argument("region")
@click.option("--suspend", is_flag=True, help="Stop the process where it stands (SIGSTOP) instead of ending it.")
@faulting.for_option
@options.cluster_option
@options.json_option
def command(region: str, suspend: bool, for_ms: int | None, cluster: str | None, as_json: bool) -> None:
    """Kill the process of REGION (kill -9); it starts again after --for, or with `atoll heal`."""
    kind = "suspend" if suspend else "crash"
    faulting.apply({"kind": kind, "region": region}, for_ms, cluster, as_json=as_json)
