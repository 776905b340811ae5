"""The process of a region, with a stand-in for the region that reports as asked and then waits for its tether."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atoll import child, config
from atoll.failure import StartError

STAND_IN = """
import json, os, signal, sys
kind = json.load(open(sys.argv[sys.argv.index("--config") + 1]))["region"]
if kind == "dies":
    sys.exit("I cannot go on")
if kind == "silent":
    signal.pause()
if kind == "refuses":
    print(json.dumps({"type": "Refused", "problem": "Port 1 is taken.", "remedy": "Take another."}), flush=True)
    sys.exit(1)
if kind == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
addresses = {"api": "http://a", "admin": "http://b", "replication": "ws://c"}
print(json.dumps({"type": "Ready", "region": kind, "addresses": addresses}), flush=True)
if kind == "stubborn":
    while True:
        signal.pause()
sys.stdin.read()
sys.exit(7)
"""

Make = Callable[[str], child.RegionChild]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    children: list[child.RegionChild] = []

    def build(region: str) -> child.RegionChild:
        made = child.RegionChild(config.Config(region=region), tmp_path / region, (sys.executable, str(script)))
        children.append(made)
        return made

    yield build
    for each in children:
        each.kill()


def test_a_child_says_where_it_listens(make: Make) -> None:
    region = make("ready")
    region.launch()
    assert region.wait_ready(30).addresses.admin == "http://b"
    assert region.running
    assert region.pid is not None


def test_a_child_ends_when_its_tether_is_let_go(make: Make) -> None:
    region = make("ready")
    region.launch()
    region.wait_ready(30)
    assert region.stop() in (7, -signal.SIGTERM)
    assert not region.running
    assert region.pid is None


def test_a_child_that_does_not_listen_to_reason_is_killed(make: Make) -> None:
    region = make("stubborn")
    region.launch()
    region.wait_ready(30)
    assert region.stop(timeout_s=0.01) == -signal.SIGKILL


def test_a_child_that_was_killed_can_be_launched_again(make: Make) -> None:
    region = make("ready")
    region.launch()
    region.wait_ready(30)
    assert region.kill() == -signal.SIGKILL
    region.launch()
    assert region.wait_ready(30).region == "ready"


def test_a_child_that_runs_cannot_be_launched_again(make: Make) -> None:
    region = make("ready")
    region.launch()
    region.wait_ready(30)
    with pytest.raises(StartError, match="ready is already running"):
        region.launch()


def test_a_refusal_is_passed_on_in_the_childs_words(make: Make) -> None:
    region = make("refuses")
    region.launch()
    with pytest.raises(StartError, match=r"The region refuses did not start: Port 1 is taken\. Take another\."):
        region.wait_ready(30)
    assert not region.running


def test_a_child_that_dies_is_reported_with_its_last_words(make: Make) -> None:
    region = make("dies")
    region.launch()
    with pytest.raises(StartError, match="The region dies did not start: I cannot go on"):
        region.wait_ready(30)


def test_a_child_that_says_nothing_in_time_is_killed_and_reported(make: Make) -> None:
    region = make("silent")
    region.launch()
    with pytest.raises(StartError, match="The region silent did not start"):
        region.wait_ready(0.01)
    assert not region.running


def test_no_setting_of_the_parent_reaches_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATOLL_API_PORT", "1")
    monkeypatch.setenv("ATOLL_CLUSTER", "kept")
    environment = child.environment()
    assert "ATOLL_API_PORT" not in environment
    assert environment["ATOLL_CLUSTER"] == "kept"


def test_a_child_keeps_bytecode_in_the_cache_where_none_may_stand_beside_the_sources(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    assert "PYTHONPYCACHEPREFIX" not in child.environment()
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    environment = child.environment()
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert environment["PYTHONPYCACHEPREFIX"] == str(tmp_path / "atoll" / "bytecode")


def test_the_child_finds_this_very_atoll(tmp_path: Path) -> None:
    code = "import atoll; print(atoll.__file__)"
    found = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env=child.environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert Path(found).parent == Path(child.__file__).parent


def test_no_child_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    """The parent is a process of its own: it launches a child, says so, and is killed with -9."""
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    parent = tmp_path / "parent.py"
    parent.write_text(
        textwrap.dedent(f"""
        import pathlib, signal, sys
        from atoll import child, config
        region = child.RegionChild(config.Config(region="ready"), pathlib.Path({str(tmp_path)!r}) / "r",
                                   (sys.executable, {str(script)!r}))
        region.launch()
        region.wait_ready(30)
        print(region.pid, flush=True)
        signal.pause()
        """)
    )
    process = subprocess.Popen(
        [sys.executable, str(parent)], stdout=subprocess.PIPE, env=child.environment(), text=True
    )
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    watched = os.pidfd_open(pid)
    process.kill()
    process.wait()
    process.stdout.close()
    wait_for_exit(watched)


def wait_for_exit(descriptor: int) -> None:
    """Wait until the process behind a pidfd has ended; pytest's own timeout is the only limit."""
    try:
        select.select([descriptor], [], [])
    finally:
        os.close(descriptor)
