"""``atoll hot``: which keys of a table are used most, and throttled most, in all regions together."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from atoll.cli import options
from atoll.failure import EXIT_FAILED, UnreachableError
from atoll.findings import shown_key
from atoll.hot_keys import HotKeysReport, Merged, merge
from atoll.remote import AdminClient, DynamoCaller, RequestError, access_key

if TYPE_CHECKING:
    from rich.console import RenderableType

NOT_FOUND: Final = "ResourceNotFoundException"
_ASKED: Final = 1000
"""How many keys of each region are added up: more than anyone wants to see, so that the sum is right."""
_OFF = (
    "Contributor Insights are off for {what}, so nothing is counted. "
    "Switch them on with `atoll hot {table}{index} --switch on`."
)


@click.command("hot")
@click.argument("table")
@click.option("--index", help="Of a global index instead of the table.")
@click.option("--by", type=click.Choice(("partition", "item")), default="partition", show_default=True, help="By key.")
@click.option("--throttled", is_flag=True, help="What was throttled most, instead of what was used most.")
@click.option("--minutes", type=click.IntRange(min=1), default=5, show_default=True, help="The last N, this one too.")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="The hottest N.")
@click.option("--region", "regions", multiple=True, help="This region alone. May be given again.")
@click.option("--switch", type=click.Choice(("on", "off")), help="Switch Contributor Insights on or off, and no more.")
@click.option("--follow", "-f", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--every", "every_ms", type=options.Duration(), default="2s", show_default=True, help="With --follow.")
@options.cluster_option
@options.json_option
def command(
    table: str,
    index: str | None,
    by: str,
    throttled: bool,
    minutes: int,
    limit: int,
    regions: tuple[str, ...],
    switch: str | None,
    follow: bool,
    every_ms: int,
    cluster: str | None,
    as_json: bool,
) -> int:
    """Show which keys of TABLE were used most, counted by Contributor Insights while they are on.

    A key counts in consumed throughput units: one for a read unit, three for a write unit. Each region counts what
    its own clients read and what anyone wrote. Exit code 1 if Contributor Insights are on nowhere, or a region
    does not answer.
    """
    kind = f"{'P' if by == 'partition' else 'S'}K{'T' if throttled else 'C'}"
    clients = options.chosen(options.find(cluster), regions)
    if switch is not None:
        _switch(clients, table, index, switch, as_json=as_json)
        return 0
    asked: dict[str, Any] = {"minutes": minutes, "limit": _ASKED, **({} if index is None else {"index": index})}
    view = _View(table, index, kind, minutes, limit)
    if follow and not as_json:
        return _follow(clients, asked, view, every_ms)
    while True:
        reports, missing = _ask(clients, table, asked)
        _warn(missing)
        if as_json:
            click.echo(msgspec.json.encode(view.answer(reports, missing)).decode())
        else:
            options.console().print(view.shown(reports))
        if not follow:
            return 0 if any(it.mode for it in reports.values()) and not missing else EXIT_FAILED
        time.sleep(every_ms / 1000)


def _switch(clients: Mapping[str, AdminClient], table: str, index: str | None, to: str, *, as_json: bool) -> None:
    """Switch insights on or off in every region that has the table.

    Raises:
        RequestError: none has it, or one refuses.
    """
    request = {"TableName": table, "ContributorInsightsAction": "ENABLE" if to == "on" else "DISABLE"}
    request |= {} if index is None else {"IndexName": index}
    switched: list[str] = []
    lacking: RequestError | None = None
    for region, client in clients.items():
        endpoint = client.status().addresses.api
        with DynamoCaller(endpoint, region, trust=client.trust, key=access_key(os.environ)) as caller:
            try:
                caller.call("UpdateContributorInsights", request)
            except RequestError as error:
                if error.name != NOT_FOUND:
                    raise
                lacking = error
            else:
                switched.append(region)
    if lacking is not None and not switched:
        raise lacking
    if as_json:
        click.echo(
            msgspec.json.encode({"table": table, "index": index, "on": to == "on", "regions": switched}).decode()
        )
    else:
        click.echo(f"Contributor Insights are {to} for {table} in {', '.join(switched)}.")


def _follow(clients: Mapping[str, AdminClient], asked: Mapping[str, Any], view: _View, every_ms: int) -> int:
    from rich.live import Live  # noqa: PLC0415  Only a person needs it, and it costs 50 ms.

    with Live(view.shown(_ask(clients, view.table, asked)[0]), console=options.console(), auto_refresh=False) as live:
        while True:
            time.sleep(every_ms / 1000)
            live.update(view.shown(_ask(clients, view.table, asked)[0]), refresh=True)


def _ask(
    clients: Mapping[str, AdminClient], table: str, asked: Mapping[str, Any]
) -> tuple[dict[str, HotKeysReport], dict[str, str]]:
    """Return what each region that has the table says, and why others do not answer.

    Raises:
        RequestError: no region has the table or the index.
    """
    reports: dict[str, HotKeysReport] = {}
    missing: dict[str, str] = {}
    lacking: RequestError | None = None
    for region, client in clients.items():
        try:
            reports[region] = client.hot_keys(table, **asked)
        except UnreachableError as error:
            missing[region] = error.problem
        except RequestError as error:
            lacking = error
    if lacking is not None and not reports:
        raise lacking
    return reports, missing


def _warn(missing: Mapping[str, str]) -> None:
    for region, problem in missing.items():
        click.echo(f"atoll: {region} is missing: {problem}", err=True)


class _View:
    """What was asked for, and how it is shown."""

    def __init__(self, table: str, index: str | None, kind: str, minutes: int, limit: int) -> None:
        self.table = table
        self._index = index
        self._kind = kind
        self._minutes = minutes
        self._limit = limit

    def _merged(self, reports: Mapping[str, HotKeysReport]) -> Merged | None:
        rules = {region: rule for region, it in reports.items() if (rule := it.rule(self._kind)) is not None}
        if not rules:
            return None
        merged = merge(rules)
        return msgspec.structs.replace(merged, keys=merged.keys[: self._limit])

    def answer(self, reports: Mapping[str, HotKeysReport], missing: Mapping[str, str]) -> dict[str, Any]:
        """Return everything for a program."""
        return {
            "table": self.table,
            "index": self._index,
            "kind": self._kind,
            "minutes": self._minutes,
            "modes": {region: it.mode for region, it in reports.items()},
            "unreachable": sorted(missing),
            "hot": self._merged(reports),
        }

    def shown(self, reports: Mapping[str, HotKeysReport]) -> RenderableType:
        """Return it for a person."""
        what = self.table if self._index is None else f"{self.table}, index {self._index}"
        merged = self._merged(reports)
        if merged is None:
            if any(it.mode for it in reports.values()):
                return f"{what}: that is not counted: it has no sort key, or only throttled requests are counted."
            index = "" if self._index is None else f" --index {self._index}"
            return _OFF.format(what=what, table=self.table, index=index)
        counting = [region for region, it in reports.items() if it.rule(self._kind) is not None]
        unit = "throttled" if self._kind.endswith("T") else "units"
        span = "this minute" if self._minutes == 1 else f"the last {self._minutes} minutes"
        title = f"{what}: {_number(merged.total)} {unit} in {span}"
        table = options.columns(unit, "share", *counting, "key", right=(unit, "share", *counting))
        for hot in merged.keys:
            share = f"{hot.least / merged.total:.1%}" if merged.total else ""
            bound = "" if hot.most == hot.least else "≥ "
            table.add_row(
                bound + _number(hot.least),
                share,
                *(_number(hot.by_region[region]) if region in hot.by_region else "-" for region in counting),
                shown_key(hot.key),
            )
        from rich.console import Group  # noqa: PLC0415  Only a person needs it, and it costs 50 ms.

        return Group(title, table) if merged.keys else f"{title}."


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
