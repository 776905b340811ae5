"""Options and forms that several verbs share: which cluster, JSON, durations, and the names of links."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import click

from atoll import moments, pausing, rendezvous
from atoll.failure import UnknownRegionError, UsageError
from atoll.pausing import Target
from atoll.remote import AdminClient
from clock import SystemClock

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Command = TypeVar("Command", bound=Callable[..., Any])

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNIT_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}

WIDTH: Final = 160

cluster_option = click.option(
    "--cluster",
    metavar="PATH|URL,…",
    help="A cluster.json, its folder, or admin URLs. Otherwise $ATOLL_CLUSTER, otherwise the newest running cluster.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def columns(*headings: str, right: tuple[str, ...] = (), wrapped: tuple[str, ...] = (), gap: int = 2) -> Table:
    """Return an empty table for people.

    The headings in ``right`` are those of numbers. On a narrow terminal the columns in ``wrapped`` give way first, in
    several lines, so that names and addresses stay whole. ``gap`` is the space between columns, in characters.
    """
    # Loaded where it is needed: only a person does, and it costs 50 ms.
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0))
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in right else "left"
        table.add_column(heading, justify=justify, no_wrap=heading not in wrapped, overflow="fold")
    return table


def console() -> Console:
    """Return a console that is as wide as the terminal, and wide enough where there is none."""
    # Loaded where it is needed: only a person does, and it costs 50 ms.
    from rich.console import Console  # noqa: PLC0415

    return Console(width=None if sys.stdout.isatty() else WIDTH)


def find(cluster: str | None) -> dict[str, AdminClient]:
    """Return the admin clients of the cluster that a command is about, by region."""
    return rendezvous.find(cluster, os.environ)


def chosen(clients: dict[str, AdminClient], regions: tuple[str, ...]) -> dict[str, AdminClient]:
    """Return the clients of the named regions, or all where none is named.

    Raises:
        UnknownRegionError: the cluster does not have one of them.
    """
    unknown = [region for region in regions if region not in clients]
    if unknown:
        raise UnknownRegionError(f"The cluster has no region {unknown[0]}.", f"It has {', '.join(clients)}.")
    return {region: client for region, client in clients.items() if not regions or region in regions}


def tls(clients: Mapping[str, AdminClient]) -> SSLContext | None:
    """Return how the certificates of a cluster's regions are judged, ``None`` where they have none."""
    return next((client.trust.context() for client in clients.values() if client.url.startswith("https:")), None)


def serving(command: Command) -> Command:
    """Add the options of a verb that serves people or programs: what it shows them for TLS."""
    path = click.Path(exists=True, dir_okay=False)
    command = click.option("--key", type=path, metavar="FILE", help="Its key, if in a file of its own.")(command)
    return click.option("--certificate", type=path, metavar="FILE", help="Serve over TLS, with this PEM file.")(command)


class Moment(click.ParamType[str]):
    """A moment (:mod:`atoll.moments`), converted to seconds since 1970 by this machine's clock."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the moment in a form that the admin address understands."""
        try:
            moment_ms = moments.parse(str(value), SystemClock().now_ms())
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return f"{moment_ms / 1000:.3f}"


class Duration(click.ParamType[int]):
    """A span of time such as ``500ms``, ``30s``, ``2m`` or ``1h``; converted to milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the span in milliseconds."""
        if isinstance(value, int):
            return value
        match = _DURATION.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no duration. Write 500ms, 30s, 2m or 1h.", param, ctx)
        return round(float(match[1]) * _UNIT_MS[match[2]])


class TargetType(click.ParamType[Target]):
    """``REGION`` or ``SRC->DST`` (quote the arrow, or write ``SRC:DST``)."""

    name = "target"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Target:
        """Return the target."""
        if isinstance(value, Target):
            return value
        try:
            return pausing.parse(str(value))
        except UsageError as error:
            raise click.BadParameter(str(error), ctx, param) from error
