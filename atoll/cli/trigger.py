"""``atoll trigger``: functions that regions call with what changes in their tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import msgspec

from atoll import moments
from atoll.cli import options
from atoll.failure import EXIT_FAILED, UnreachableError, UsageError
from atoll.findings import shown_key
from atoll.remote import AdminClient
from atoll.triggers.fleet import Effect, Effects, gather
from atoll.triggers.report import TriggerReport
from atoll.triggers.settings import TriggerSettings, check

region_option = click.option("--region", "regions", multiple=True, help="In this region alone. May be given again.")


def effect_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Give a verb that lists what triggers have handed over its options."""
    since = click.option(
        "--since", type=options.Moment(), default="-1h", show_default=True, help="Seen since that moment."
    )
    limit = click.option(
        "--limit", default=100, show_default=True, type=click.IntRange(min=0), help="The newest N. 0: all."
    )
    table = click.option("--table", help="Of one table.")
    for option in (options.json_option, options.cluster_option, region_option, limit, since, table):
        verb = option(verb)
    return verb


@click.group("trigger")
def command() -> None:
    """Call functions with what changes in a table, as Lambda's event source mappings do."""


@command.command("list")
@region_option
@options.cluster_option
@options.json_option
def show(regions: tuple[str, ...], cluster: str | None, as_json: bool) -> int:
    """List the triggers of all regions. Exit code 1 if a region does not answer."""
    reports: list[TriggerReport] = []
    silent: list[str] = []
    for region, client in options.chosen(options.find(cluster), regions).items():
        try:
            reports += client.triggers()
        except UnreachableError as error:
            silent.append(region)
            click.echo(f"atoll: {region} is missing: {error.problem}", err=True)
    if as_json:
        click.echo(msgspec.json.encode({"triggers": reports, "unreachable": silent}).decode())
    else:
        _show(reports)
    return EXIT_FAILED if silent else 0


@command.command("add")
@click.argument("table")
@click.argument("function")
@click.option("--name", help="What the trigger is called. Default: the table's name.")
@click.option("--set", "pairs", multiple=True, metavar="SETTING=VALUE", help="A setting, such as batch_size=10.")
@click.option("--filter", "filters", multiple=True, metavar="JSON", help="A filter pattern. Up to five may be given.")
@region_option
@options.cluster_option
@options.json_option
def add(
    table: str,
    function: str,
    name: str | None,
    pairs: tuple[str, ...],
    filters: tuple[str, ...],
    regions: tuple[str, ...],
    cluster: str | None,
    as_json: bool,
) -> None:
    """Let regions call FUNCTION with what changes in TABLE.

    \b
    FUNCTION is one of
      module:callable          a Python function, found from where the regions were started
      FILE.py:callable         the same, by its file
      http://…                 an endpoint that takes events
      lambda://HOST:PORT/NAME  an endpoint with Lambda's Invoke, such as SAM local or the runtime interface emulator
      NAME                     one of [functions] in the configuration

    The settings are those of [[triggers]] in a configuration.
    """
    given = dict(pair.partition("=")[::2] for pair in pairs)
    try:
        settings = msgspec.convert(
            {"name": name or table, "table": table, "function": function, "filters": list(filters), **given},
            TriggerSettings,
            strict=False,
        )
    except msgspec.ValidationError as error:
        raise UsageError(f"A setting is wrong: {error}.", "See docs/reference/triggers.md.") from error
    check(settings)
    _each(cluster, regions, lambda client: client.add_trigger(settings), as_json=as_json)


@command.command("pause")
@click.argument("name")
@region_option
@options.cluster_option
@options.json_option
def pause(name: str, regions: tuple[str, ...], cluster: str | None, as_json: bool) -> None:
    """Pause a trigger, once its calls have ended. Where it stands is kept."""
    _each(cluster, regions, lambda client: client.pause_trigger(name, paused=True), as_json=as_json)


@command.command("resume")
@click.argument("name")
@region_option
@options.cluster_option
@options.json_option
def resume(name: str, regions: tuple[str, ...], cluster: str | None, as_json: bool) -> None:
    """Let a trigger go on from where it stands."""
    _each(cluster, regions, lambda client: client.pause_trigger(name, paused=False), as_json=as_json)


