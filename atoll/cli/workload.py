"""``atoll workload``: clients that use a running cluster, at a rate of your choosing, with live figures.

What: runs one of the workloads or mixes of :mod:`chaos.workload` over HTTP from this process, on global tables that
it creates where they are missing. A run file (TOML) says the same as the options, and options win over it.

Hazard: the load comes from one process; what that cannot manage shows as operations that began late.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from atoll.cli import options, status
from atoll.failure import RemedyError, UsageError
from chaos.history import Recorder
from chaos.workload import MIXES, WORKLOADS, CallError, Client, Ground, Load, Workload, create
from chaos.workload.figures import Figures, Row
from chaos.workload.http import connected
from region.randomness import SeededRng, SystemRng

if TYPE_CHECKING:
    from rich.console import Group

SHOW_EVERY_S: Final = 0.5
EXISTS: Final = "ResourceInUseException"


class Run(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A run file. ``rate`` is that of each region, ``rates`` those of some; ``for`` is a duration such as ``30s``."""

    workload: str
    duration: str = msgspec.field(default="30s", name="for")
    regions: list[str] | None = None
    rate: float | None = None
    rates: dict[str, float] | None = None
    items: int = 1000
    workers: int = 32
    clients: int = 2
    keys: int = 4
    skew: float = 0.99
    table: str | None = None
    seed: int = 1


@click.command("workload")
@click.argument("what", metavar="NAME|RUN-FILE")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Operations a second in each region.")
@click.option("--for", "duration", metavar="DURATION", help="How long.  [default: 30s]")
@click.option("--regions", metavar="REGION,…", help="Where the clients are.  [default: everywhere]")
@click.option("--items", type=click.IntRange(min=1), help="How many items a mix has.  [default: 1000]")
@click.option("--workers", type=click.IntRange(min=1), help="Operations of a mix under way in a region.  [default: 32]")
@click.option("--skew", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="Zipf's.  [default: 0.99]")
@click.option("--table", help="The table's name, where it is not the workload's own.")
@click.option("--seed", type=int, help="What all randomness comes from.  [default: 1]")
@click.option("--history", type=click.Path(dir_okay=False, path_type=Path), help="Write the clients' history there.")
@options.cluster_option
@options.json_option
def command(what: str, history: Path | None, cluster: str | None, as_json: bool, **given: Any) -> None:
    """Use a running cluster as applications do, and show how it fares.

    NAME is a workload (registers, counters, carts, bank, sets, churn, ttl, locks, streams) or a mix: ycsb-a to ycsb-f,
    conditional, transactions. With --rate, a mix's operations begin at their moments whether or not others are
    done, and latency counts from there; without, every worker begins as soon as it has its answer.
    """
    run = read(what, given)
    clients = options.find(cluster)
    reports = {region: it for region, it in status.ask(clients).items() if it is not None}
    endpoints = {region: report.addresses.api for region, report in reports.items()}
    if unknown := [region for region in _named(run, list(endpoints)) if region not in endpoints]:
        raise UsageError(f"No region {unknown[0]} answers.", f"There are: {', '.join(endpoints) or 'none'}.")
    figures = Figures()
    quiet = as_json or not sys.stdout.isatty()
    elapsed_s = asyncio.run(_play(run, endpoints, history, figures, tls=options.tls(clients), quiet=quiet))
    if as_json:
        summary = {"workload": run.workload, "seed": run.seed, **figures.summary(elapsed_s)}
        click.echo(msgspec.json.encode(summary).decode())
    else:
        options.console().print(_tables(figures, elapsed_s))


def read(what: str, given: Mapping[str, Any]) -> Run:
    """Return the run that a name or a run file, and the options given, describe.

    Raises:
        UsageError: there is no such workload, or the file is wrong; the message names the setting.
    """
    path = Path(what)
    values: dict[str, Any] = {"workload": what}
    if what not in WORKLOADS and what not in MIXES:
        if path.suffix != ".toml":
            raise UsageError(f"There is no workload {what!r}.", f"There are: {', '.join([*WORKLOADS, *MIXES])}.")
        try:
            values = tomllib.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read: {error}.", "Give a run file in TOML.") from error
    for name, value in given.items():
        if value is not None:
            values["for" if name == "duration" else name] = value.split(",") if name == "regions" else value
    try:
        run = msgspec.convert(values, Run)
    except msgspec.ValidationError as error:
        raise UsageError(f"{what}: {error}.", "docs/reference/workloads.md lists the settings.") from error
    if run.workload not in WORKLOADS and run.workload not in MIXES:
        raise UsageError(f"There is no workload {run.workload!r}.", f"There are: {', '.join([*WORKLOADS, *MIXES])}.")
    return run


