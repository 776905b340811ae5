"""Seeds that a Dask scheduler's workers try end as they do here; without a scheduler the verb says what to start."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

DEADLINE_S = 60.0
# It fails, as nothing can come to rest in no time, and what is said of that must travel whole.
HOPELESS = 'seed = 3\nspan_s = 4\ndeadline_s = 0.001\nworkloads = ["registers"]\n'


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """A scheduler with one worker of two threads, which must not get into each other's way."""
    file = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    with ExitStack() as stack, (tmp_path / "dask.log").open("wb") as log:

        def start(verb: str, *more: str) -> None:
            command = [sys.executable, "-m", f"distributed.cli.dask_{verb}", *common, *more]
            process = stack.enter_context(subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log))
            stack.callback(process.kill)

        start("scheduler", "--host", "127.0.0.1", "--port", "0")
        deadline = time.monotonic() + DEADLINE_S
        while not (file.exists() and file.read_text()):
            assert time.monotonic() < deadline, (tmp_path / "dask.log").read_text()
            time.sleep(0.05)
        start("worker", "--no-nanny", "--nthreads", "2")
        yield str(json.loads(file.read_text())["address"]).removeprefix("tcp://")


def sim(*arguments: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-P", "-m", "atoll", "sim", "--json", "--no-shrink", *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    told: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, {name: value for name, value in told.items() if not name.endswith(("elapsed_s", "minute"))}


def test_seeds_tried_over_dask_end_as_they_do_here(scheduler: str, tmp_path: Path) -> None:
    trial = tmp_path / "hopeless.toml"
    trial.write_text(HOPELESS)
    arguments = ("--scenario", str(trial), "--seeds", "3")
    code, told = sim(*arguments, "--on", f"dask://{scheduler}")
    assert (code, told) == sim(*arguments)
    assert (code, told["seeds"], len(told["failures"])) == (1, 3, 3)


def test_without_a_scheduler_the_verb_says_what_to_start() -> None:
    command = [sys.executable, "-P", "-m", "atoll", "sim", "--seeds", "1", "--on", "dask://127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No Dask scheduler answers at 127.0.0.1:1" in done.stderr
    assert "dask scheduler" in done.stderr
