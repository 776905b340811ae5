"""The life of a cluster: what it starts it stops, what it is told to keep it keeps, and failures say what to do."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from pathlib import Path

import pytest

from atoll import Cluster, rendezvous
from atoll.config import load
from atoll.failure import StartError, UnknownRegionError, UnreachableError

REGION = "us-east-1"


def ended(*pids: int) -> bool:
    """Wait until these processes have ended; pytest's own timeout is the only limit."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        select.select([descriptor], [], [])
        os.close(descriptor)
    return True


def test_leaving_the_block_stops_every_region_and_deletes_temporary_data() -> None:
    with Cluster((REGION, "eu-west-1"), announce=False) as cluster:
        pids = [cluster.pid(region) for region in cluster.regions]
        data = cluster.data
        assert data is not None
        assert data.is_dir()
    assert ended(*pids)
    assert not data.exists()


def test_an_exception_stops_every_region_too() -> None:
    cluster = Cluster((REGION,), announce=False)
    pids: list[int] = []

    def fail() -> None:
        pids.append(cluster.pid(REGION))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), cluster:
        fail()
    assert ended(*pids)
    with pytest.raises(StartError, match="This cluster does not run"):
        cluster.pid(REGION)


def test_a_region_stops_cleanly_with_exit_code_0() -> None:
    with Cluster((REGION,), announce=False) as cluster:
        cluster.create_global_table("orders")
        assert cluster.stop_region(REGION) == 0
        with pytest.raises(UnreachableError):
            cluster.call(REGION, "ListTables", {})


def test_given_data_is_kept_and_served_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Cluster((REGION, "eu-west-1"), data=data, announce=False) as cluster:
        cluster.create_global_table("orders")
        cluster.call(REGION, "PutItem", {"TableName": "orders", "Item": {"id": {"S": "1"}}})
        cluster.wait_converged("orders")
    assert sorted(each.name for each in data.iterdir()) == ["eu-west-1", REGION]
    with Cluster((REGION, "eu-west-1"), data=data, announce=False) as cluster:
        for region in cluster.regions:
            assert cluster.call(region, "Scan", {"TableName": "orders"})["Count"] == 1
        cluster.call("eu-west-1", "PutItem", {"TableName": "orders", "Item": {"id": {"S": "2"}}})
        assert cluster.wait_converged("orders").items == 2


def test_a_cluster_writes_where_its_regions_are_and_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    with Cluster((REGION,), data=tmp_path / "data") as cluster:
        file = rendezvous.read(tmp_path / "data" / "cluster.json")
        assert file is not None
        assert file == rendezvous.newest()
        (address,) = file.regions
        assert (address.endpoint, address.pid) == (cluster.endpoint(REGION), cluster.pid(REGION))
        cluster.kill(REGION)
        cluster.restart(REGION)
        assert rendezvous.newest().regions[0].pid == cluster.pid(REGION) != address.pid
    assert not (tmp_path / "data" / "cluster.json").exists()
    with pytest.raises(rendezvous.NoClusterError):
        rendezvous.newest()


async def test_a_cluster_is_at_home_in_an_event_loop() -> None:
    async with Cluster((REGION,), announce=False) as cluster:
        status = await asyncio.to_thread(cluster.admin(REGION).status)
        assert status.state == "live"
        pid = cluster.pid(REGION)
    assert ended(pid)


def test_a_data_folder_in_use_is_refused_and_nothing_is_left_running(tmp_path: Path) -> None:
    with Cluster((REGION,), data=tmp_path, announce=False) as first:
        second = Cluster((REGION,), data=tmp_path, announce=False)
        with pytest.raises(StartError, match="is being served already") as refusal:
            second.start()
        assert str(first.pid(REGION)) in str(refusal.value)
        assert first.admin(REGION).health().state == "live"
        assert rendezvous.read(tmp_path / rendezvous.CLUSTER_FILE) is not None, "the first cluster is still to be found"


def test_a_data_folder_that_cannot_be_one_is_refused_with_a_remedy(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    cluster = Cluster((REGION,), data=file / "data", announce=False)
    with pytest.raises(StartError, match=r"cannot be used: Not a directory\. Give a folder"):
        cluster.start()


def test_ports_that_are_taken_are_refused_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        cluster = Cluster((REGION,), api_port=server.getsockname()[1], announce=False)
        with pytest.raises(StartError, match=r"are not all free.*Choose another API port"):
            cluster.start()


def test_what_a_cluster_does_not_have_or_does_not_run_is_refused() -> None:
    cluster = Cluster((REGION,), announce=False)
    with pytest.raises(StartError, match="This cluster does not run"):
        cluster.endpoint(REGION)
    with cluster, pytest.raises(UnknownRegionError, match="It has us-east-1"):
        cluster.endpoint("nowhere")
    with pytest.raises(ValueError, match="must be different names"):
        Cluster((REGION, REGION))


def test_a_cluster_can_be_started_again_after_it_stopped() -> None:
    cluster = Cluster((REGION,), announce=False)
    for _ in range(2):
        with cluster:
            assert cluster.admin(REGION).health().state == "live"
        cluster.stop()


def test_memory_keeps_nothing_and_has_no_file() -> None:
    with Cluster((REGION, "eu-west-1"), durability="memory", announce=False) as cluster:
        cluster.create_global_table("orders")
        cluster.call(REGION, "PutItem", {"TableName": "orders", "Item": {"id": {"S": "1"}}})
        assert cluster.wait_converged("orders").items == 1
        assert cluster.data is not None
        assert not list(cluster.data.rglob("*.sqlite*"))


def test_regions_in_memory_outlive_the_sweep_of_tombstones() -> None:
    template = load(flags={"retention.sweep_ms": 10})
    with Cluster((REGION, "eu-west-1"), announce=False, durability="memory", template=template) as cluster:
        cluster.create_global_table("brief")
        for number in range(10):
            cluster.call(REGION, "PutItem", {"TableName": "brief", "Item": {"id": {"S": str(number)}}})
            cluster.wait_converged("brief")
        assert all(status is not None for status in cluster.status().values())
