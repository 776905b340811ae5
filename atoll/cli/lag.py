"""``atoll lag``: the five numbers of every link, once or again and again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import click
import msgspec

from atoll.cli import options, status
from atoll.report import LIVE, PARKED, UNREACHABLE, Alarm, LinkReport, Status

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

_WIDE: Final = 120
_COLOURS: Final = {LIVE: "green", PARKED: "red", UNREACHABLE: "red", "needs resynchronisation": "red"}
_WORSE_IF_GREATER: Final = (
    "head",
    "records_behind",
    "oldest_unacknowledged_s",
    "staleness_s",
    "last_exchange_s",
    "paused_for_s",
)


@click.command("lag")
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--every", "every_ms", type=options.Duration(), default="500ms", show_default=True, help="With --watch.")
@options.cluster_option
@options.json_option
def command(watch: bool, every_ms: int, cluster: str | None, as_json: bool) -> None:
    """Show how far each link is behind.

    \b
    behind      changes that are not durable at the sink
    oldest      how long ago the oldest of them was committed
    latency     AWS's ReplicationLatency: from commit at the source to commit at the sink, the median of late
    staleness   how old the sink's view of the source may be, even when nothing is written
    exchange    how long ago anything was heard over the link
    """
    clients = options.find(cluster)
    if as_json:
        while True:
            click.echo(msgspec.json.encode(links(status.ask(clients))).decode())
            if not watch:
                return
            time.sleep(every_ms / 1000)
    console = options.console()

    def shown() -> Group:
        statuses = status.ask(clients)
        return render(links(statuses), console.width, alarms(statuses))

    if not watch:
        console.print(shown())
        return
    from rich.live import Live  # noqa: PLC0415  Only a person needs it, and it costs 50 ms.

    with Live(shown(), console=console, auto_refresh=False) as live:
        while True:
            time.sleep(every_ms / 1000)
            live.update(shown(), refresh=True)


def alarms(statuses: Mapping[str, Status | None]) -> list[Alarm]:
    """Return what waits for a person, in all regions together; a link's two ends may both say so."""
    found = {(alarm.kind, alarm.subject): alarm for each in statuses.values() if each for alarm in each.alarms}
    return [alarm for _, alarm in sorted(found.items())]


def links(statuses: Mapping[str, Status | None]) -> list[LinkReport]:
    """Put the two views of every link together.

    The source knows what is not durable at the sink, the sink how stale it is; of what both know, the worse stands,
    because a link must never look healthier than it is. An end that does not answer makes the link unreachable.
    """
    views: dict[tuple[str, str], list[LinkReport]] = {}
    for link in (link for each in statuses.values() if each is not None for link in each.links):
        views.setdefault((link.source, link.sink), []).append(link)
    down = {region for region, each in statuses.items() if each is None}
    return [_worse(view, down) for _, view in sorted(views.items())]


def _worse(views: list[LinkReport], down: set[str]) -> LinkReport:
    first = views[0]
    for other in views[1:]:
        numbers = {name: _greater(getattr(first, name), getattr(other, name)) for name in _WORSE_IF_GREATER}
        shown = other if first.state == LIVE else first
        first = msgspec.structs.replace(
            shown,
            latency=first.latency or other.latency,
            sequence=min(first.sequence, other.sequence),
            paused_tables={**first.paused_tables, **other.paused_tables},
            **numbers,
        )
    for region in sorted(down & {first.source, first.sink}):
        return msgspec.structs.replace(first, state=UNREACHABLE, detail=f"{region} does not answer")
    return first


def _greater(left: float | None, right: float | None) -> float | None:
    return max((number for number in (left, right) if number is not None), default=None)


def render(reports: list[LinkReport], width: int, raised: Sequence[Alarm] = ()) -> Group:
    """Return the table; on a narrow terminal what is said of a link comes below, so that no number is cut off."""
    from rich.console import Group  # noqa: PLC0415  Only a person needs it, and it costs 50 ms.

    notes = {f"{link.source}->{link.sink}": _note(link) for link in reports}
    told = [f"[red]{alarm.kind}[/red] {alarm.message} {alarm.remedy}" for alarm in raised]
    if width >= _WIDE:
        return Group(_table(reports, notes), *told)
    below = [f"{name}: {note}" for name, note in notes.items() if note]
    return Group(_table(reports, {}, gap=1), *below, *told)


def _note(link: LinkReport) -> str:
    notes = [f"{table} paused{_left(left_s)}" for table, left_s in sorted(link.paused_tables.items())]
    if link.state not in (LIVE, UNREACHABLE) and link.paused_for_s is not None:
        notes.insert(0, _left(link.paused_for_s).strip())
    elif link.state != LIVE and link.detail:
        notes.insert(0, link.detail)
    return "; ".join(notes)


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f" for {span(seconds)} more"


def _table(reports: list[LinkReport], notes: Mapping[str, str], gap: int = 2) -> Table:
    numbers = ("behind", "oldest", "latency", "staleness", "exchange")
    table = options.columns("link", "state", *numbers, "", right=numbers, gap=gap)
    for link in reports:
        colour = _COLOURS.get(link.state, "yellow")
        table.add_row(
            f"{link.source}->{link.sink}",
            f"[{colour}]{link.state}[/{colour}]",
            f"{link.records_behind:,}",
            span(link.oldest_unacknowledged_s),
            "-" if link.latency is None else span(link.latency.p50_ms / 1000),
            span(link.staleness_s),
            span(link.last_exchange_s),
            notes.get(f"{link.source}->{link.sink}", ""),
        )
    return table


def span(seconds: float | None) -> str:
    """Return a span of time as a person reads it."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"
