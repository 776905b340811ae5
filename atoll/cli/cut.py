"""``atoll cut``: nothing gets over a link any more."""

from __future__ import annotations

import click

from atoll.cli import faulting, options


@click.command("cut")
@click.argument("link", metavar="SRC->DST")
@click.option(
    "--mode",
    type=click.Choice(["refuse", "blackhole", "data", "acks"]),
    default="blackhole",
    show_default=True,
    help="refuse: connections are reset and refused; blackhole: swallowed without a word; data, acks: one way.",
)
@faulting.for_option
@options.cluster_option
@options.json_option
def command(link: str, mode: str, for_ms: int | None, cluster: str | None, as_json: bool) -> None:
    """Cut the link SRC->DST (quote it, or write SRC:DST; * is every region)."""
    faulting.apply({"kind": "cut", "link": link, "mode": mode}, for_ms, cluster, as_json=as_json)
