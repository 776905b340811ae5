"""Bad days on real processes: a file of yesterday, a damaged record, a full disk, a file that somebody changed.

Each ends in convergence, and what happened is told.
"""

from __future__ import annotations

import json
import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from lifecycle import eventually
from settled import Run, assert_converged

from atoll import Cluster
from atoll.remote import RequestError

HERE, THERE, THIRD = REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")


@pytest.fixture(scope="module")
def troubled() -> Iterator[Cluster]:
    """Three regions whose files the tests lay hands on."""
    with Cluster(REGIONS, announce=False) as cluster:
        yield cluster


def file_of(cluster: Cluster, region: str) -> Path:
    return Path(cluster.data) / region / "region.sqlite"


def put(cluster: Cluster, region: str, table: str, *keys: str, value: str = "v") -> None:
    for key in keys:
        cluster.call(region, "PutItem", {"TableName": table, "Item": {"id": {"S": key}, "value": {"S": value}}})


def got(cluster: Cluster, region: str, table: str) -> dict[str, str]:
    items = cluster.call(region, "Scan", {"TableName": table})["Items"]
    return {item["id"]["S"]: item["value"]["S"] for item in items}


def metric(cluster: Cluster, region: str, name: str) -> float:
    lines = cluster.admin(region).metrics().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


def execute(path: Path, statement: str, *values: object) -> int:
    """Change a region's file while the region is down; return how many rows that changed."""
    with closing(sqlite3.connect(path)) as database:
        changed = database.execute(statement, values).rowcount
        database.commit()
        return changed


def test_a_region_that_gets_a_file_of_yesterday_gets_its_own_writes_back(troubled: Cluster, tmp_path: Path) -> None:
    troubled.create_global_table("yesterday")
    put(troubled, HERE, "yesterday", "kept", "deleted", "changed")
    assert_converged(troubled, "yesterday")
    troubled.kill(HERE)
    for name in ("region.sqlite", "region.sqlite-wal"):
        shutil.copy(file_of(troubled, HERE).with_name(name), tmp_path / name)
    troubled.restart(HERE)
    put(troubled, HERE, "yesterday", "changed", "lost 1", "lost 2", value="later")
    troubled.call(HERE, "DeleteItem", {"TableName": "yesterday", "Key": {"id": {"S": "deleted"}}})
    expected = got(troubled, HERE, "yesterday")
    assert_converged(troubled, "yesterday")
    before = metric(troubled, THERE, "atoll_resynchronisations_total")
    troubled.kill(HERE)
    file_of(troubled, HERE).with_name("region.sqlite-shm").unlink(missing_ok=True)
    for name in ("region.sqlite", "region.sqlite-wal"):
        shutil.copy(tmp_path / name, file_of(troubled, HERE).with_name(name))
    troubled.restart(HERE)
    put(troubled, HERE, "yesterday", "new", value="after")
    assert_converged(troubled, "yesterday")
    assert got(troubled, HERE, "yesterday") == {**expected, "new": "after"}
    assert metric(troubled, THERE, "atoll_resynchronisations_total") > before
    assert metric(troubled, HERE, "atoll_resynchronisations_total") > 0


def test_a_damaged_record_is_told_of_and_the_peer_repairs_itself_by_digest(troubled: Cluster) -> None:
    troubled.create_global_table("damaged")
    assert_converged(troubled, "damaged")
    troubled.pause(f"{HERE}->{THERE}")
    put(troubled, HERE, "damaged", "before", "precious", "after")
    troubled.kill(HERE)
    damage = "UPDATE log SET image = replace(image, 'precious', 'pr3cious') WHERE instr(image, 'precious')"
    assert execute(file_of(troubled, HERE), damage) == 1
    troubled.restart(HERE)
    troubled.resume(f"{HERE}->{THERE}")
    wanted = {"before", "precious", "after"}
    eventually(lambda: got(troubled, THERE, "damaged").keys() == wanted, "the peer has what the log cannot tell")
    held = assert_converged(troubled, "damaged")
    assert all(b"pr3cious" not in (record.image or b"") for records in held.values() for record in records)
    assert metric(troubled, THERE, "atoll_resynchronisations_total") > 0


