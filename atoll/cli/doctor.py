"""``atoll doctor``: looks at this machine, a running cluster and files, and says what is wrong and what to do."""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec

from atoll import doctor, rendezvous
from atoll.cli import options
from atoll.failure import EXIT_FAILED

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("doctor")
@options.cluster_option
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Look into the files there, too.",
)
@click.option(
    "--keyring",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The keyring, to look into encrypted tables.",
)
@options.json_option
def command(cluster: str | None, data: Path | None, keyring: Path | None, as_json: bool) -> int:
    """Look for what is wrong: on this machine, in the running cluster, in files. Exit code 1 if anything is."""
    findings = list(doctor.machine())
    try:
        findings += doctor.cluster(rendezvous.find(cluster, os.environ))
    except rendezvous.NoClusterError as error:
        # Where nobody has named one, that none runs is no fault.
        findings.append(doctor.Finding("cluster", cluster is None, error.problem, error.remedy))
    if data is not None:
        findings += doctor.data(data, keyring)
    if as_json:
        click.echo(msgspec.json.encode([finding._asdict() for finding in findings]).decode())
    else:
        _show(findings)
    return 0 if doctor.well(findings) else EXIT_FAILED


def _show(findings: list[doctor.Finding]) -> None:
    table = options.columns("", "what", "found", wrapped=("found",))
    for finding in findings:
        sign = "[green]✓[/green]" if finding.well else "[red]✗[/red]"
        found = finding.found if finding.well else f"{finding.found}\n{finding.remedy}"
        table.add_row(sign, finding.what, found)
    options.console().print(table)
