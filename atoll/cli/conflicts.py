"""``atoll conflicts``: what was lost to concurrent writes, in all regions together, once or as it happens."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

import click
import msgspec

from atoll import moments
from atoll.cli import options
from atoll.failure import EXIT_FAILED
from atoll.feeds import Feeds, Merged
from atoll.findings import Side, shown_key

FOLLOW_S: Final = 0.3
_HEADINGS: Final = ("recorded", "table", "key", "winner", "loser", "margin", "lost")


@click.command("conflicts")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--table", help="Of one table.")
@click.option("--key", help="Of one item: its key, 'pk,sk' or DynamoDB JSON. Needs --table.")
@click.option("--since", type=options.Moment(), help="Recorded since: 2026-11-27T05:00:00Z, epoch seconds, or -5m.")
@click.option("--region", "regions", multiple=True, help="Ask this region alone. May be given again.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=0), help="The newest N. 0: all.")
@options.cluster_option
@options.json_option
def command(
    follow: bool,
    table: str | None,
    key: str | None,
    since: str | None,
    regions: tuple[str, ...],
    limit: int,
    cluster: str | None,
    as_json: bool,
) -> int:
    """Show what was lost to concurrent writes: key, winner, loser, margin, and the attributes lost.

    The feeds of all regions are read and merged; what several of them recorded of the same two writes is one line.
    Exit code 1 if a region does not answer: without it, something may be missing.
    """
    if key is not None and table is None:
        raise click.UsageError("--key needs --table: keys are a table's.")
    given = {"table": table, "key": key, "since": since}
    clients = options.chosen(options.find(cluster), regions)
    feeds = Feeds(clients, {name: value for name, value in given.items() if value is not None})
    found = feeds.read()
    shown = found[-limit:] if limit else found
    _warn(feeds)
    if follow:
        lines = Lines(shown)
        _print(lines, shown, as_json=as_json)
        while True:
            time.sleep(FOLLOW_S)
            _print(lines, feeds.read(), as_json=as_json)
    if as_json:
        answer = {"conflicts": shown, "dropped": feeds.dropped, "unreachable": sorted(feeds.unreachable)}
        click.echo(msgspec.json.encode(answer).decode())
    elif not shown:
        click.echo("No conflicts.")
    else:
        _print(Lines(shown), shown, as_json=False)
        _tell_rest(len(found) - len(shown), feeds)
    return EXIT_FAILED if feeds.unreachable else 0


def _warn(feeds: Feeds) -> None:
    for region, problem in feeds.unreachable.items():
        click.echo(f"atoll: {region} is missing: {problem}", err=True)


def _tell_rest(older: int, feeds: Feeds) -> None:
    if older:
        click.echo(f"{older:,} older are not shown; --limit 0 shows all.")
    gone = [f"{count:,} in {region}" for region, count in feeds.dropped.items() if count]
    if gone:
        click.echo(f"Older entries are kept no longer: {', '.join(gone)}.")


def _print(lines: Lines, conflicts: Iterable[Merged], *, as_json: bool) -> None:
    for conflict in conflicts:
        if as_json:
            click.echo(msgspec.json.encode(conflict).decode())
        else:
            for line in lines.of(conflict):
                click.echo(line)


class Lines:
    """Lines in aligned columns, as wide as the first conflicts make them."""

    def __init__(self, first: Iterable[Merged]) -> None:
        rows = [_HEADINGS, *(_row(conflict) for conflict in first)]
        self._widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
        self._begun = False

    def of(self, conflict: Merged) -> list[str]:
        """Return the lines of one conflict; before the first come the headings."""
        lines = [] if self._begun else [self._aligned(_HEADINGS)]
        self._begun = True
        lines.append(self._aligned(_row(conflict)))
        if conflict.double_grant:
            regions = " and ".join(dict.fromkeys(grant.origin for grant in conflict.grants))
            conditions = " and ".join(dict.fromkeys(grant.condition for grant in conflict.grants))
            note = f"double grant: {regions} found {conditions} to hold"
            lines.append(" " * (self._widths[0] + 2) + click.style(note, fg="red"))
        return lines

    def _aligned(self, cells: tuple[str, ...]) -> str:
        padded = [cell.ljust(width) for cell, width in zip(cells, self._widths, strict=True)]
        return "  ".join(padded).rstrip()


def _row(conflict: Merged) -> tuple[str, ...]:
    key = conflict.key if conflict.item_key is None else shown_key(conflict.item_key)
    return (
        moments.show(conflict.recorded_ms),
        conflict.table or conflict.table_uid,
        key,
        _side(conflict.winner),
        _side(conflict.loser),
        f"{conflict.margin_ms:,} ms",
        ", ".join(conflict.attributes_lost) or "-",
    )


def _side(side: Side) -> str:
    return side.origin if side.image is not None else f"{side.origin} (deletion)"
