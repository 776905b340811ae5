"""The composition root: one region put together from its parts, started and stopped in order, and run as a process.

What: :class:`Region` builds store, clock, engine, endpoint, replication and admin address from one configuration.
:func:`run` is the life of a region's process: start, say ready, serve, stop.

Invariants: parts are stopped in the reverse order of their start, whatever failed in between. A start that fails says
in a sentence or two what is wrong and what to do, and ends with exit code 1, or 2 when the configuration is at fault.
A :class:`~region.errors.DefectError` anywhere stops the region with exit code 70: a wrong replica is worse than a
stopped one. SIGTERM and SIGINT stop it cleanly; a second signal ends it at once.

Hazard: a tethered region lives as long as its standard input is open; see :mod:`atoll.child`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from atoll import archive, certificates, derivation, encryption, kinesis, tether
from atoll.access import Access
from atoll.admin import Parts, Serving
from atoll.child import Ready
from atoll.config import Config
from atoll.failure import EXIT_DEFECT, RemedyError, StartError
from atoll.monitoring.collector import Collector
from atoll.monitoring.neighbour import SERVICE, CloudWatch
from atoll.observability import Logs, Metrics
from atoll.report import Addresses, KinesisReport
from atoll.samples import (
    endpoint_samples,
    kinesis_samples,
    link_samples,
    region_samples,
    safety_samples,
    tear_samples,
    trigger_samples,
)
from atoll.tls import Tls
from atoll.triggers.registry import Triggers, functions_in
from clock import ControlledClock, DriftBounds, PhysicalClock, SkewedClock, SystemClock
from region.archive.shelf import VaultShelf
from region.checkpoint import RunBeside
from region.errors import DefectError, OperatingError, StoreError
from region.events import Event, Events, StoreFailed
from region.randomness import SystemRng
from region.store.faulty import FaultyStore
from region.store.sqlite import open_store
from region.wire import Endpoint
from replication import Assembly, Ports, WebSocketTransport

if TYPE_CHECKING:
    from region.engine import Engine

DATABASE: Final = "region.sqlite"
DEFECT_CHECK_S: Final = 0.1
GARBAGE_THRESHOLDS: Final = (10_000, 20, 100)
"""Requests leave no cycles behind. At Python's usual 700 objects a burst of them is searched for some all the time."""


