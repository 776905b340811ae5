"""What the verbs of faults share: applying a fault at the control address, and saying what was measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from atoll.cli import options
from atoll.remote_control import find

Command = TypeVar("Command", bound=Callable[..., Any])

for_option = click.option(
    "--for", "for_ms", type=options.Duration(), metavar="30s", help="End it after this time; otherwise `atoll heal`."
)


def apply(table: dict[str, Any], for_ms: int | None, cluster: str | None, *, as_json: bool) -> None:
    """Apply a fault and say what came of it."""
    if for_ms is not None:
        table = {**table, "for_ms": for_ms}
    applied = find(cluster).apply(table)
    if as_json:
        click.echo(msgspec.json.encode(applied).decode())
        return
    for target, measured, _ in applied.effects:
        click.echo(f"{applied.fault['kind']} {target}: {measured}")
    if not applied.effects:
        click.echo(f"{applied.fault['kind']}: begun")
    if applied.fault["kind"] != "tear":
        span = "until `atoll heal`" if for_ms is None else f"for {for_ms / 1000:g} s"
        click.echo(f"number {applied.number}, {span}")
