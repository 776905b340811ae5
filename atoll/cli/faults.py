"""``atoll faults``: what is broken on purpose just now."""

from __future__ import annotations

import click
import msgspec

from atoll import remote_control
from atoll.cli import options
from atoll.control import toml


@click.command("faults")
@options.cluster_option
@options.json_option
def command(cluster: str | None, as_json: bool) -> None:
    """List the faults that stand, with what probes measured of them."""
    standing = remote_control.find(cluster).faults()
    if as_json:
        click.echo(msgspec.json.encode(standing).decode())
        return
    if not standing:
        click.echo("Nothing is broken.")
        return
    table = options.columns("number", "fault", "ends in", "measured", right=("number",), wrapped=("fault", "measured"))
    for fault in standing:
        told = {name: value for name, value in fault.fault.items() if name not in ("at_ms", "for_ms")}
        ends = "at `atoll heal`" if fault.remaining_s is None else f"{fault.remaining_s:.0f} s"
        measured = "; ".join(f"{target}: {words}" for target, words, _ in fault.effects)
        table.add_row(str(fault.number), toml(told), ends, measured)
    options.console().print(table)
