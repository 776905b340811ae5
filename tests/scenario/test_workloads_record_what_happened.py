from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import workload_fleet
from fleet import EAST, NORTH, WEST, Fleet

from chaos.checker import judge
from chaos.checker.replica import tag_of
from chaos.history import Event
from chaos.workload import WORKLOADS
from replication import MemoryNetwork

EXPECTED = {
    "registers": {"read", "write", "cas", "delete"},
    "counters": {"add", "read"},
    "carts": {"look", "add", "more", "remove"},
    "bank": {"open", "transfer", "look"},
    "sets": {"append", "read-list"},
    "churn": {"create-table", "write"},
    "ttl": {"begin", "renew", "read"},
    "locks": {"acquire", "release"},
    "streams": {"write", "delete", "find-stream", "find-shards", "begin-shard", "consume"},
}
ROUNDS_MAX = 60


def missing(events: Iterable[Event]) -> dict[str, set[str]]:
    """What no client has succeeded with yet, by workload."""
    done = {(event.workload, event.f) for event in events if event.type == "ok"}
    left = {name: {f for f in fs if (name, f) not in done} for name, fs in EXPECTED.items()}
    return {name: fs for name, fs in left.items() if fs}


async def test_every_workload_does_all_it_can_records_it_and_no_checker_accuses_a_healthy_run(tmp_path: Path) -> None:
    fleet = Fleet(MemoryNetwork())
    for name in (EAST, WEST, NORTH):
        await fleet.add(name, path=tmp_path / f"{name}.db")
    await fleet.connected()
    workloads = [kind(pause_ms=5, keys=3) for kind in WORKLOADS.values()]
    ground = await workload_fleet.begin(fleet, workloads)
    events = ground.recorder.events
    rounds = 0
    while (rounds < 2 or missing(events)) and rounds < ROUNDS_MAX:
        await workload_fleet.run(ground, workloads)
        rounds += 1
    assert missing(events) == {}
    evidence = await workload_fleet.rest(fleet, ground.recorder)

    assert not [it for it in evidence.operations if it.outcome == "info"]
    for name in WORKLOADS:
        regions = {it.invocation.region for it in evidence.operations if it.invocation.workload == name}
        assert regions == {EAST, WEST, NORTH}, name
    for tag, written in evidence.written.items():
        record = evidence.tagged.get(tag)
        if written.outcome == "ok" and written.access.action == "w":
            assert record is not None, written
            assert record.version.origin == written.region
            assert evidence.key_text(record) == written.access.key
    for held in evidence.replicas.values():
        for rows in held.tables.values():
            tags = {tag_of(stored.image) for stored in rows.items.values()} - {None}
            assert tags <= evidence.written.keys()

    found = [str(it) for it in judge(evidence)]
    assert not found, "\n".join(found)
    assert evidence.remarks == ["isolation: not judged, as times of real processes are those of the machine"]
