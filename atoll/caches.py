"""The caches of a cluster: one in front of a region, started when it is asked for first, ended with the cluster.

What: ``cluster.dax("us-east-1")`` returns the endpoint that DAX's clients are given. The cache is ``atoll dax`` as a
process of its own, on any free port.

Invariant: a cache outlives neither its cluster nor this process (:mod:`atoll.child`); a region that is killed and
restarted keeps its cache, as a DAX cluster would.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from atoll.child import ServingChild
from atoll.failure import StartError

if TYPE_CHECKING:
    from atoll.remote import AdminClient

START_S: Final = 30.0


class Caches:
    """The part of a cluster that starts caches."""

    data: Path | None
    _caches: dict[str, tuple[ServingChild, str]]

    if TYPE_CHECKING:

        def endpoint(self, region: str) -> str:
            """Return the URL of a region's DynamoDB API."""

        def admin(self, region: str, timeout_s: float = ...) -> AdminClient:
            """Return a client of a region's admin address."""

    def dax(
        self,
        region: str,
        *,
        item_ttl_ms: int | None = None,
        query_ttl_ms: int | None = None,
        invalidate: bool = False,
    ) -> str:
        """Return the endpoint (``dax://host:port``) of a region's cache, starting it if it does not run.

        Args:
            region: the region behind the cache.
            item_ttl_ms: how long items are held, in milliseconds; DAX's five minutes unless given.
            query_ttl_ms: how long results of queries and scans are held.
            invalidate: whether what changes in the region, by whoever, is dropped at once.

        Raises:
            StartError: the cache does not start, or runs already with other settings than these.
        """
        flags = [f"--region={region}={self.endpoint(region)}", f"--admin={self.admin(region)}"]
        flags += [] if item_ttl_ms is None else [f"--item-ttl={item_ttl_ms}ms"]
        flags += [] if query_ttl_ms is None else [f"--query-ttl={query_ttl_ms}ms"]
        flags += ["--invalidate"] if invalidate else []
        wanted = " ".join(flags)
        running = self._caches.get(region)
        if running is not None and running[0].running:
            child, url = running
            if child.wanted != wanted:
                raise StartError(
                    f"The cache of {region} runs with other settings.", "Ask for it with the same, or stop it first."
                )
            return url
        assert self.data is not None
        child = ServingChild(["dax", "--port=0", "--admin-port=0", *flags], self.data, name=f"dax-{region}")
        child.wanted = wanted
        child.launch()
        url = child.wait_ready(START_S)
        self._caches[region] = (child, url)
        return url

    def stop_dax(self, region: str) -> None:
        """Stop a region's cache; what it held is gone."""
        with contextlib.suppress(KeyError):
            self._caches.pop(region)[0].stop()
