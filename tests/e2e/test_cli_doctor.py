"""``atoll doctor`` finds what is wrong and says what to do; ``atoll completion`` makes a real shell complete."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from settled import Run

from atoll import Cluster
from atoll.child import environment

EAST, WEST = "us-east-1", "eu-west-1"


def test_a_machine_without_a_cluster_is_well(run: Run) -> None:
    done = run("doctor", "--json")
    assert done.returncode == 0, done.stdout
    looked_at = {finding["what"] for finding in json.loads(done.stdout)}
    assert {"Python", "packages", "disk", "runtime folder", "cluster"} <= looked_at
    assert "No cluster is running" in run("doctor").stdout


def test_a_cluster_is_well_until_a_region_dies_and_its_file_can_then_be_looked_into(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Cluster((EAST, WEST), data=folder, announce=False) as cluster:
        cluster.create_global_table("orders")
        well = run("doctor", "--cluster", str(folder), "--data", str(folder), "--json")
        assert well.returncode == 0, well.stdout
        assert well.stdout.count("is being served already") == 2
        cluster.kill(WEST)
        ill = run("doctor", "--cluster", str(folder), "--data", str(folder), "--json")
        findings = {finding["what"]: finding for finding in json.loads(ill.stdout)}
        assert ill.returncode == 1
        assert not findings[WEST]["well"]
        assert findings[WEST]["remedy"]
        file = folder / WEST / "region.sqlite"
        assert findings[str(file)]["well"]
        assert "records in the log" in findings[str(file)]["found"]
        content = bytearray(file.read_bytes())
        content[8192 * 2 : 8192 * 4] = b"\xff" * (8192 * 2)
        for side in folder.glob(f"{WEST}/region.sqlite-*"):
            side.unlink()
        file.write_bytes(content)
        damaged = run("doctor", "--cluster", str(folder), "--data", str(folder), "--json")
        (found,) = [finding for finding in json.loads(damaged.stdout) if finding["what"] == str(file)]
        assert not found["well"]
        assert "fetches what it lacks" in found["remedy"]


def test_a_folder_without_files_is_named(run: Run, tmp_path: Path) -> None:
    done = run("doctor", "--data", str(tmp_path))
    assert done.returncode == 1
    assert "no region.sqlite" in done.stdout


def test_bash_completes_verbs(run: Run, tmp_path: Path) -> None:
    assert "_atoll_completion" in run("completion", "bash").stdout
    assert run("completion", "tcsh").returncode == 2
    variables = {**environment(), "_ATOLL_COMPLETE": "bash_complete", "COMP_WORDS": "atoll pa", "COMP_CWORD": "1"}
    command = [sys.executable, "-P", "-m", "atoll"]
    done = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["plain,pause"]
