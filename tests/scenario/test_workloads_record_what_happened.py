from __future__ import annotations

from collections import Counter
from pathlib import Path

import workload_fleet
from fleet import EAST, NORTH, WEST, Fleet

from chaos.checker.replica import tag_of
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
}


async def test_every_workload_does_all_it_can_and_records_it(tmp_path: Path) -> None:
    fleet = Fleet(MemoryNetwork())
    for name in (EAST, WEST, NORTH):
        await fleet.add(name, path=tmp_path / f"{name}.db")
    await fleet.connected()
    workloads = [kind(pause_ms=15) for kind in WORKLOADS.values()]
    recorder = await workload_fleet.run(fleet, workloads, for_s=1.0)
    evidence = await workload_fleet.rest(fleet, recorder)

    done = Counter((it.invocation.workload, it.invocation.f) for it in evidence.operations if it.outcome == "ok")
    assert {name: {f for workload, f in done if workload == name} >= fs for name, fs in EXPECTED.items()} == (
        dict.fromkeys(EXPECTED, True)
    ), done
    assert not [it for it in evidence.operations if it.outcome == "info"]
    for name, workload in WORKLOADS.items():
        assert {it.invocation.region for it in evidence.operations if it.invocation.workload == name} == {
            EAST,
            WEST,
            NORTH,
        }, workload

    for tag, written in evidence.written.items():
        record = evidence.tagged.get(tag)
        if written.outcome == "ok" and written.access.action == "w" and written.access.table in WORKLOADS:
            assert record is not None, written
            assert record.version.origin == written.region
            assert evidence.key_text(record) == written.access.key
    for held in evidence.replicas.values():
        for rows in held.tables.values():
            tags = {tag_of(stored.image) for stored in rows.items.values()} - {None}
            assert tags <= evidence.written.keys()
