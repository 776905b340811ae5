"""Workloads on a fleet of real regions in one event loop, and the evidence that they leave."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
from fleet import Fleet, Region, eventually

from chaos.checker.evidence import Evidence
from chaos.history import Recorder
from chaos.workload import CallError, Ground, Workload, create
from region.errors import DynamoError
from region.operation import OPERATIONS
from region.randomness import SeededRng


class RegionClient:
    """A client without a network: it calls the engine of a region in this process, as the wire would."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._calls = 0

    @property
    def region(self) -> str:
        return self._region.name

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def done(answer: Any, error: Any) -> None:
            if error is None:
                future.set_result(answer)
            else:
                future.set_exception(error)

        self._calls += 1
        request_id = f"{id(self)}-{self._calls}"
        self._region.engine.submit(OPERATIONS[operation], orjson.loads(orjson.dumps(request)), request_id, done)
        try:
            answer: dict[str, Any] = orjson.loads(orjson.dumps(await future))
        except DynamoError as error:
            fields = orjson.loads(orjson.dumps(error.fields))
            raise CallError(error.name, error.message, error.status < 500, fields.get("Item")) from error
        return {**answer, "ResponseMetadata": {"RequestId": request_id}}


async def begin(fleet: Fleet, workloads: list[Workload], *, seed: int = 1) -> Ground:
    """Create the workloads' tables everywhere, with what must be in them, and return the ground for their clients."""
    loop = asyncio.get_running_loop()
    recorder = Recorder(lambda: int(loop.time() * 1e9))
    regions = list(fleet.regions)

    def client(region: str) -> RegionClient:
        return RegionClient(fleet.regions[region])

    await create([schema for workload in workloads for schema in workload.schemas()], regions, client)
    ground = Ground(regions, client, recorder, SeededRng(seed), 0.5)
    for workload in workloads:
        await workload.prepare(ground)
    return ground


async def run(ground: Ground, workloads: list[Workload]) -> None:
    """Let the clients of all workloads work side by side for the ground's time."""
    await asyncio.gather(*(workload.run(ground) for workload in workloads))


async def rest(fleet: Fleet, recorder: Recorder, **fields: Any) -> Evidence:
    """Wait until everything is everywhere, stop the regions, and return the evidence."""
    files: dict[str, Path] = {}
    heads: list[int] = []
    # What a table's settings cause, such as a replica's becoming ACTIVE, is a change in its turn.
    while heads != (heads := [region.store.log_head() for region in fleet.regions.values()]):
        for region in fleet.regions.values():
            await region.replication.wait_delivered()
            await eventually(
                lambda: not any(it.replication.fetching for it in fleet.regions.values()), "all is fetched"
            )
    for region in fleet.regions.values():
        assert region.path is not None
        files[region.name] = region.path
    await fleet.stop()
    return Evidence.gather(recorder.events, files, **fields)
