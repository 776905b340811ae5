"""``atoll fault``: any fault, as a scenario file writes it."""

from __future__ import annotations

import tomllib

import click

from atoll.cli import faulting, options


@click.command("fault")
@click.argument("table", metavar="TOML")
@faulting.for_option
@options.cluster_option
@options.json_option
def command(table: str, for_ms: int | None, cluster: str | None, as_json: bool) -> None:
    """Apply any fault, written as in a scenario file: '{ kind = "loss", link = "a->b", share = 0.2 }'.

    \b
    links    cut, delay, loss, bandwidth, tear, pause
    regions  clock-offset, clock-drift, clock-jump, clock-freeze, crash, suspend,
             disk-full, disk-slow, restore-old-copy
    """
    try:
        parsed = tomllib.loads(f"fault = {table}")["fault"]
    except tomllib.TOMLDecodeError as error:
        raise click.UsageError(f"{table} is no table of TOML: {error}") from error
    if not isinstance(parsed, dict):
        raise click.UsageError(f"{table} is no table of TOML: write it in braces.")
    faulting.apply(parsed, for_ms, cluster, as_json=as_json)
