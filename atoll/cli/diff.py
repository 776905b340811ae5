"""``atoll diff``: the keys under which the replicas of a table differ."""

from __future__ import annotations

import click
import msgspec

from atoll import differences, moments
from atoll.cli import options
from atoll.comparisons import HeldVersion
from atoll.differences import Differences
from atoll.failure import EXIT_FAILED
from atoll.findings import shown_key

SHOWN_MAX = 1000


@click.command("diff")
@click.argument("table")
@click.option("--recount", is_flag=True, help="Make digests anew from the rows first: finds a file that was changed.")
@options.cluster_option
@options.json_option
def command(table: str, recount: bool, cluster: str | None, as_json: bool) -> int:
    """Name the keys under which the replicas of TABLE differ.

    Digests are compared first, so that equal replicas cost next to nothing. What differs only because it is still on
    its way is looked at again a few times. Exit code 0 if all are equal, 1 if they differ, or could not be compared.
    """
    found = differences.gather(options.find(cluster), table, recount=recount)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        show(found)
    return EXIT_FAILED if found.keys or found.problems or not found.regions else 0


def show(found: Differences) -> None:
    """Print the differences for people."""
    for pair, problem in found.problems.items():
        click.echo(f"{pair}: not compared: {problem}", err=True)
    if not found.regions:
        click.echo(f"No region has a table {found.table}.", err=True)
        return
    if not found.keys:
        if not found.problems:
            click.echo(f"{found.table} is equal in {', '.join(found.regions)}.")
        return
    click.echo(f"{found.table}: {len(found.keys):,} {'key differs' if len(found.keys) == 1 else 'keys differ'}")
    regions = sorted({region for key in found.keys for region in key.regions})
    table = options.columns("key", *regions, "", wrapped=("key",))
    for key in found.keys[:SHOWN_MAX]:
        cells = [_cell(key.regions.get(region)) if region in key.regions else "" for region in regions]
        table.add_row(shown_key(key.item_key), *cells, "" if key.settled else "on its way")
    options.console().print(table, highlight=False, markup=False)


def _cell(held: HeldVersion | None) -> str:
    if held is None:
        return "no item"
    what = "deleted" if held.deleted else "written"
    return f"{what} {moments.clock(held.hlc >> 16)} in {held.origin}"
