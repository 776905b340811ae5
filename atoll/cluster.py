"""A cluster of regions for Python programs and tests: real processes on free ports, started and stopped for you.

What::

    with Cluster(regions=("us-east-1", "eu-west-1")) as cluster:
        cluster.create_global_table("orders", hash_key="id")
        cluster.client("us-east-1").put_item(TableName="orders", Item={"id": {"S": "1"}})
        cluster.wait_converged("orders")

Invariants: every process that a cluster starts ends with it: on leaving the ``with`` block, also by an exception, at
the interpreter's exit, and when this process is killed (:mod:`atoll.child`). A region keeps its ports for the life of
the cluster, over kills and restarts (:mod:`atoll.ports`). A temporary data folder is deleted, a given one is kept.

Hazard: methods block; in an event loop use ``async with``, and ``asyncio.to_thread`` for the rest.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib
import shutil
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import msgspec

from atoll import layout, ports, rendezvous
from atoll.caches import Caches
from atoll.child import COMMAND, Ready, RegionChild, ServingChild
from atoll.config import Config
from atoll.experiments import Experiments
from atoll.failure import CrashedError, RemedyError, StartError, UnknownRegionError
from atoll.global_tables import GlobalTables
from atoll.remote import ADMIN_TIMEOUT_S, AccessKey, AdminClient, DynamoCaller
from atoll.report import Status
from atoll.triggering import Triggering
from atoll.trust import SYSTEM, Trust

if TYPE_CHECKING:
    from atoll.laboratory import Laboratory

REGIONS: Final = ("us-east-1", "eu-west-1", "ap-northeast-1")
START_S: Final = 30.0
CERTIFICATES: Final = "certificates"
"""The folder of a cluster's certificates, in its data folder."""
_running: weakref.WeakSet[Cluster] = weakref.WeakSet()