def _named(run: Run, everywhere: Sequence[str]) -> list[str]:
    """Return the regions that a run has clients in."""
    if run.regions is None and run.rates is not None:
        return list(run.rates)
    return list(everywhere) if run.regions is None else run.regions


def _workload(run: Run, regions: Sequence[str]) -> Workload:
    if run.workload in MIXES:
        rates = run.rates
        if run.rate is not None:
            rates = {**dict.fromkeys(regions, run.rate), **(rates or {})}
        return Load(
            MIXES[run.workload],
            items=run.items,
            rates=rates,
            workers=run.workers,
            theta=run.skew,
            table=run.table or "usertable",
        )
    # Clients of a workload pause from 0 to pause_ms between two operations: on average, they make the rate together.
    pause_ms = 40.0 if run.rate is None else 2000 * run.clients / run.rate
    return WORKLOADS[run.workload](clients=run.clients, keys=run.keys, pause_ms=pause_ms, table=run.table)


async def _play(
    run: Run,
    endpoints: Mapping[str, str],
    history: Path | None,
    figures: Figures,
    *,
    tls: SSLContext | None,
    quiet: bool,
) -> float:
    """Run the workload; return how long its clients worked, in seconds."""
    loop = asyncio.get_running_loop()
    regions = _named(run, list(endpoints))
    workload = _workload(run, regions)
    for_s = options.Duration().convert(run.duration, None, None) / 1000
    tags = f"{SystemRng().token(3)}-"  # Whoever ran here before has left tags in the same tables.
    with Recorder(lambda: int(loop.time() * 1e9), history, keep=False, tags=tags) as recorder:
        async with connected(endpoints, tls=tls) as client:
            ground = Ground(regions, client, recorder, SeededRng(run.seed), for_s)
            try:
                for schema in workload.schemas():
                    await _create(schema, list(endpoints), client)
                await workload.prepare(ground)
            except CallError as error:
                raise RemedyError(f"The table cannot be prepared: {error}.", "Is the cluster healthy?") from error
            recorder.heard = figures.hear
            began_s = loop.time()
            showing = None if quiet else loop.create_task(_show(figures, lambda: loop.time() - began_s))
            try:
                await workload.run(ground)
            finally:
                if showing is not None:
                    showing.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await showing
            return loop.time() - began_s


async def _create(schema: Mapping[str, Any], regions: Sequence[str], client: Callable[[str], Client]) -> None:
    """Create a global table, unless there is one of that name."""
    try:
        await create([schema], regions, client)
    except CallError as error:
        if error.name != EXISTS:
            raise


async def _show(figures: Figures, elapsed_s: Callable[[], float]) -> None:
    """Keep the figures on the terminal until cancelled."""
    from rich.live import Live  # noqa: PLC0415  Only a person needs it, and it costs 50 ms.

    with Live(console=options.console(), transient=True, auto_refresh=False) as live:
        while True:
            live.update(_tables(figures, elapsed_s()), refresh=True)
            await asyncio.sleep(SHOW_EVERY_S)


def _tables(figures: Figures, elapsed_s: float) -> Group:
    """Return the figures by region and by kind of operation."""
    from rich.console import Group  # noqa: PLC0415  Only a person needs it, and it costs 50 ms.

    numbers = ("ok", "failed", "unknown", "per s", "p50 ms", "p95 ms", "p99 ms", "max ms")
    parts: list[Any] = []
    for by, heading in enumerate(("region", "operation")):
        table = options.columns(heading, *numbers, right=numbers)
        for name, row in figures.rows(elapsed_s, by=by).items():
            table.add_row(name, *_cells(row))
        parts += [table, ""]
    errors = ", ".join(f"{name} {count:,}" for name, count in sorted(figures.errors.items()))
    late = f"; {figures.late:,} began late" if figures.late else ""
    parts.append(f"{elapsed_s:.1f} s{late}{'; ' + errors if errors else ''}")
    return Group(*parts)


def _cells(row: Row) -> list[str]:
    times = [row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms]
    counts = [f"{count:,}" for count in (row.ok, row.failed, row.unknown)]
    return [*counts, f"{row.per_s:,.1f}", *("" if it is None else f"{it:.2f}" for it in times)]
