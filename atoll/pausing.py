"""Pausing replication in a cluster: which requests go to which regions, for a region or for one directed link."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple

from atoll.failure import UnreachableError, UsageError
from atoll.remote import AdminClient
from atoll.rendezvous import require_region
from atoll.report import PauseRequest

Direction = Literal["in", "out", "both"]
Ask = Callable[[AdminClient, PauseRequest], list[str]]

_ARROW: Final = re.compile(r"\s*(?:->|→|:)\s*")


class Target(NamedTuple):
    """What is paused or resumed: a region, or the directed link ``source -> sink``."""

    region: str | None = None
    source: str | None = None
    sink: str | None = None


def parse(text: str) -> Target:
    """Read ``REGION`` or ``SRC->DST``; the arrow may also be a colon, which a shell leaves alone.

    Raises:
        UsageError: it is neither.
    """
    parts = _ARROW.split(text.strip())
    if len(parts) == 1 and parts[0]:
        return Target(region=parts[0])
    if len(parts) == 2 and all(parts) and parts[0] != parts[1]:
        return Target(source=parts[0], sink=parts[1])
    raise UsageError(f"{text!r} is neither a region nor a link.", "Write us-east-1 or 'us-east-1->eu-west-1'.")


def apply(
    clients: Mapping[str, AdminClient],
    target: Target,
    ask: Ask,
    *,
    direction: Direction,
    for_ms: int | None = None,
    table: str | None = None,
) -> list[str]:
    """Ask the regions concerned; return the links touched, as ``source->sink``.

    A link is paused at both of its ends, so that it stays paused while one of them is down; an end that is down is
    left out as long as the other answers. ``table`` pauses, or resumes, one table alone.

    Raises:
        UnknownRegionError: the cluster has no such region.
        UnreachableError: nobody who could do it answers.
    """
    if target.region is not None:
        client = require_region(target.region, clients)
        return sorted(ask(client, PauseRequest(direction=direction, for_ms=for_ms, table=table)))
    assert target.source is not None
    assert target.sink is not None
    into = PauseRequest(peer=target.source, direction="in", for_ms=for_ms, table=table)
    out = PauseRequest(peer=target.sink, direction="out", for_ms=for_ms, table=table)
    ends = ((require_region(target.sink, clients), into), (require_region(target.source, clients), out))
    links: set[str] = set()
    silent: list[UnreachableError] = []
    for client, request in ends:
        try:
            links.update(ask(client, request))
        except UnreachableError as error:
            silent.append(error)
    if len(silent) == len(ends):
        raise silent[0]
    return sorted(links)