class Region:
    """One region, complete. ``stop_process`` is called with an exit code when it cannot go on."""

    def __init__(self, config: Config, stop_process: tether.Stop) -> None:
        self.config = config
        self.logs = Logs(config.log, config.region)
        self.state = "starting"
        self.addresses: Addresses | None = None
        self._stop_process = stop_process
        self._started = contextlib.AsyncExitStack()
        self._assembly: Assembly | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._tls = Tls(config.tls)
        self._access = Access(config.access.file, config.account, config.api.access_keys)
        self._endpoint: Endpoint | None = None

    async def start(self) -> Addresses:
        """Build and start everything; return where the region listens.

        Raises:
            StartError: something outside stands in the way; nothing is left running.
        """
        try:
            addresses = self.addresses = await self._start()
        except BaseException:
            await self.stop()
            raise
        self.state = "live"
        self._check_defect()
        return addresses

    async def _start(self) -> Addresses:
        config = self.config
        source = _source(config)
        events = Events()
        events.subscribe(self.logs.listen)
        assembly = self._assemble(source, events)
        engine, replication = assembly.engine, assembly.replication
        archivist = archive.build(config, self._started, engine, self._vault, self._shelf)
        endpoint = self._endpoint = self._serve_clients(engine, source)
        delivery = kinesis.build(config, engine)
        triggers = self._triggers(engine)
        streams: Callable[[], list[KinesisReport]] = list if delivery is None else delivery.reports
        collector = Collector(engine, endpoint.statistics, replication, streams)
        endpoint.dispatcher.neighbours[SERVICE] = CloudWatch(collector)
        metrics = _metrics(config, assembly, endpoint, triggers, streams)
        events.subscribe(metrics.listen)
        events.subscribe(collector.listen)
        events.subscribe(self._notice)
        if delivery is not None:
            # Before the engine, which begins to trim the log.
            delivery.start()
            self._started.push_async_callback(delivery.stop)
        await encryption.watch(config, self._started, engine)
        engine.start()
        collector.start()
        self._started.callback(collector.stop)
        archivist.start()
        self._started.push_async_callback(archivist.stop)
        with _listening("the DynamoDB API", "api", config.api.host, config.api.port):
            api_port = await endpoint.start(config.api.host, config.api.port, ssl=self._tls.clients)
        self._started.push_async_callback(endpoint.stop)
        with _listening("replication", "replication", config.replication.host, config.replication.port):
            replication_port = await replication.start()
        self._started.push_async_callback(replication.stop)
        with _listening("the admin address", "admin", config.admin.host, config.admin.port):
            serving = Serving(config.admin.host, config.admin.port, self._tls.clients)
        self._started.push_async_callback(serving.stop)
        addresses = self._addresses(api_port, serving.port, replication_port)
        await serving.start(
            Parts(
                *(config, addresses, engine, replication, metrics, archivist, delivery, endpoint.statistics, triggers),
                lambda: self.state,
            )
        )
        triggers.start()
        self._started.push_async_callback(triggers.stop)
        return addresses

    def _addresses(self, api: int, admin: int, replication: int) -> Addresses:
        """Return where the region listens, given the ports."""
        config = self.config
        web = "https" if self._tls.clients else "http"
        return Addresses(
            api=_url(web, config.api.host, api),
            admin=_url(web, config.admin.host, admin),
            replication=_url("wss" if self._tls.peers else "ws", config.replication.host, replication),
        )

    def _assemble(self, source: PhysicalClock, events: Events) -> Assembly:
        config = self.config
        rng = SystemRng()
        keyring = encryption.keyring(config, rng)
        path = None if config.durability == "memory" else Path(config.data) / DATABASE
        kind = FaultyStore if config.chaos else None
        try:
            store = open_store(
                path, region=config.region, durability=config.durability, rng=rng, kind=kind, keyring=keyring
            )
        except StoreError as error:
            raise StartError(f"{str(error)[0].upper()}{str(error)[1:]}.", "") from error
        self._vault = archive.vault(config, keyring)
        self._shelf = VaultShelf(self._vault)
        assembly = Assembly(
            Ports(source, store, WebSocketTransport(self._tls.peers), rng),
            settings=derivation.region_settings(config),
            replication=derivation.replication_settings(config),
            drift=DriftBounds(config.clock.drift_warn_ms, config.clock.drift_park_ms),
            events=events,
            run_beside=self._run_beside() if path is not None else None,
            shelf=self._shelf,
        )
        self._assembly = assembly
        self._started.push_async_callback(assembly.engine.close)
        return assembly

    def _serve_clients(self, engine: Engine, source: PhysicalClock) -> Endpoint:
        """Return the DynamoDB API, with whoever judges its requests."""
        return Endpoint(
            engine,
            derivation.endpoint_settings(self.config, self._access),
            rng=engine.rng,
            source=source,
            horizon=engine.horizon,
            guard=self._access.guard(lambda: engine.reading, engine.events),
        )

    def _triggers(self, engine: Engine) -> Triggers:
        config = self.config
        folder = None if config.durability == "memory" else Path(config.data) / "functions"
        return Triggers(engine, config.triggers, config.functions, functions_in(folder))

    def _run_beside(self) -> RunBeside:
        """Return the way to run what waits for the disk beside the event loop, in one thread; reads go on meanwhile."""
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="disk")
        self._started.callback(executor.shutdown)
        loop = asyncio.get_running_loop()

        async def run(call: Callable[[], None]) -> None:
            await loop.run_in_executor(executor, call)

        return run

    async def stop(self) -> None:
        """Stop everything that was started, last first."""
        self.state = "stopping"
        if self._watch is not None:
            self._watch.cancel()
        await self._started.aclose()

    def follow_files(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take new certificates and a new access file at SIGHUP, where there are any."""
        if self._tls.clients is not None or self._access.on:
            loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _reload(self) -> None:
        if self._tls.clients is not None:
            self._reload_one("certificates", self._tls.reload)
        if self._access.on:
            self._reload_one("access", self._reload_access)

    def _reload_one(self, what: str, reload: Callable[[], None]) -> None:
        try:
            reload()
        except RemedyError as error:
            self.logs.say("error", f"{what}_kept", problem=error.problem, remedy=error.remedy)
        else:
            self.logs.say("info", f"{what}_loaded")

    def _reload_access(self) -> None:
        self._access.reload()
        if self._endpoint is not None:
            self._endpoint.dispatcher.trust(self._access.credentials)

    def _notice(self, event: Event) -> None:
        """Look for a defect right after a failure of the store, which is how most defects show."""
        if isinstance(event, StoreFailed):
            asyncio.get_running_loop().call_soon(self._look_for_defect)

    def _look_for_defect(self) -> None:
        defect = None if self._assembly is None else self._assembly.engine.defect
        if defect is not None and self.state == "live":
            self.give_up(defect)

    def _check_defect(self) -> None:
        """Look for a defect now and every :data:`DEFECT_CHECK_S` seconds, for those that show in no event."""
        self._look_for_defect()
        self._watch = asyncio.get_running_loop().call_later(DEFECT_CHECK_S, self._check_defect)

    def give_up(self, defect: DefectError) -> None:
        """Stop the process because of a defect, loudly."""
        self.state = "stopping"
        self.logs.open()
        self.logs.say(
            "error",
            "defect",
            problem=str(defect),
            remedy="The region has stopped, because a wrong replica is worse than a stopped one. Please report this.",
            exc_info=defect,
        )
        self._stop_process(EXIT_DEFECT)


def _source(config: Config) -> PhysicalClock:
    clock = SystemClock()
    if config.chaos:
        return ControlledClock(clock, config.clock.offset_ms)
    return SkewedClock(clock, config.clock.offset_ms) if config.clock.offset_ms else clock


def _metrics(
    config: Config,
    assembly: Assembly,
    endpoint: Endpoint,
    triggers: Triggers,
    streams: Callable[[], list[KinesisReport]],
) -> Metrics:
    """Return what a scrape reads off the region's parts."""
    engine, replication = assembly.engine, assembly.replication
    return Metrics(
        (
            lambda: region_samples(config, engine),
            lambda: kinesis_samples(streams()),
            lambda: link_samples(replication.links()),
            lambda: tear_samples(replication.tears(), config.region),
            lambda: endpoint_samples(endpoint.statistics),
            lambda: safety_samples(engine, replication, endpoint, streams()),
            lambda: trigger_samples(triggers),
        )
    )


@contextlib.contextmanager
def _listening(what: str, section: str, host: str, port: int) -> Iterator[None]:
    """Turn a failure to listen into a sentence that helps."""
    try:
        yield
    except (OSError, OperatingError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        number = cause.errno if isinstance(cause, OSError) else None
        reason = os.strerror(number) if number is not None and number > 0 else str(cause or error)
        raise StartError(
            f"Port {port} of {host} for {what} cannot be used: {reason}.",
            f"End the process that holds it, or choose another with {section}.port.",
        ) from error


def _url(scheme: str, host: str, port: int) -> str:
    """Return the URL of a listener, as somebody on this machine would use it."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"{scheme}://{shown}:{port}"


def run(config: Config, *, tethered: bool) -> int:
    """Run a region until it is told to stop; return the exit code of the process.

    Raises:
        StartError: it could not start, and is not tethered; a tethered one reports on its standard output instead.
    """
    try:
        return asyncio.run(_serve(config, tethered=tethered))
    except RemedyError as error:
        if not tethered:
            raise
        tether.report_refusal(error)
        return error.exit_code


async def _serve(config: Config, *, tethered: bool) -> int:
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    tether.watch(stop, tethered=tethered)
    region = Region(config, stop)
    loop.set_exception_handler(lambda _, context: _unhandled(region, context))
    addresses = await region.start()
    try:
        region.follow_files(loop)
        _say_ready(region, addresses, tethered=tethered)
        gc.freeze()
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        await loop.run_in_executor(None, region.logs.open)
        await loop.run_in_executor(None, certificates.load)
        region.logs.say("info", "ready", **msgspec.structs.asdict(addresses))
        code = await stopped
        region.logs.say("info", "stopping", code=code)
    finally:
        await region.stop()
    return code


def _unhandled(region: Region, context: dict[str, Any]) -> None:
    """Handle what nobody caught in a task or a callback: a defect stops the region, all else is logged."""
    error = context.get("exception")
    if isinstance(error, DefectError):
        region.give_up(error)
    else:
        region.logs.say("error", "unhandled", detail=context["message"], exc_info=error)


def _say_ready(region: Region, addresses: Addresses, *, tethered: bool) -> None:
    if tethered:
        tether.report(Ready(region=region.config.region, addresses=addresses))
        return
    sys.stdout.write(
        f"{region.config.region} is ready\n"
        f"  DynamoDB API  {addresses.api}\n"
        f"  replication   {addresses.replication}\n"
        f"  admin         {addresses.admin}/status\n"
        f"  data          {_fate(region.config)}\n"
    )
    sys.stdout.flush()


def _fate(config: Config) -> str:
    if config.durability == "memory":
        return "in memory: nothing is kept"
    return f"{Path(config.data).absolute() / DATABASE} (durability {config.durability})"
