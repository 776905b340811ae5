"""``atoll inspect``: one item in all regions side by side, now or at a moment, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from atoll import moments, sideways
from atoll.cli import options
from atoll.cli.conflicts import Lines
from atoll.failure import EXIT_FAILED
from atoll.findings import Inspection, shown_key
from atoll.sideways import Step, View

if TYPE_CHECKING:
    from rich.table import Table

_DIFFERS: Final = "≠"
_SHOWN_MAX: Final = 60


@click.command("inspect")
@click.argument("table")
@click.argument("key")
@click.option("--at", type=options.Moment(), help="A moment: 2026-11-27T05:00:00Z, epoch seconds, or -30s. Else now.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=0), help="The newest N changes.")
@click.option("--search", default=200_000, show_default=True, type=click.IntRange(min=1), help="Records of each log.")
@options.cluster_option
@options.json_option
def command(table: str, key: str, at: str | None, limit: int, search: int, cluster: str | None, as_json: bool) -> int:
    """Show one item as every region holds it, or saw it at a moment; its history; and its conflicts.

    KEY is the key's value ('a', or 'a,b' with a sort key) or DynamoDB JSON. Attributes that differ are marked with ≠.
    Exit code 1 if a region does not answer.
    """
    parameters = {"limit": str(limit), "search": str(search), **({} if at is None else {"at": at})}
    view = sideways.look(options.find(cluster), table, key, parameters)
    if as_json:
        click.echo(msgspec.json.encode(view).decode())
    else:
        _show(view)
    return EXIT_FAILED if None in view.regions.values() else 0


def _show(view: View) -> None:
    console = options.console()
    first = next(each for each in view.regions.values() if each is not None)
    when = "now" if first.at_ms is None else f"{(first.now_ms - first.at_ms) / 1000:,.1f} s ago"
    console.print(f"{view.table}  {shown_key(first.item_key)}  {when}", highlight=False, markup=False)
    console.print()
    console.print(_side_by_side(view))
    for region, each in view.regions.items():
        if each is not None and each.note:
            console.print(f"{region}: {each.note}.", highlight=False, markup=False)
    if view.history:
        console.print()
        console.print(_history(view.history))
    short = [region for region, each in view.regions.items() if each is not None and not each.searched.complete]
    if short:
        click.echo(f"Not the whole log was searched in {', '.join(short)}; --search looks at more.")
    if view.conflicts:
        click.echo()
        lines = Lines(view.conflicts)
        for conflict in view.conflicts:
            for line in lines.of(conflict):
                click.echo(line)


def _side_by_side(view: View) -> Table:
    from rich.markup import escape  # noqa: PLC0415  Only a person needs it, and it costs 50 ms.

    regions = view.regions
    table = options.columns("", "", *regions, wrapped=tuple(regions))
    table.add_row("", "state", *(_state(each) for each in regions.values()))
    table.add_row("", "written", *(_written(each) for each in regions.values()))
    names = {name: None for each in regions.values() if each is not None for name in sideways.image_of(each)}
    for name in sorted(names):
        differs = name in view.differing
        cells = [escape(_value(each, name)) for each in regions.values()]
        if differs:
            cells = [f"[yellow]{cell}[/yellow]" for cell in cells]
        table.add_row(f"[yellow]{_DIFFERS}[/yellow]" if differs else "", escape(name), *cells)
    return table


def _state(each: Inspection | None) -> str:
    if each is None:
        return "[red]unreachable[/red]"
    if each.source == "unknown":
        return "[yellow]unknown[/yellow]"
    if each.held is None:
        return "no item"
    return "deleted" if each.held.image is None else "present"


def _written(each: Inspection | None) -> str:
    if each is None or each.held is None or not each.held.hlc:
        return "-"
    return f"{moments.clock(each.held.hlc >> 16)} in {each.held.origin}"


def _value(each: Inspection | None, name: str) -> str:
    value = None if each is None else sideways.image_of(each).get(name)
    return "-" if value is None else shown(value)


def shown(value: Mapping[str, Any]) -> str:
    """Return an attribute value as a person reads it, shortened."""
    ((kind, content),) = value.items()
    text = content if kind == "N" else msgspec.json.encode(content if kind in ("S", "BOOL") else value).decode()
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"


def _history(steps: list[Step]) -> Table:
    from rich.markup import escape  # noqa: PLC0415  Only a person needs it, and it costs 50 ms.

    table = options.columns("written", "in", "did", "seen", "request", wrapped=("seen", "request"))
    for step in steps:
        write = step.write
        seen = [f"{region} +{seen_ms - write.written_ms:,} ms" for region, seen_ms in sorted(step.seen_ms.items())]
        did = "expired" if write.expiry else write.effect
        marks = [f"in transaction {write.group}"] if write.group else []
        marks += [f"if {write.condition}"] if write.condition else []
        row = (moments.clock(write.written_ms), write.origin, escape(" ".join((did, *marks))))
        table.add_row(*row, ", ".join(seen), escape(write.request_id or "-"))
    return table
