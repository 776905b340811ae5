"""Replication latency is one commit and one hop: nothing waits for a tick."""

from __future__ import annotations

from fleet import EAST, WEST, Fleet, eventually

from atoll.config import ReplicationConfig
from replication import LinkState


async def test_a_change_is_delivered_and_acknowledged_between_two_heartbeats(any_fleet: Fleet) -> None:
    hour_ms = 3_600_000
    east, west = [await any_fleet.add(name, heartbeat_ms=hour_ms, silence_ms=2 * hour_ms) for name in (EAST, WEST)]
    await any_fleet.global_table(EAST, WEST)
    for n in range(20):
        await east.put(f"k{n}")
        await eventually(lambda n=n: len(west.rows() or ()) == n + 1, "it is there")
        await eventually(lambda: east.link(EAST, WEST).records_behind == 0, "it is acknowledged")
    latency = east.link(EAST, WEST).latency
    assert latency is not None
    assert latency.p99_ms < hour_ms
    assert west.link(EAST, WEST).state is LinkState.LIVE


def test_a_black_hole_shows_within_two_seconds_by_the_default_settings() -> None:
    settings = ReplicationConfig()
    assert settings.silence_ms + 2 * settings.heartbeat_ms <= 2000
