"""``atoll sim``: what holds ends with 0, what does not is shrunk, reported, and can be run again by one command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def atoll(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "atoll", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_seeds_that_hold_are_counted_in_processes(tmp_path: Path) -> None:
    run = atoll("sim", "--seeds", "3-5", "--minutes", "0.1", "--jobs", "2", "--json", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["seeds"] == 3
    assert told["failures"] == []
    assert told["operations"] > 10


def test_a_failure_is_shrunk_and_one_command_runs_it_again(tmp_path: Path) -> None:
    (tmp_path / "hurried.toml").write_text(
        "seed = 3\nspan_s = 4.0\ndeadline_s = 0.0\npause_ms = 300\nfaults = [\n"
        '  {kind = "cut", link = "*->us-east-1", at_ms = 1000, for_ms = 1000},\n'
        '  {kind = "clock-jump", region = "eu-west-1", ms = 50, at_ms = 1500},\n]\n'
    )
    run = atoll("sim", "--scenario", "hurried.toml", cwd=tmp_path)
    assert run.returncode == 1
    assert "seed 3 violates liveness" in run.stdout
    replays = [line for line in run.stdout.splitlines() if line.startswith("run it again: ")]
    assert replays == ["run it again: atoll sim --scenario sim/seed-3/trial.json"]
    assert (tmp_path / "sim" / "seed-3" / "report.html").read_text().count("<svg") == 1
    again = atoll(*replays[0].removeprefix("run it again: atoll ").split(), "--no-shrink", cwd=tmp_path)
    assert again.returncode == 1
    assert "seed 3 violates liveness" in again.stdout


def test_what_there_is_not_is_said_with_what_there_is(tmp_path: Path) -> None:
    run = atoll("sim", "--scenario", "tsunami", cwd=tmp_path)
    assert run.returncode == 2
    assert "clock-storm" in run.stderr
    assert atoll("sim", "--seeds", "9-3", cwd=tmp_path).returncode == 2
