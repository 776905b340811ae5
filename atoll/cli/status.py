"""``atoll status``: every region of a cluster, its addresses, tables and links."""

from __future__ import annotations

from collections.abc import Mapping

import click
import msgspec

from atoll.cli import options
from atoll.failure import EXIT_FAILED, UnreachableError
from atoll.remote import AdminClient
from atoll.report import LIVE, LinkReport, Status, TableReport


@click.command("status")
@options.cluster_option
@options.json_option
def command(cluster: str | None, as_json: bool) -> int:
    """Show the regions of a cluster: state, endpoint, tables, links. Exit code 1 if one does not answer."""
    statuses = ask(options.find(cluster))
    if as_json:
        click.echo(msgspec.json.encode(statuses).decode())
    else:
        _show(statuses)
    return 0 if all(statuses.values()) else EXIT_FAILED


def ask(clients: Mapping[str, AdminClient]) -> dict[str, Status | None]:
    """Return the status of each region, ``None`` for one that does not answer."""
    statuses: dict[str, Status | None] = {}
    for region, client in clients.items():
        try:
            statuses[region] = client.status()
        except UnreachableError:
            statuses[region] = None
    return statuses


def _show(statuses: Mapping[str, Status | None]) -> None:
    table = options.columns("region", "state", "endpoint", "tables", "links", wrapped=("tables", "links"))
    for region, status in statuses.items():
        if status is None:
            table.add_row(region, "[red]unreachable[/red]", "", "", "")
            continue
        tables = "\n".join(_table(each) for each in status.tables)
        table.add_row(region, status.state, status.addresses.api, tables or "none", _links(status.links))
    options.console().print(table)


def _table(table: TableReport) -> str:
    state = "" if table.status == "ACTIVE" else f"{table.status} "
    return f"{table.name} {state}({table.items:,} {'item' if table.items == 1 else 'items'})"


def _links(links: list[LinkReport]) -> str:
    """Say how many links are live, and name those that are not."""
    ill = [f"{link.source}->{link.sink} [yellow]{link.state}[/yellow]" for link in links if link.state != LIVE]
    return "\n".join([f"{len(links) - len(ill)} of {len(links)} live", *ill]) if links else "none"
