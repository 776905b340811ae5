"""Fleets for the scenarios: over the network in memory, and over real WebSockets; and the stage of a script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fleet import Fleet
from script_commands import Stage

from replication import MemoryNetwork


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    """A fleet over the network in memory."""
    fleet = Fleet(MemoryNetwork())
    yield fleet
    await fleet.stop()


@pytest.fixture(params=["memory", "websocket"])
async def any_fleet(request: pytest.FixtureRequest) -> AsyncIterator[Fleet]:
    """A fleet over each transport in turn."""
    fleet = Fleet(MemoryNetwork() if request.param == "memory" else None)
    yield fleet
    await fleet.stop()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A world for the commands of a script."""
    stage = Stage(tmp_path)
    yield stage
    await stage.fleet.stop()
