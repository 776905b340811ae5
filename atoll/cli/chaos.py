"""``atoll chaos``: experiments from files, on real processes, with a verdict."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from atoll.cli import options
from atoll.failure import EXIT_FAILED, UsageError

if TYPE_CHECKING:
    from chaos.runner import Played, Verdict
    from chaos.scenario import Scenario


@click.group("chaos")
def command() -> None:
    """Run experiments: break a cluster on purpose and judge what is left."""


@command.command("list")
@options.json_option
def show(as_json: bool) -> None:
    """List the ready experiments."""
    from chaos.scenario import gallery  # noqa: PLC0415  Only this verb needs it.

    ready = gallery()
    if as_json:
        click.echo(msgspec.json.encode(ready).decode())
        return
    table = options.columns("name", "seconds", "what", right=("seconds",), wrapped=("what",))
    for name, scenario in ready.items():
        table.add_row(name, f"{scenario.span_s:.0f}", scenario.about)
    options.console().print(table)


@command.command("run")
@click.argument("what", metavar="FILE|NAME")
@click.option("--simulate", is_flag=True, help="In virtual time, in one process, instead of on real processes.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write an HTML report.")
@click.option(
    "--history", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the clients' history."
)
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Keep the regions' files."
)
@click.option("--tls", is_flag=True, help="With TLS for clients and links, by certificates made for it.")
@options.json_option
def run(
    what: str,
    simulate: bool,
    report: Path | None,
    history: Path | None,
    keep: Path | None,
    tls: bool,
    as_json: bool,
) -> int:
    """Run the experiment of FILE, or a ready one by its NAME (`atoll chaos list`).

    Exit code 0: everything held. 1: something did not. 2: the experiment makes no sense.
    """
    from chaos.scenario import ScenarioError, load  # noqa: PLC0415  Only this verb needs it.

    try:
        scenario = load(what)
    except ScenarioError as error:
        raise UsageError(f"{str(error)[0].upper()}{str(error)[1:]}.", "") from error
    if simulate:
        return _simulate(scenario, as_json=as_json)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # It ends as with Ctrl-C, and cleans up.
    if not as_json:
        click.echo(f"{scenario.title}: {', '.join(scenario.regions)}, {scenario.span_s:g} s", err=True)
    with tempfile.TemporaryDirectory(prefix="atoll-chaos-") as temporary:
        played = _on_processes(scenario, keep or Path(temporary), history, tls=tls)
        if report is not None:
            from chaos.report import page  # noqa: PLC0415  Only a report needs it.

            report.write_text(page(played))
    if as_json:
        click.echo(msgspec.json.encode(_plain(played.verdict)).decode())
    else:
        _tell(played.verdict, report)
    return 0 if played.verdict.held else EXIT_FAILED


def _on_processes(scenario: Scenario, folder: Path, history: Path | None, *, tls: bool) -> Played:
    from atoll.cluster import Cluster  # noqa: PLC0415  As above.

    profile: dict[str, Any] = {}
    if scenario.latency is not None:
        profile = {"latency": scenario.latency.profile, "latency_scale": scenario.latency.scale}
    cluster = Cluster(
        scenario.regions,
        data=folder,
        durability=scenario.durability,
        proxied=True,
        seed=scenario.seed,
        announce=False,
        tls=tls,
        **profile,
    )
    with cluster:
        return asyncio.run(_play(cluster, scenario, history))


async def _play(cluster: Any, scenario: Scenario, history: Path | None) -> Played:
    from chaos import runner  # noqa: PLC0415  As above.
    from chaos.history import Recorder  # noqa: PLC0415  As above.
    from chaos.live.stage import LiveStage  # noqa: PLC0415  As above.
    from chaos.workload.http import connected  # noqa: PLC0415  As above.

    def stop() -> None:
        for region in cluster.regions:
            cluster.stop_region(region)

    laboratory = cluster.laboratory
    endpoints = {region: cluster.endpoint(region) for region in cluster.regions}
    tls = None if cluster.trust is None else cluster.trust.context()
    async with connected(endpoints, tls=tls) as connect:
        stage = LiveStage(laboratory, laboratory.standing, connect, stop)
        await stage.start()
        with Recorder(stage.now_ns, history) as recorder:
            return await runner.play(scenario, stage, recorder)


def _simulate(scenario: Scenario, *, as_json: bool) -> int:
    from chaos.simulation.rehearsal import rehearse  # noqa: PLC0415  As above.
    from chaos.simulation.simulate import simulate  # noqa: PLC0415  As above.

    outcome = simulate(rehearse(scenario))
    if as_json:
        click.echo(msgspec.json.encode({"held": outcome.held, "violations": outcome.violations}).decode())
        return 0 if outcome.held else EXIT_FAILED
    for violation in outcome.violations:
        click.echo(f"  {violation}")
    click.echo(f"{'held' if outcome.held else 'BROKEN'}, simulated: {outcome.operations:,} operations")
    return 0 if outcome.held else EXIT_FAILED


def _plain(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON has it; faults are the tables of scenario files."""
    plain: dict[str, Any] = msgspec.to_builtins(verdict)
    plain["broken"] = verdict.broken
    return plain


def _tell(verdict: Verdict, report: Path | None) -> None:
    for applied in verdict.applied:
        click.echo(f"{applied.began_s:6.1f} s  {applied.fault.kind}: {applied.error or '; '.join(applied.effects)}")
    click.echo(
        f"{verdict.operations:,} operations: {verdict.acknowledged:,} acknowledged, {verdict.failed:,} refused, "
        f"{verdict.unknown:,} unknown; {verdict.conflicts:,} conflicts, {verdict.double_grants:,} double grants"
    )
    rest = "" if verdict.settled_s is None else f", at rest {verdict.settled_s:.1f} s after the healing"
    rpo = "" if verdict.rpo_writes is None else f", RPO {verdict.rpo_writes:,} writes"
    click.echo(f"longest time without an answer (RTO) {verdict.rto_s:.1f} s{rpo}{rest}")
    for violation in verdict.violations:
        click.echo(f"  {violation}")
    click.echo("held" if verdict.held else f"BROKEN: {', '.join(verdict.broken)}")
    if report is not None:
        click.echo(f"report: {report}")