def test_a_file_that_somebody_changed_is_found_and_repaired(troubled: Cluster, run: Run) -> None:
    troubled.create_global_table("tampered")
    put(troubled, HERE, "tampered", "a", "b", "c")
    assert_converged(troubled, "tampered")
    target = ("--cluster", str(troubled.data))
    equal = run("diff", "tampered", *target)
    assert (equal.returncode, equal.stdout) == (0, f"tampered is equal in {HERE}, {THERE}, {THIRD}.\n")
    troubled.kill(THERE)
    (number,) = [table for table in tables_of(file_of(troubled, THERE)) if table.endswith(":tampered")]
    assert execute(file_of(troubled, THERE), f'DELETE FROM "{number}" WHERE instr(image, \'"b"\')') == 1
    troubled.restart(THERE)
    eventually(
        lambda: all(link.state == "live" for region in REGIONS for link in troubled.admin(region).status().links),
        "all links are live again",
    )
    found = run("diff", "tampered", "--recount", "--json", *target)
    assert found.returncode == 1
    (key,) = json.loads(found.stdout)["keys"]
    assert key["item_key"] == {"id": {"S": "b"}}
    assert key["regions"][THERE] is None
    assert key["regions"][HERE]["origin"] == HERE
    shown = run("diff", "tampered", *target).stdout
    assert "1 key differs" in shown
    assert "id=b" in shown
    assert "no item" in shown
    repaired = run("repair", "tampered", *target)
    assert repaired.returncode == 0
    assert f"tampered: {THERE} took 1 item from" in repaired.stdout
    assert_converged(troubled, "tampered")


def tables_of(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def test_a_key_that_differs_is_named_while_a_link_is_paused(troubled: Cluster, run: Run) -> None:
    troubled.create_global_table("cut")
    assert_converged(troubled, "cut")
    target = ("--cluster", str(troubled.data))
    troubled.pause(f"{HERE}->{THERE}")
    put(troubled, HERE, "cut", "waiting")
    found = run("diff", "cut", *target)
    troubled.resume(f"{HERE}->{THERE}")
    assert found.returncode == 1
    assert "id=waiting" in found.stdout
    assert f"{THERE} with {HERE}: not compared: the link from {HERE} is paused" in found.stderr
    assert_converged(troubled, "cut")
    assert run("diff", "cut", *target).returncode == 0
    missing = run("diff", "nonsense", *target)
    assert (missing.returncode, missing.stderr) == (1, "No region has a table nonsense.\n")


def test_a_full_disk_refuses_writes_and_goes_on_when_there_is_room(troubled: Cluster) -> None:
    troubled.create_global_table("full")
    put(troubled, THIRD, "full", "before")
    assert_converged(troubled, "full")
    pid = troubled.pid(THIRD)
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (file_of(troubled, THIRD).stat().st_size, most))
    acknowledged = []
    refused = None
    for number in range(2000):
        try:
            put(troubled, THIRD, "full", f"k{number}", value="x" * 10_000)
        except RequestError as error:
            refused = error
            break
        acknowledged.append(f"k{number}")
    assert refused is not None
    assert refused.name == "InternalServerError"
    put(troubled, HERE, "full", "elsewhere")
    assert got(troubled, HERE, "full")["elsewhere"] == "v", "the others do not notice"
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
    put(troubled, THIRD, "full", "after")
    assert_converged(troubled, "full")
    held = got(troubled, THIRD, "full").keys()
    assert held >= {"before", "elsewhere", "after", *acknowledged}
    assert metric(troubled, THIRD, "atoll_digest_mismatches_total") == 0
