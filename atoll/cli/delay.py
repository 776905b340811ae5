"""``atoll delay``: what a link carries arrives later."""

from __future__ import annotations

import click

from atoll.cli import faulting, options


@click.command("delay")
@click.argument("link", metavar="SRC->DST")
@click.argument("delay_ms", type=options.Duration(), metavar="80ms")
@click.option("--jitter", "jitter_ms", type=options.Duration(), default="0ms", help="Up to so much more.")
@faulting.for_option
@options.cluster_option
@options.json_option
def command(link: str, delay_ms: int, jitter_ms: int, for_ms: int | None, cluster: str | None, as_json: bool) -> None:
    """Delay what the link SRC->DST carries, in each direction (quote it, or write SRC:DST; * is every region)."""
    table = {"kind": "delay", "link": link, "ms": delay_ms, "jitter_ms": jitter_ms}
    faulting.apply(table, for_ms, cluster, as_json=as_json)
