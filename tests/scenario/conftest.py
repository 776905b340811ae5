"""Fleets for the scenarios: over the network in memory, and over real WebSockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fleet import Fleet

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
