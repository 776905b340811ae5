"""The laboratory of a cluster: a proxy for every directed link, the faults that stand, and the address to control them.

What: a ``Cluster(proxied=True)`` has one. It starts a proxy server, or uses the one of ``$TOXIPROXY_URL`` or a
``toxiproxy-server`` on the PATH, makes a proxy a link, and gives :class:`~chaos.live.standing.Standing` the
processes, ports and admin addresses that it needs.

Invariants: whatever happens to this process, the proxy server ends with it, as regions do. Proxies in a server that is
not ours are deleted when the cluster stops; those that a killed cluster left there are replaced when names meet.

Hazard: proxies in a foreign server outlive a cluster that is killed with ``kill -9``.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from atoll import pausing, ports
from atoll.child import ServingChild
from atoll.control import Control
from atoll.failure import RemedyError, StartError
from atoll.layout import HOST
from atoll.remote import AdminClient
from atoll.report import LIVE, UNREACHABLE
from chaos.latency import PROFILES, delays_ms
from chaos.live.fleet import Condition, Disturbance, LinkView, Way
from chaos.live.standing import Standing
from chaos.live.toxiproxy import ProxyError, Toxiproxy
from chaos.stage import Sample

if TYPE_CHECKING:
    from atoll.cluster import Cluster

VARIABLE: Final = "TOXIPROXY_URL"
PROGRAM: Final = "toxiproxy-server"
LOOK_S: Final = 1.0
"""A region whose admin address does not answer in this time counts as down when links are looked at."""
KEEPER: Final = '"$@" & p=$!; cat >/dev/null; kill $p'
"""A shell that ends a program when its standard input ends: a tether for programs that know none."""


class ForeignProxy:
    """The original Toxiproxy server as a child process, on a tether."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._reserved = ports.Reservation(HOST)
        self._port = self._reserved.port

    def launch(self) -> None:
        """Start the process; :meth:`wait_ready` must follow."""
        command = ["/bin/sh", "-c", KEEPER, "keeper", self._program, "-host", HOST, "-port", str(self._port)]
        with (self._folder / "proxy.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )

    def wait_ready(self, timeout_s: float) -> str:
        """Wait until it answers; return the URL of its API."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                socket.create_connection((HOST, self._port), timeout=1).close()
            except OSError as error:
                if time.monotonic() > deadline:
                    raise StartError(f"{self._program} does not answer.", "Take it off the PATH.") from error
                time.sleep(0.01)
            else:
                return f"http://{HOST}:{self._port}"

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
        self._reserved.release()


class Laboratory:
    """What a cluster needs for faults; it is the cluster as :class:`chaos.live.fleet.Fleet` wants it."""

    def __init__(self, cluster: Cluster, *, latency: str | None, latency_scale: float, seed: int | None) -> None:
        if latency is not None and latency not in PROFILES:
            raise ValueError(f"there is no latency profile {latency!r}; there are {', '.join(PROFILES)}")
        self._cluster = cluster
        self._delays = delays_ms(cluster.regions, latency_scale) if latency is not None else {}
        self._seed = seed
        self._ways: Mapping[tuple[str, str], Way] = {}
        self._server: ServingChild | ForeignProxy | None = None
        self._made: list[str] = []
        self._standing: Standing | None = None
        self._control: Control | None = None
        self.proxy_api = ""

    # Life

    def launch(self, ways: Mapping[tuple[str, str], Way], folder: Path) -> None:
        """Start the proxy server, without waiting for it."""
        self._ways = ways
        if VARIABLE in os.environ:
            self.proxy_api = os.environ[VARIABLE]
            return
        program = shutil.which(PROGRAM)
        seed = [] if self._seed is None else [f"--seed={self._seed}"]
        own = ServingChild(["proxy", "--port=0", *seed], folder)
        self._server = own if program is None else ForeignProxy(program, folder)
        self._server.launch()

    def connect(self, timeout_s: float) -> None:
        """Make a proxy for every link, with the distance that it has.

        Raises:
            StartError: the proxy server does not work.
        """
        if self._server is not None:
            self.proxy_api = self._server.wait_ready(timeout_s)
        proxies = Toxiproxy(self.proxy_api)
        try:
            for link, way in self._ways.items():
                proxies.delete(way.proxy)
                proxies.create(way.proxy, _text(way.listen), _text(way.upstream))
                self._made.append(way.proxy)
                for stream in ("upstream", "downstream") if self._delays.get(link) else ():
                    proxies.add_toxic(
                        way.proxy, f"distance-{stream}", "latency", stream, {"latency": self._delays[link]}
                    )
        except ProxyError as error:
            raise StartError(str(error), f"Is ${VARIABLE} right?" if self._server is None else "") from error

    def open(self) -> None:
        """Offer faults, and the address to control them."""
        self._standing = Standing(self)
        self._control = Control(self._standing, self.heal)

    def close(self) -> None:
        """Close the control address, and let suspended processes go on."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._standing is not None:
            self._standing.close()
            self._standing = None

    def stop(self) -> None:
        """End the proxy server, or delete what was made in one that is not ours."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        else:
            for name in self._made:
                Toxiproxy(self.proxy_api).delete(name)
        self._made = []

    @property
    def control(self) -> str | None:
        """The URL where faults are applied and healed."""
        return None if self._control is None else self._control.url

    @property
    def standing(self) -> Standing:
        """The faults.

        Raises:
            StartError: the cluster does not run.
        """
        if self._standing is None:
            raise StartError("This cluster does not run.", "Start it with `with Cluster(...)` or start().")
        return self._standing

    def heal(self) -> list[int]:
        """End every fault and every pause; return the numbers of the faults."""
        ended = self.standing.heal()
        for region in self.regions:
            self._cluster.resume(region)
        return [fault.number for fault in ended]

    # The fleet

    @property
    def regions(self) -> Sequence[str]:
        """The regions' names."""
        return self._cluster.regions

    def way(self, source: str, sink: str) -> Way:
        """Return a directed link's proxy."""
        return self._ways[source, sink]

    def kill(self, region: str) -> None:
        """End a region's process at once."""
        self._cluster.kill(region)

    def restart(self, region: str) -> None:
        """Start a region again."""
        self._cluster.restart(region)

    def stop_region(self, region: str) -> int | None:
        """Stop a region cleanly."""
        return self._cluster.stop_region(region)

    def pid(self, region: str) -> int:
        """Return the number of a region's process."""
        return self._cluster.pid(region)

    def running(self, region: str) -> bool:
        """Whether a region's process is there."""
        return self._cluster.running(region)

    def folder(self, region: str) -> Path:
        """Return the folder of a region's files."""
        assert self._cluster.data is not None
        return self._cluster.data / region

    def disturb(self, region: str, disturbance: Disturbance) -> Condition:
        """Replace what is wrong with a region by its own hand."""
        return self._cluster.admin(region).disturb(disturbance)

    def condition(self, region: str) -> Condition:
        """Return how a region does."""
        return self._cluster.admin(region).condition()

    def pause_link(self, source: str, sink: str) -> None:
        """Pause replication of a link."""
        self._steer(AdminClient.pause, source, sink)

    def resume_link(self, source: str, sink: str) -> None:
        """End that pause."""
        self._steer(AdminClient.resume, source, sink)

    def _steer(self, ask: pausing.Ask, source: str, sink: str) -> None:
        clients = {region: self._cluster.admin(region) for region in self.regions}
        pausing.apply(clients, pausing.Target(source=source, sink=sink), ask, direction="both")

    def endpoint(self, region: str) -> str:
        """Return the URL of a region's DynamoDB API."""
        return self._cluster.endpoint(region)

    def links(self) -> Sequence[LinkView]:
        """Return how every directed link does; an end that does not answer makes it unreachable."""
        views = {link: LinkView("->".join(link), LIVE, 0, 0.0, 0.0) for link in self._ways}
        for region in self.regions:
            try:
                ends = self._cluster.admin(region, LOOK_S).status().links
            except RemedyError:
                down = [link for link in views if region in link]
                views |= {link: views[link]._replace(state=UNREACHABLE) for link in down}
                continue
            for end in ends:
                view = views[end.source, end.sink]
                latency_s = 0.0 if end.latency is None else end.latency.p50_ms / 1000
                views[end.source, end.sink] = view._replace(
                    state=view.state if end.state == LIVE else end.state,
                    behind=max(view.behind, end.records_behind),
                    age_s=max(view.age_s, latency_s, end.oldest_unacknowledged_s or 0.0),
                    staleness_s=max(view.staleness_s, end.staleness_s or 0.0),
                )
        return list(views.values())

    def samples(self) -> Sequence[Sample]:
        """Return what each region that answers says of itself."""
        found = []
        for region in self.regions:
            with suppress(RemedyError):  # One that is down says nothing.
                found.append(self._cluster.admin(region, LOOK_S).sample())
        return found

    def link_states(self, source: str, sink: str) -> Mapping[str, str]:
        """Return the state of a link as each end that answers sees it."""
        states: dict[str, str] = {}
        for region in (source, sink):
            try:
                status = self._cluster.admin(region).status()
            except RemedyError:
                continue
            for link in status.links:
                if (link.source, link.sink) == (source, sink):
                    states[region] = link.state
        return states


def _text(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"
