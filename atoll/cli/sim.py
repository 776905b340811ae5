"""``atoll sim``: simulations of whole fleets by seed; what fails is shrunk, reported, and can be run again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from atoll.cli import options
from atoll.failure import EXIT_FAILED

if TYPE_CHECKING:
    from chaos.simulation.simulate import Outcome
    from chaos.simulation.sweep import Sweep, Tally

_SEEDS: Final = re.compile(r"(\d+)(?:-(\d+))?")
FOLDER: Final = "sim"
SHRUNK_MAX: Final = 3
"""How many failures are shrunk and reported; of the others, the seeds are told."""


class Seeds(click.ParamType[range]):
    """``N``: the first N seeds; ``A-B``: those from A to B."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> range:
        """Return the seeds."""
        if isinstance(value, range):
            return value
        match = _SEEDS.fullmatch(str(value).strip())
        first, last = (1, int(match[1])) if match and match[2] is None else (0, -1)
        if match and match[2] is not None:
            first, last = int(match[1]), int(match[2])
        if last < first:
            self.fail(f"{value!r} names no seeds. Write 100 for the first hundred, or 7-9.", param, ctx)
        return range(first, last + 1)


@click.command("sim")
@click.option("--seeds", type=Seeds(), metavar="N|A-B", help="The first N seeds, or those from A to B.  [default: 100]")
@click.option("--scenario", metavar="FILE|NAME", help="A nemesis, an experiment, or a file, not a mixture.")
@click.option("--workload", "workloads", multiple=True, metavar="NAME", help="Only this workload; may be repeated.")
@click.option("--minutes", type=click.FloatRange(min=0.05), default=1.0, show_default=True, help="Of faults, a seed.")
@click.option("--regions", type=click.IntRange(2, 9), default=3, show_default=True, help="How many regions.")
@click.option("--jobs", type=click.IntRange(min=1), help="How many processes.  [default: one a core]")
@click.option("--on", metavar="dask://HOST:PORT", help="Send the seeds to a Dask scheduler.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    show_default=True,
    help="Where reports go.",
)
@click.option("--shrink/--no-shrink", default=True, help="Make failures small and report them.  [default: --shrink]")
@options.json_option
def command(
    seeds: range | None,
    scenario: str | None,
    workloads: tuple[str, ...],
    minutes: float,
    regions: int,
    jobs: int | None,
    on: str | None,
    out: Path,
    shrink: bool,
    as_json: bool,
) -> None:
    """Simulate fleets under faults, a seed each, in virtual time, and judge every run by all invariants.

    Everything but time, network, disk and randomness is what runs in production. The same seed does the same again.
    A seed that violates an invariant is shrunk to a few faults; its report and one command that runs it again follow.
    """
    # What a simulation needs takes a second to load, and no other verb needs it.
    from atoll import sweeping  # noqa: PLC0415
    from chaos.simulation.sweep import Tally  # noqa: PLC0415

    sweep, own_seed = _sweep(scenario, workloads, minutes, regions)
    chosen = seeds or (range(own_seed, own_seed + 1) if own_seed is not None else range(1, 101))
    tally = Tally()
    began = time.monotonic()
    with _progress(len(chosen), quiet=as_json) as step:
        for outcome in sweeping.outcomes(sweep, chosen, jobs=jobs or sweeping.cores(), on=on):
            tally.add(outcome)
            step(outcome)
    elapsed_s = time.monotonic() - began
    reports = _report(tally, out, shrink=shrink, quiet=as_json)
    if as_json:
        click.echo(json.dumps(_table(tally, elapsed_s, reports)))
    else:
        _tell(tally, elapsed_s, reports)
    if tally.failed:
        raise SystemExit(EXIT_FAILED)


def _sweep(scenario: str | None, workloads: tuple[str, ...], minutes: float, regions: int) -> tuple[Sweep, int | None]:
    """Return what is to be tried, and the seed that it brings along, if it does."""
    from chaos.nemesis import NEMESES  # noqa: PLC0415  See command.
    from chaos.simulation.cluster import names  # noqa: PLC0415  See command.
    from chaos.simulation.rehearsal import find  # noqa: PLC0415  See command.
    from chaos.simulation.sweep import Sweep  # noqa: PLC0415  See command.
    from chaos.workload import WORKLOADS  # noqa: PLC0415  See command.

    unknown = [name for name in workloads if name not in WORKLOADS]
    if unknown:
        raise click.UsageError(f"There is no workload {unknown[0]}. There are: {', '.join(WORKLOADS)}.")
    if scenario is None or scenario in NEMESES:
        nemeses = () if scenario is None else (scenario,)
        return Sweep(span_s=minutes * 60, regions=names(regions), nemeses=nemeses, workloads=workloads), None
    try:
        trial = find(scenario)
    except ValueError as error:
        raise click.UsageError(f"{error}; and of nemeses there are {', '.join(NEMESES)}.") from error
    return Sweep(base=trial), trial.seed


@contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[Callable[[Outcome], None]]:
    """Show a bar while seeds are tried; what fails is told at once."""
    if quiet:
        yield lambda outcome: None
        return
    # Loaded where it is needed: only a person does, and it costs 50 ms.
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = options.console()
    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)

        def step(outcome: Outcome) -> None:
            progress.advance(task)
            if not outcome.held:
                console.print(f"seed {outcome.trial.seed} violates {', '.join(outcome.invariants)}", style="red")

        yield step


def _report(tally: Tally, out: Path, *, shrink: bool, quiet: bool) -> list[tuple[Outcome, Path]]:
    """Shrink and report failures, those that violate something new first."""
    from chaos.simulation.sweep import report, shrunk  # noqa: PLC0415  See command.

    if not shrink:
        return []
    chosen: dict[tuple[str, ...], Outcome] = {}
    for outcome in sorted(tally.failed, key=lambda each: each.trial.seed):
        chosen.setdefault(tuple(outcome.invariants), outcome)
    reports = []
    for outcome in list(chosen.values())[:SHRUNK_MAX]:
        if not quiet:
            click.echo(f"shrinking seed {outcome.trial.seed} ({len(outcome.trial.script)} faults) …", err=True)
        small = shrunk(outcome)
        reports.append((small, report(out / f"seed-{outcome.trial.seed}", small)))
    return reports


def _tell(tally: Tally, elapsed_s: float, reports: list[tuple[Outcome, Path]]) -> None:
    from chaos import faults  # noqa: PLC0415  See command.
    from chaos.simulation.sweep import command as replay  # noqa: PLC0415  See command.

    for outcome, page in reports:
        click.echo(f"\nseed {outcome.trial.seed}, shrunk to {len(outcome.trial.script)} faults:")
        for fault in outcome.trial.script:
            click.echo(f"  {faults.describe(fault)}")
        for violation in outcome.violations[:3]:
            click.echo(f"  {violation}")
        click.echo(f"report: {page}\nrun it again: {replay(page.parent)}")
    rate = tally.seeds * 60 / elapsed_s if elapsed_s else 0.0
    click.echo(
        f"{tally.seeds} seeds, {tally.operations} operations, {tally.virtual_s / 60:.0f} simulated minutes in "
        f"{elapsed_s:.1f} s ({rate:.0f} seeds a minute): "
        + (f"{len(tally.failed)} seeds violate an invariant" if tally.failed else "every invariant held")
    )
    if len(tally.failed) > len(reports):
        shown = sorted(outcome.trial.seed for outcome in tally.failed)
        click.echo(f"seeds that failed: {', '.join(map(str, shown[:50]))}{' …' if len(shown) > 50 else ''}")


def _table(tally: Tally, elapsed_s: float, reports: list[tuple[Outcome, Path]]) -> dict[str, Any]:
    from chaos import faults  # noqa: PLC0415  See command.
    from chaos.simulation.sweep import command as replay  # noqa: PLC0415  See command.

    pages = {outcome.trial.seed: (outcome, page) for outcome, page in reports}
    failures = []
    for outcome in sorted(tally.failed, key=lambda each: each.trial.seed):
        found: dict[str, Any] = {
            "seed": outcome.trial.seed,
            "violations": [{"invariant": it.invariant, "sentence": it.sentence} for it in outcome.violations],
        }
        if outcome.trial.seed in pages:
            small, page = pages[outcome.trial.seed]
            found |= {
                "faults": [faults.encode(fault) for fault in small.trial.script],
                "report": str(page),
                "replay": replay(page.parent),
            }
        failures.append(found)
    return {
        "seeds": tally.seeds,
        "operations": tally.operations,
        "simulated_s": round(tally.virtual_s, 3),
        "elapsed_s": round(elapsed_s, 3),
        "failures": failures,
    }
