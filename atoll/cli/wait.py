"""``atoll wait``: until replicas are equal and nothing is under way, or until a region has caught up with a session."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import click

from atoll import convergence
from atoll.cli import lag, options, status
from atoll.failure import EXIT_FAILED
from atoll.remote import AdminClient
from atoll.rendezvous import require_region
from atoll.report import LIVE, LinkReport

POLL_S: Final = 0.1
WAIT_MS: Final = 1000

Say = Callable[[str], None]


@click.command("wait")
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option("--converged", is_flag=True, help="Until all replicas of the tables, or of all tables, are equal.")
@click.option("--token", metavar="TOKEN", help="Until --region has caught up with this session token.")
@click.option("--region", metavar="REGION", help="With --token.")
@click.option(
    "--timeout", "timeout_ms", type=options.Duration(), default="30s", show_default=True, help="For how long."
)
@options.cluster_option
@options.json_option
def command(
    tables: tuple[str, ...],
    converged: bool,
    token: str | None,
    region: str | None,
    timeout_ms: int,
    cluster: str | None,
    as_json: bool,
) -> int:
    """Wait; end with exit code 1 when the time is over first, and say what holds it up.

    --converged: every region answers, nothing is under way on any link, and all replicas hold the same keys, versions,
    version vectors and items. It is a statement about a moment: who writes on will see them differ again.
    """
    if converged == (token is not None) or (token is None) != (region is None) or (tables and not converged):
        raise click.UsageError("Say either --converged [TABLE]..., or --token TOKEN --region REGION.")
    clients = options.find(cluster)
    deadline = time.monotonic() + timeout_ms / 1000
    with _progress(quiet=as_json) as say:
        if token is not None and region is not None:
            held_up = _until_covered(require_region(region, clients), region, token, deadline, say)
            tables = ()
        else:
            tables, held_up = _until_converged(clients, tables, deadline, say)
    if as_json:
        click.echo(json.dumps({"done": not held_up, "tables": list(tables), "held_up_by": held_up}))
    elif not held_up:
        click.echo(f"converged: {', '.join(tables) or 'no tables'}" if token is None else f"{region} has caught up")
    else:
        for reason in held_up:
            click.echo(f"after {timeout_ms / 1000:g} s: {reason}", err=True)
    return EXIT_FAILED if held_up else 0


def _until_covered(client: AdminClient, region: str, token: str, deadline: float, say: Say) -> list[str]:
    while True:
        left_ms = max(0, round((deadline - time.monotonic()) * 1000))
        missing = client.wait(token, min(left_ms, WAIT_MS)).missing
        held_up = [f"{region} lacks the last {ms:,} ms of {origin}" for origin, ms in sorted(missing.items())]
        if not held_up or not left_ms:
            return held_up
        say("; ".join(held_up))


def _until_converged(
    clients: Mapping[str, AdminClient], tables: tuple[str, ...], deadline: float, say: Say
) -> tuple[tuple[str, ...], list[str]]:
    while True:
        names, held_up = _look(clients, tables)
        if not held_up or time.monotonic() >= deadline:
            return names, held_up
        say("; ".join(held_up[:2]) + (f" (and {len(held_up) - 2} more)" if len(held_up) > 2 else ""))
        time.sleep(POLL_S)


def _look(clients: Mapping[str, AdminClient], tables: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """Return the tables in question, and what holds convergence up now; digests are taken only when all is quiet."""
    statuses = status.ask(clients)
    held_up = [f"{region} does not answer" for region, each in statuses.items() if each is None]
    held_up += [reason for link in lag.links(statuses) if (reason := _busy(link))]
    shared = {table.name for each in statuses.values() if each for table in each.tables if len(table.replicas) > 1}
    names = tables or tuple(sorted(shared))
    if held_up:
        return names, held_up
    for table in names:
        digests = convergence.digests(clients, table)
        if not digests:
            held_up.append(f"no region holds {table}")
        elif len({digest.digest for digest in digests.values()}) > 1:
            counts = ", ".join(f"{region} {digest.items:,} items" for region, digest in digests.items())
            held_up.append(f"the replicas of {table} differ ({counts})")
    return names, held_up


def _busy(link: LinkReport) -> str:
    """Say what is under way on a link, nothing if it rests."""
    behind = f", {link.records_behind:,} changes behind" if link.records_behind else ""
    name = f"{link.source}->{link.sink}"
    if link.paused_tables:
        return f"{name} holds back {', '.join(sorted(link.paused_tables))}{behind}"
    if link.state != LIVE:
        return f"{name} is {link.state}{behind}" + (f" ({link.detail})" if link.detail else "")
    return f"{name}{behind}" if behind else ""


@contextlib.contextmanager
def _progress(*, quiet: bool) -> Iterator[Say]:
    """Show on a terminal what is waited for; elsewhere say nothing."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415  Only a person needs it, and it costs 50 ms.

    began = time.monotonic()
    with Console(stderr=True).status("waiting") as shown:
        yield lambda text: shown.update(f"{time.monotonic() - began:.0f} s: {text}")
