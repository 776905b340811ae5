"""A whole region in this process: what it does when it cannot start, and when an invariant does not hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from atoll.composition import Region
from atoll.config import AdminConfig, ApiConfig, Config, ReplicationConfig
from atoll.failure import EXIT_DEFECT, StartError
from atoll.remote import AdminClient, DynamoCaller, RequestError
from region.errors import DefectError
from region.operation import OPERATIONS

CONFIG = Config(
    durability="memory",
    api=ApiConfig(port=0),
    admin=AdminConfig(port=0),
    replication=ReplicationConfig(port=0),
)


class Process:
    """Stands in for the region's process: keeps the exit code that it was told to end with."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def stop(self, code: int) -> None:
        if not self.ended.done():
            self.ended.set_result(code)


@pytest.fixture
async def process() -> Process:
    return Process()


@pytest.fixture
async def live(process: Process) -> AsyncIterator[Region]:
    region = Region(CONFIG, process.stop)
    await region.start()
    yield region
    await region.stop()


def break_operation(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make an operation find that an invariant does not hold."""

    def broken(*_: Any) -> dict[str, Any]:
        raise DefectError("the log has a gap")

    monkeypatch.setitem(OPERATIONS, name, OPERATIONS[name]._replace(run=broken))


@pytest.mark.parametrize("operation", ["ListTables", "CreateTable"])
async def test_a_defect_in_an_operation_ends_the_process_with_70(
    process: Process, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], operation: str
) -> None:
    break_operation(monkeypatch, operation)
    region = Region(CONFIG, process.stop)
    addresses = await region.start()
    with DynamoCaller(addresses.api, CONFIG.region) as caller, pytest.raises(RequestError, match="InternalServerError"):
        await asyncio.to_thread(caller.call, operation, REQUESTS[operation])
    assert await process.ended == EXIT_DEFECT
    assert region.state == "stopping"
    await region.stop()
    line = next(line for line in capsys.readouterr().err.splitlines() if '"defect"' in line)
    assert "the log has a gap" in line
    assert "a wrong replica is worse than a stopped one" in line


REQUESTS: dict[str, dict[str, Any]] = {
    "ListTables": {},
    "CreateTable": {
        "TableName": "orders",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    },
}


async def test_a_region_in_use_answers_at_all_its_addresses(live: Region, process: Process) -> None:
    assert live.state == "live"
    assert live.addresses is not None
    admin = AdminClient(live.addresses.admin)
    assert (await asyncio.to_thread(admin.health)).state == "live"
    with DynamoCaller(live.addresses.api, CONFIG.region) as caller:
        assert await asyncio.to_thread(caller.call, "ListTables", {}) == {"TableNames": []}
    assert not process.ended.done()


async def test_health_is_503_once_the_region_gives_up(live: Region) -> None:
    assert live.addresses is not None
    admin = AdminClient(live.addresses.admin)
    live.give_up(DefectError("on purpose"))
    with pytest.raises(RequestError, match="503"):
        await asyncio.to_thread(admin.health)


@pytest.mark.parametrize("section", ["api", "replication", "admin"])
async def test_a_start_that_fails_leaves_nothing_behind(
    live: Region, process: Process, tmp_path: Path, section: str
) -> None:
    """Take one port away, fail, and start again in the same folder: file and ports must be free."""
    assert live.addresses is not None
    port = int(getattr(live.addresses, section).rpartition(":")[2])
    config = msgspec.structs.replace(CONFIG, durability="normal", data=str(tmp_path))
    taken = msgspec.structs.replace(config, **{section: msgspec.structs.replace(getattr(config, section), port=port)})
    with pytest.raises(StartError, match=f"Port {port} of 127.0.0.1 .* cannot be used: Address already in use"):
        await Region(taken, process.stop).start()
    region = Region(config, process.stop)
    await region.start()
    await region.stop()


async def test_a_folder_that_cannot_be_written_is_refused(process: Process, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = msgspec.structs.replace(CONFIG, durability="normal", data=str(tmp_path / "file"))
    with pytest.raises(StartError, match=r"Cannot use the database file .*; choose a folder that is writable"):
        await Region(config, process.stop).start()