@command.command("remove")
@click.argument("name")
@region_option
@options.cluster_option
@options.json_option
def remove(name: str, regions: tuple[str, ...], cluster: str | None, as_json: bool) -> None:
    """Remove a trigger, once its calls have ended, and forget how far it had come."""
    _each(cluster, regions, lambda client: client.remove_trigger(name), as_json=as_json)


@command.command("duplicates")
@effect_options
def duplicates(
    table: str | None, since: str, limit: int, regions: tuple[str, ...], cluster: str | None, as_json: bool
) -> int:
    """List the writes that were handed to one function in several regions.

    Exit code 1 if there are any, or if a region does not answer.
    """
    found, silent = _effects(table, since, regions, cluster)
    return _tell(found.duplicates(), silent, limit, "No duplicates.", as_json=as_json)


@command.command("echoes")
@effect_options
def echoes(
    table: str | None, since: str, limit: int, regions: tuple[str, ...], cluster: str | None, as_json: bool
) -> int:
    """List the writes that a function had caused itself when it was handed them, and through which functions they came.

    Exit code 1 if there are any, or if a region does not answer.
    """
    found, silent = _effects(table, since, regions, cluster)
    return _tell(found.echoes(), silent, limit, "No echoes.", as_json=as_json)


def _effects(
    table: str | None, since: str, regions: tuple[str, ...], cluster: str | None
) -> tuple[Effects, dict[str, str]]:
    parameters = {"since": since, **({} if table is None else {"table": table})}
    found, silent = gather(options.chosen(options.find(cluster), regions), parameters)
    for region, problem in silent.items():
        click.echo(f"atoll: {region} is missing: {problem}", err=True)
    return found, silent


def _tell(found: list[Effect], silent: dict[str, str], limit: int, nothing: str, *, as_json: bool) -> int:
    shown = found[-limit:] if limit else found
    if as_json:
        click.echo(msgspec.json.encode({"effects": shown, "unreachable": sorted(silent)}).decode())
    elif not found:
        click.echo(nothing)
    else:
        from rich.markup import escape  # noqa: PLC0415  Only a person needs it, and it costs 50 ms.

        table = options.columns("seen", "table", "key", "function", "written in", "handed over in", "came through")
        for effect in shown:
            where = ", ".join(f"{region} ({name})" for region, name in effect.regions.items())
            table.add_row(
                *(moments.show(effect.seen_ms), effect.table, escape(shown_key(effect.item_key)), effect.function),
                *(effect.origin, where, " > ".join(effect.chain) or "-"),
            )
        options.console().print(table)
        if len(shown) < len(found):
            click.echo(f"{len(found) - len(shown):,} older are not shown; --limit 0 shows all.")
    return EXIT_FAILED if found or silent else 0


def _each(
    cluster: str | None, regions: tuple[str, ...], do: Callable[[AdminClient], TriggerReport], *, as_json: bool
) -> None:
    reports = [do(client) for client in options.chosen(options.find(cluster), regions).values()]
    if as_json:
        click.echo(msgspec.json.encode({"triggers": reports}).decode())
    else:
        _show(reports)


def _show(reports: list[TriggerReport]) -> None:
    if not reports:
        click.echo("No triggers.")
        return
    numbers = ("behind", "age", "records", "failures", "given up")
    table = options.columns(
        *("region", "trigger", "table", "function", "state", "last result"),
        *numbers,
        right=numbers,
        wrapped=("function", "last result"),
    )
    for report in reports:
        table.add_row(*_row(report))
    options.console().print(table)


def _row(report: TriggerReport) -> tuple[Any, ...]:
    from rich.markup import escape  # noqa: PLC0415  Only a person needs it, and it costs 50 ms.

    settings = report.settings
    age = f"{report.iterator_age_ms / 1000:.1f} s" if report.iterator_age_ms else "-"
    return (
        *(report.region, settings.name, settings.table, escape(settings.function), report.state),
        escape(f"{report.last_result} ({report.last_error})" if report.last_error else report.last_result),
        *(f"{report.behind:,}", age, f"{report.records:,}", f"{report.failures:,}", f"{report.given_up:,}"),
    )
