"""``atoll rpo``: which acknowledged writes would be lost if a region died now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import click
import msgspec

from atoll.cli import options
from atoll.cli.lag import span
from atoll.failure import EXIT_FAILED, UnreachableError
from atoll.remote import AdminClient
from atoll.rendezvous import require_region
from atoll.report import ExposedWrite, RiskReport, RpoReport


@click.command("rpo")
@click.argument("region", required=False)
@click.option("--list", "listed", is_flag=True, help="List the writes of REGION that not every replica has.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="With --list.")
@options.cluster_option
@options.json_option
def command(region: str | None, listed: bool, limit: int, cluster: str | None, as_json: bool) -> int:
    """Show which acknowledged writes would be lost if a region died now; exit code 1 if a region does not answer.

    \b
    nowhere else     no other replica has them: they would be lost
    not everywhere   some replica does not have them yet
    oldest           how long ago the oldest was committed: the recovery point that could be promised

    Only what a replica has acknowledged as durable counts. Tables with one replica are left out.
    """
    clients = options.find(cluster)
    if listed:
        if region is None:
            raise click.UsageError("Name the REGION whose writes to list.")
        _list(require_region(region, clients), limit, as_json=as_json)
        return 0
    if region is not None:
        clients = {region: require_region(region, clients)}
    reports = _ask(clients)
    if as_json:
        click.echo(msgspec.json.encode(reports).decode())
    else:
        _show(reports)
    return 0 if all(reports.values()) else EXIT_FAILED


def _ask(clients: Mapping[str, AdminClient]) -> dict[str, RpoReport | None]:
    reports: dict[str, RpoReport | None] = {}
    for region, client in clients.items():
        try:
            reports[region] = client.rpo()
        except UnreachableError:
            reports[region] = None
    return reports


def _show(reports: Mapping[str, RpoReport | None]) -> None:
    numbers = ("nowhere else", "bytes", "oldest", "not everywhere", "bytes ", "oldest ")
    table = options.columns("region", *numbers, "", right=numbers)
    for region, report in reports.items():
        if report is None:
            table.add_row(region, *["?"] * 6, "[red]does not answer: what only it has is gone while it is[/red]")
            continue
        note = f"not heard since its start: {', '.join(report.unheard)}" if report.unheard else ""
        table.add_row(region, *_risk(report.nowhere_else), *_risk(report.not_everywhere), note)
    options.console().print(table)


def _risk(risk: RiskReport) -> tuple[str, str, str]:
    about = "" if risk.exact else "at most "
    colour = "red" if risk.records else "green"
    return f"[{colour}]{about}{risk.records:,}[/{colour}]", f"{risk.bytes:,}", span(risk.oldest_s)


def _list(client: AdminClient, limit: int, *, as_json: bool) -> None:
    table = options.columns("sequence", "written", "table", "key", "what", "missing in", right=("sequence",))
    for number, write in enumerate(client.exposed()):
        if number == limit:
            break
        if as_json:
            click.echo(msgspec.json.encode(write).decode())
        else:
            table.add_row(*_row(write))
    if not as_json:
        options.console().print(table if table.rows else "nothing: every replica has everything")


def _row(write: ExposedWrite) -> tuple[str, ...]:
    written = datetime.fromtimestamp(write.written_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
    what = f"{'deletion' if write.deleted else 'write'}, {write.bytes:,} bytes"
    where = ("[red]all others[/red]: " if write.nowhere_else else "") + ", ".join(write.missing)
    return str(write.sequence), written, write.table, bytes(write.key).decode(), what, where
