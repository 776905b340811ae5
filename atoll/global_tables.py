"""Global tables of a cluster: made in all its regions, and waited for until all hold the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from atoll import convergence, provision
from atoll.remote import AdminClient, DynamoCaller
from atoll.report import Digest


class GlobalTables:
    """The part of :class:`~atoll.cluster.Cluster` that makes tables and compares replicas."""

    regions: tuple[str, ...]

    if TYPE_CHECKING:  # The rest of the cluster, as this part of it needs it.

        def admin(self, region: str) -> AdminClient:
            """Return a client of a region's admin address."""

        def caller(self, region: str) -> DynamoCaller:
            """Return a bare DynamoDB caller for a region."""

        def running(self, region: str) -> bool:
            """Whether a region's process is there."""

    def create_global_table(
        self,
        name: str,
        *,
        hash_key: provision.Key = "id",
        range_key: provision.Key | None = None,
        regions: Sequence[str] | None = None,
        timeout: float = 30.0,
    ) -> None:
        """Create a table in the first of ``regions``, add a replica in each of the others, wait until all are ACTIVE.

        ``regions`` are all of the cluster's if not given. A key is an attribute's name and type (``("n", "N")``), or
        just its name if it is a string. ``timeout`` is in seconds.
        """
        members = tuple(regions) if regions is not None else self.regions
        callers = {region: self.caller(region) for region in members}
        try:
            provision.create_global_table(callers, name, hash_key, range_key, timeout)
        finally:
            for caller in callers.values():
                caller.close()

    def wait_converged(self, table: str, timeout: float = 30.0) -> Digest:
        """Wait until every running region that holds the table holds the same keys, versions and images of it.

        Exact while nobody writes: equal digests that were taken while writes went on prove nothing.

        Raises:
            NotConvergedError: they still differ after ``timeout`` seconds; the message has each region's digest.
        """
        running = {region: self.admin(region) for region in self.regions if self.running(region)}
        return convergence.wait(running, table, timeout)
