"""The caches of a cluster: one in front of a region, started when it is asked for first, ended with the cluster.

What: ``cluster.dax("us-east-1")`` returns the endpoint that DAX's clients are given. The cache is ``atoll dax`` as a
process of its own, on any free port.

Invariants: a cache outlives neither its cluster nor this process (:mod:`atoll.child`). A region that is killed and
restarted keeps its cache, as it would keep a DAX cluster.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from atoll import layout, ports
from atoll.child import ServingChild
from atoll.failure import StartError
from atoll.remote import AdminClient
from atoll.trust import Trust

START_S: Final = 30.0


class RunningCache(NamedTuple):
    """A region's cache: its process, its endpoint, and what it was started with."""

    child: ServingChild
    url: str
    admin: str
    flags: tuple[str, ...]


class Caches:
    """The part of :class:`~atoll.cluster.Cluster` that starts caches."""

    data: Path | None
    _caches: dict[str, RunningCache]
    _reservations: list[ports.Reservation]

    if TYPE_CHECKING:  # The rest of the cluster, as this part of it needs it.

        @property
        def trust(self) -> Trust | None:
            """Whom the cluster's clients trust, and what they show."""

        def endpoint(self, region: str) -> str:
            """Return the URL of a region's DynamoDB API."""

        def admin(self, region: str) -> AdminClient:
            """Return a client of a region's admin address."""

    def dax(
        self, region: str, *, item_ttl_ms: int | None = None, query_ttl_ms: int | None = None, invalidate: bool = False
    ) -> str:
        """Return the endpoint of a region's cache, for ``AmazonDaxClient(endpoint_url=…)``, starting it if need be.

        Args:
            region: the region behind the cache.
            item_ttl_ms: how long an item is held, in milliseconds; DAX's five minutes unless given.
            query_ttl_ms: how long the result of a query or a scan is held.
            invalidate: whether what changes in the region, by whoever, is dropped at once.

        Raises:
            StartError: the cache does not start, or runs already with other settings than these.
        """
        given = {"item-ttl": item_ttl_ms, "query-ttl": query_ttl_ms}
        flags = tuple(f"--{name}={value}ms" for name, value in given.items() if value is not None)
        flags += ("--invalidate",) if invalidate else ()
        running = self._caches.get(region)
        if running is not None and running.child.running:
            if running.flags != flags:
                raise StartError(f"The cache of {region} runs with other settings.", "End it with stop_dax() first.")
            return running.url
        where = [f"--region={region}={self.endpoint(region)}", f"--admin={self.admin(region)}"]
        if self.trust is not None:
            files = {
                "authorities": self.trust.authorities,
                "certificate": self.trust.certificate,
                "key": self.trust.key,
            }
            where += [f"--{name}={file}" for name, file in files.items()]
        assert self.data is not None
        (admin,) = ports.reserve(layout.HOST, [0])
        self._reservations.append(admin)
        where += [f"--admin-port={admin.port}", f"--lists={self.data / 'attribute-lists.jsonl'}"]
        arguments = ["dax", "--port=0", *where, *flags]
        child = ServingChild(arguments, self.data, f"dax-{region}")
        child.launch()
        url = child.wait_ready(START_S)
        self._caches[region] = RunningCache(child, url, f"http://{layout.HOST}:{admin.port}", flags)
        return url

    def dax_admin(self, region: str) -> str:
        """Return the URL where a region's cache says what it has counted: ``/stats``, ``/metrics``, ``/health``.

        Raises:
            StartError: it does not run.
        """
        running = self._caches.get(region)
        if running is None:
            raise StartError(f"{region} has no cache.", "Start it with dax().")
        return running.admin

    def dax_pid(self, region: str) -> int:
        """Return the number of the process of a region's cache.

        Raises:
            StartError: it does not run.
        """
        running = self._caches.get(region)
        if running is None or (pid := running.child.pid) is None:
            raise StartError(f"{region} has no cache.", "Start it with dax().")
        return pid

    def stop_dax(self, region: str) -> None:
        """End a region's cache; what it held is gone. Does nothing where there is none."""
        running = self._caches.pop(region, None)
        if running is not None:
            running.child.stop()
