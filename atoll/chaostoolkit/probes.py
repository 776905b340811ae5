"""Probes for Chaos Toolkit experiments: do replicas hold the same, how is a link, how far behind, what has been lost.

What: each looks at the admin addresses of a running cluster. What does not answer is told as a value where that is what
is asked (:func:`region_answers`, :func:`link_state`), and is an error where a number would be made up.
"""

from __future__ import annotations

import os
import time
from typing import Final

from atoll import rendezvous
from atoll.failure import UnreachableError
from atoll.remote import AdminClient
from atoll.report import UNREACHABLE, LinkReport

__all__ = ["changes_behind", "conflicts_recorded", "link_becomes", "link_state", "region_answers", "replicas_equal"]

POLL_S: Final = 0.05


def replicas_equal(table: str, cluster: str | None = None) -> bool:
    """Whether all regions hold the same keys, versions and images of a table; ask while nobody writes."""
    clients = rendezvous.find(cluster, os.environ).values()
    return len({client.digest(table).digest for client in clients}) == 1


def region_answers(region: str, cluster: str | None = None) -> bool:
    """Whether a region answers."""
    try:
        return _client(region, cluster).health().state == "live"
    except UnreachableError:
        return False


def link_state(source: str, sink: str, cluster: str | None = None) -> str:
    """Return the state of a link as its sink sees it; ``unreachable`` where the sink does not answer."""
    try:
        return _link(source, sink, cluster).state
    except UnreachableError:
        return UNREACHABLE


def link_becomes(source: str, sink: str, state: str, timeout_s: float = 10.0, cluster: str | None = None) -> bool:
    """Whether a link comes to be in a state, as its sink sees it, in time: a silent cut shows after a while."""
    deadline = time.monotonic() + timeout_s
    while link_state(source, sink, cluster) != state:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def changes_behind(source: str, sink: str, cluster: str | None = None) -> int:
    """Return how many changes of the source are not durable at the sink, as the source counts them."""
    links = _client(source, cluster).status().links
    return next(link.records_behind for link in links if (link.source, link.sink) == (source, sink))


def conflicts_recorded(cluster: str | None = None) -> int:
    """Return how many conflicts the regions have recorded in all; one that two regions met counts twice."""
    clients = rendezvous.find(cluster, os.environ).values()
    return sum(client.conflict_page(limit=1).recorded for client in clients)


def _client(region: str, cluster: str | None) -> AdminClient:
    return rendezvous.require_region(region, rendezvous.find(cluster, os.environ))


def _link(source: str, sink: str, cluster: str | None) -> LinkReport:
    links = _client(sink, cluster).status().links
    return next(link for link in links if (link.source, link.sink) == (source, sink))