class Cluster(Experiments, GlobalTables, Triggering, Caches):
    """Regions as processes on this machine, and the links between them.

    Args:
        regions: the names of the regions.
        data: the folder for the regions' files, kept afterwards; ``None`` takes a temporary one, deleted afterwards.
        durability: ``full``, ``normal`` or ``memory``, as in the configuration.
        api_port: the first region's API port; the others, and then the gateway, take the following numbers. ``None``
            takes any free ones.
        gateway: whether there is one address for all regions, too: :attr:`gateway`.
        clock_offset_ms: how far each region's clock is off, by region.
        proxied: whether every link goes through a proxy, so that faults can be applied: :meth:`cut`, :meth:`skew`, …
        latency: ``aws`` makes links as slow as those between AWS's regions, times ``latency_scale``; needs ``proxied``.
        tls: whether clients and links speak TLS, by certificates that the cluster makes: :attr:`authority`.
        seed: makes the proxies' randomness repeat itself.
        template: further settings that all regions share; what a cluster decides itself is overwritten. With
            ``api.access_keys``, the cluster and its clients sign with the first.
        announce: whether commands such as ``atoll status`` find this cluster by themselves.
        command: how a region's process is started; for tests.
    """

    def __init__(
        self,
        regions: Sequence[str] = REGIONS,
        *,
        data: str | Path | None = None,
        durability: Literal["full", "normal", "memory"] = "normal",
        api_port: int | None = None,
        clock_offset_ms: Mapping[str, int] | None = None,
        gateway: bool = False,
        proxied: bool = False,
        tls: bool = False,
        latency: str | None = None,
        latency_scale: float = 1.0,
        seed: int | None = None,
        template: Config | None = None,
        announce: bool = True,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.regions = tuple(regions)
        if not self.regions or len(set(self.regions)) != len(self.regions):
            raise ValueError(f"regions must be different names, at least one: {self.regions}")
        self.data = Path(data).absolute() if data is not None else None
        self._temporary = data is None
        self._durability = durability
        self._api_port = api_port
        self._clock_offset_ms = dict(clock_offset_ms or {})
        self._with_gateway = gateway
        self._tls = tls
        self._gateway: ServingChild | None = None
        self._gateway_url: str | None = None
        self._caches = {}
        self._template = template or Config()
        self._key = next((AccessKey(*pair) for pair in self._template.api.access_keys.items()), None)
        if latency is not None and not proxied:
            raise ValueError("a latency profile needs proxied=True")
        self._laboratory = self._make_laboratory(latency, latency_scale, seed) if proxied else None
        self._announce = announce
        self._command = tuple(command)
        self._reservations: list[ports.Reservation] = []
        self._children: dict[str, RegionChild] = {}
        self._ready: dict[str, Ready] = {}
        self._note: Path | None = None
        self._file: Path | None = None

    # Life

    def start(self) -> Self:
        """Start all regions at once and wait until all are ready.

        Raises:
            StartError: one did not start; none runs then.
        """
        if self._children:
            raise StartError("This cluster is running.", "Stop it before starting it again.")
        _running.add(self)
        try:
            self._start()
        except OSError as error:
            self.stop()
            raise StartError(
                f"{error.filename or self.data} cannot be used: {error.strerror}.",
                "Give a folder that you may write to.",
            ) from error
        except BaseException as error:
            if isinstance(error, CrashedError):
                self._temporary = False  # The log that the error names is in there.
            self.stop()
            raise
        return self

    def _start(self) -> None:
        if self.data is None:
            self.data = Path(tempfile.mkdtemp(prefix="atoll-"))
        self._children = {
            config.region: RegionChild(config, Path(config.data), self._command) for config in self._configure()
        }
        for child in self._children.values():
            child.launch()
        if self._gateway is not None:
            self._gateway.launch()
        deadline = time.monotonic() + START_S
        if self._laboratory is not None:
            self._laboratory.connect(START_S)
        for region, child in self._children.items():
            self._ready[region] = child.wait_ready(deadline - time.monotonic())
        if self._gateway is not None:
            self._gateway_url = self._gateway.wait_ready(deadline - time.monotonic())
        if self._laboratory is not None:
            self._laboratory.open()
        self._write_file()

    def stop(self) -> None:
        """Stop all regions and give everything back. Does nothing when nothing runs."""
        if self._laboratory is not None:
            self._laboratory.close()
        processes = [*self._children.values(), *filter(None, [self._gateway])]
        processes += [cache.child for cache in self._caches.values()]
        for process in processes:
            process.let_go()
        for process in processes:
            process.stop()
        if self._laboratory is not None:
            self._laboratory.stop()
        self._gateway = self._gateway_url = None
        self._caches = {}
        for reservation in self._reservations:
            reservation.release()
        self._children, self._ready, self._reservations = {}, {}, []
        if self._note is not None:
            self._note.unlink(missing_ok=True)
            self._note = None
        if self.data is not None and self._temporary:
            shutil.rmtree(self.data, ignore_errors=True)
            self.data = None
        elif self._file is not None:
            # Only one that is ours: a start may have failed because another cluster serves the same folder.
            self._file.unlink(missing_ok=True)
        self._file = None
        _running.discard(self)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def kill(self, region: str) -> None:
        """End a region's process at once, as ``kill -9`` does."""
        self._region(region).kill()

    def stop_region(self, region: str) -> int | None:
        """Stop one region cleanly; return the exit code of its process."""
        return self._region(region).stop()

    def restart(self, region: str) -> None:
        """Start a region again, on the same ports and the same files, after :meth:`kill` or :meth:`stop_region`.

        A region that still runs is stopped cleanly first.
        """
        child = self._region(region)
        child.stop()
        child.launch()
        self._ready[region] = child.wait_ready(START_S)
        self._write_file()

    def running(self, region: str) -> bool:
        """Whether a region's process is there."""
        return self._region(region).running

    # Addresses and clients

    def endpoint(self, region: str) -> str:
        """Return the URL of a region's DynamoDB API."""
        self._region(region)
        return self._ready[region].addresses.api

    @property
    def gateway(self) -> str:
        """The URL at which every region answers the requests that were signed for it.

        Raises:
            StartError: the cluster was made without a gateway, or does not run.
        """
        if self._gateway_url is None:
            raise StartError("This cluster has no gateway.", "Make it with Cluster(gateway=True), and start it.")
        return self._gateway_url

    @property
    def trust(self) -> Trust | None:
        """Whom this cluster's clients trust and what they show, as files; ``None``: it speaks no TLS."""
        return layout.trust(self.data / CERTIFICATES) if self._tls and self.data is not None else None

    @property
    def authority(self) -> str | None:
        """The file of the authority to trust, as boto3's ``verify``; ``None``: there is no TLS."""
        return None if self.trust is None else self.trust.authorities

    def admin(self, region: str, timeout_s: float = ADMIN_TIMEOUT_S) -> AdminClient:
        """Return a client of a region's admin address; its text form is the URL."""
        self._region(region)
        return AdminClient(self._ready[region].addresses.admin, timeout_s, self.trust or SYSTEM)

    def client(self, region: str, **options: Any) -> Any:
        """Return a boto3 DynamoDB client for a region; ``options`` go to ``boto3.client``.

        Raises:
            RemedyError: boto3 is not installed.
        """
        try:
            boto3 = importlib.import_module("boto3")
        except ImportError as error:
            raise RemedyError("boto3 is not installed.", "Install it with `pip install boto3`.") from error
        defaults = {
            "endpoint_url": self.endpoint(region),
            "region_name": region,
            "aws_access_key_id": "atoll" if self._key is None else self._key.id,
            "aws_secret_access_key": "atoll" if self._key is None else self._key.secret,
            "verify": self.authority,
        }
        return boto3.client("dynamodb", **{**defaults, **options})

    def caller(self, region: str) -> DynamoCaller:
        """Return a bare DynamoDB caller for a region, for programs without an SDK; close it after use."""
        return DynamoCaller(self.endpoint(region), region, trust=self.trust or SYSTEM, key=self._key)

    def call(self, region: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Make one DynamoDB call without an SDK: ``call("us-east-1", "ListTables", {})``.

        Raises:
            RequestError: the region answered with an error.
            UnreachableError: there was no answer.
        """
        with self.caller(region) as caller:
            return caller.call(operation, request)

    def pid(self, region: str) -> int:
        """Return the number of a region's process.

        Raises:
            StartError: it does not run.
        """
        pid = self._region(region).pid
        if pid is None:
            raise StartError(f"{region} does not run.", "Start it with restart().")
        return pid

    def status(self) -> dict[str, Status | None]:
        """Return the status of every region; ``None`` for one that does not run."""
        return {
            region: self.admin(region).status() if child.running else None for region, child in self._children.items()
        }

    # Inside

    def _configure(self) -> list[Config]:
        """Reserve ports and return every region's configuration, peers included."""
        assert self.data is not None
        shared = msgspec.structs.replace(self._template, durability=self._durability)
        if self._laboratory is not None:
            shared = msgspec.structs.replace(shared, chaos=True)
        plan = layout.lay_out(
            self.regions,
            self.data,
            shared,
            self._api_port,
            self._clock_offset_ms,
            proxied=self._laboratory is not None,
            certificates=layout.certify(self.data / CERTIFICATES, self.regions) if self._tls else None,
        )
        self._reservations = plan.reservations
        if self._laboratory is not None:
            self.data.mkdir(parents=True, exist_ok=True)
            self._laboratory.launch(plan.ways, self.data)
        if self._with_gateway:
            self._gateway = ServingChild(["gateway", *layout.routes(plan, self.trust)], self.data)
        return plan.configs

    def _region(self, region: str) -> RegionChild:
        if not self._children:
            raise StartError("This cluster does not run.", "Start it with `with Cluster(...)` or start().")
        if region not in self._children:
            raise UnknownRegionError(f"This cluster has no region {region!r}.", f"It has {', '.join(self.regions)}.")
        return self._children[region]

    def _make_laboratory(self, latency: str | None, scale: float, seed: int | None) -> Laboratory:
        from atoll.laboratory import Laboratory  # noqa: PLC0415  Loaded on first use: most clusters have none.

        return Laboratory(self, latency=latency, latency_scale=scale, seed=seed)

    def _write_file(self) -> None:
        assert self.data is not None
        self._file = path = rendezvous.write(
            rendezvous.ClusterFile(
                pid=rendezvous.this_process(),
                data=str(self.data),
                gateway=self._gateway_url,
                trust=self.trust,
                control=None if self._laboratory is None else self._laboratory.control,
                regions=[
                    rendezvous.RegionAddress(
                        region=region,
                        endpoint=ready.addresses.api,
                        admin=ready.addresses.admin,
                        replication=ready.addresses.replication,
                        pid=self._children[region].pid or 0,
                    )
                    for region, ready in self._ready.items()
                ],
            )
        )
        if self._announce and self._note is None:
            self._note = rendezvous.announce(path)


def _stop_all() -> None:
    for cluster in list(_running):
        cluster.stop()


atexit.register(_stop_all)
