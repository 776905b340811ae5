"""What the verbs of the archive share: which region, how a job is followed to its end, and how its progress is shown.

What: a verb makes the call that any client would make, then follows the job at the region's admin address. The bar is
drawn on standard error, and only for a person; standard output holds the result alone.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from atoll.cli import options
from atoll.failure import RemedyError, UnknownRegionError
from atoll.remote import AdminClient, DynamoCaller, access_key
from atoll.report import ArchiveJob

POLL_S: Final = 0.02
POLL_MAX_S: Final = 0.5
IN_PROGRESS: Final = "IN_PROGRESS"
FAILED: Final = "FAILED"

region_option = click.option("--region", metavar="REGION", help="In which region.  [default: the cluster's first]")


class JobFailedError(RemedyError):
    """A job of the archive has failed; the region says why."""


class Place(NamedTuple):
    """One region, by its API and by its admin address."""

    region: str
    admin: AdminClient
    caller: DynamoCaller


def place(cluster: str | None, region: str | None) -> Place:
    """Return the region that a verb is about.

    Raises:
        UnknownRegionError: the cluster does not have it.
    """
    clients = options.find(cluster)
    name = region or next(iter(clients))
    if name not in clients:
        raise UnknownRegionError(f"The cluster has no region {name}.", f"It has {', '.join(clients)}.")
    endpoint = clients[name].status().addresses.api
    caller = DynamoCaller(endpoint, name, trust=clients[name].trust, key=access_key(os.environ))
    click.get_current_context().call_on_close(caller.close)
    return Place(name, clients[name], caller)


def follow(where: Place, arn: str, title: str) -> ArchiveJob | None:
    """Wait for a job to end, with a progress bar for a person; return what is remembered of it, if anything is.

    Raises:
        JobFailedError: it has failed.
    """
    console = Console(stderr=True)
    bar = Progress(
        *(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("items"),
            TimeElapsedColumn(),
        ),
        console=console,
        transient=True,
    )
    shown = sys.stderr.isatty()
    with bar if shown else nullcontext():
        task = bar.add_task(title, total=None)
        pause_s = POLL_S
        while (job := _job(where, arn)) is not None and job.status == IN_PROGRESS:
            bar.update(task, completed=job.done, total=job.total)
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.3, POLL_MAX_S)
    if job is not None and job.status == FAILED:
        raise JobFailedError(f"It failed: {job.reason}.", "")
    return job


def _job(where: Place, arn: str) -> ArchiveJob | None:
    return next((job for job in where.admin.archive() if job.arn == arn), None)


class Moment(click.ParamType[float]):
    """A time such as ``2026-11-27T05:30:00``, in UTC unless it says otherwise; converted to epoch seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the time in epoch seconds."""
        if isinstance(value, float):
            return value
        try:
            parsed = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time. Write it in UTC, such as 2026-11-27T05:30:00.", param, ctx)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def moment(seconds: float) -> str:
    """Return epoch seconds as people read them, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
