"""Waiting until replicas are equal: the digests of a table, region by region, until there is but one."""

from __future__ import annotations

import time
from collections.abc import Mapping

from atoll import provision
from atoll.failure import RemedyError
from atoll.remote import AdminClient, RequestError
from atoll.report import Digest


class NotConvergedError(RemedyError):
    """The replicas of a table still differ when the time is over."""


def digests(clients: Mapping[str, AdminClient], table: str) -> dict[str, Digest]:
    """Return the digest of a table in every region that holds it."""
    found: dict[str, Digest] = {}
    for region, client in clients.items():
        try:
            found[region] = client.digest(table)
        except RequestError as error:
            if error.name != "404":
                raise
    return found


def wait(clients: Mapping[str, AdminClient], table: str, timeout_s: float) -> Digest:
    """Wait until every region that holds a table holds the same keys, versions and images of it.

    Exact while nobody writes: equal digests that were taken while writes went on prove nothing.

    Raises:
        NotConvergedError: they still differ when the time is over; the message has each region's digest.
    """
    last: dict[str, Digest] = {}

    def converged() -> bool:
        last.clear()
        last.update(digests(clients, table))
        return len({digest.digest for digest in last.values()}) == 1

    try:
        provision.wait(converged, time.monotonic() + timeout_s, "")
    except provision.DeadlineError:
        shown = "; ".join(
            f"{region}: {d.items} items, {d.tombstones} tombstones, {d.digest[:12]}" for region, d in last.items()
        )
        raise NotConvergedError(
            f"{table} has not converged after {timeout_s:g} s ({shown or 'no running region holds it'}).",
            "`atoll lag` shows which link is behind.",
        ) from None
    return next(iter(last.values()))
