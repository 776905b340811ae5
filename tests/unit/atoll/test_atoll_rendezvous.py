from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atoll import rendezvous
from atoll.failure import RemedyError, UnknownRegionError
from atoll.rendezvous import ClusterFile, NoClusterError, RegionAddress


@pytest.fixture(autouse=True)
def _own_runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))


def cluster_in(folder: Path, pid: int | None = None, region: str = "us-east-1") -> Path:
    folder.mkdir()
    address = RegionAddress(region=region, endpoint="http://a:1", admin="http://a:2", replication="ws://a:3", pid=1)
    return rendezvous.write(ClusterFile(pid=pid or os.getpid(), data=str(folder), regions=[address]))


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_cluster_is_found_by_its_file_and_by_its_folder(tmp_path: Path) -> None:
    path = cluster_in(tmp_path / "c")
    for target in (path, path.parent):
        found = rendezvous.find(str(target), {})
        assert {region: client.url for region, client in found.items()} == {"us-east-1": "http://a:2"}


def test_the_variable_stands_in_for_the_option_and_the_option_beats_it(tmp_path: Path) -> None:
    environment = {"ATOLL_CLUSTER": str(cluster_in(tmp_path / "variable", region="eu-west-1"))}
    assert list(rendezvous.find(None, environment)) == ["eu-west-1"]
    assert list(rendezvous.find(str(cluster_in(tmp_path / "option")), environment)) == ["us-east-1"]


def test_without_either_the_newest_living_cluster_is_found(tmp_path: Path) -> None:
    older = rendezvous.announce(cluster_in(tmp_path / "older", region="older"))
    rendezvous.announce(cluster_in(tmp_path / "newer", region="newer"))
    os.utime(older, (1, 1))
    rendezvous.announce(cluster_in(tmp_path / "dead", pid=dead_pid(), region="dead"))
    assert list(rendezvous.find(None, {})) == ["newer"]


def test_notes_of_dead_processes_are_swept_away(tmp_path: Path) -> None:
    path = cluster_in(tmp_path / "dead", pid=dead_pid())
    note = rendezvous.notes() / f"{dead_pid()}-dead"
    note.write_text(str(path))
    with pytest.raises(NoClusterError, match="No cluster is running"):
        rendezvous.find(None, {})
    assert not note.exists()


def test_a_path_without_a_cluster_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoClusterError, match="There is no cluster file at"):
        rendezvous.find(str(tmp_path), {})


def test_an_unknown_region_is_refused_with_those_there_are(tmp_path: Path) -> None:
    clients = rendezvous.find(str(cluster_in(tmp_path / "c")), {})
    with pytest.raises(UnknownRegionError, match=r"no region 'nowhere'\. It has us-east-1"):
        rendezvous.require_region("nowhere", clients)


def test_a_runtime_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendezvous.notes()
    monkeypatch.setattr(os, "getuid", lambda: 424242)
    with pytest.raises(RemedyError, match="does not belong to you"):
        rendezvous.notes()
