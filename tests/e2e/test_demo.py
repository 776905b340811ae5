"""``atoll demo``: it starts, says what to try, makes traffic, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.client import IncompleteRead
from pathlib import Path
from urllib.request import urlopen

import pytest
from settled import Run

from atoll.child import environment
from atoll.remote import AdminClient

LAST_LINE = "Ctrl-C stops everything.\n"


class Demo:
    """A demo that runs: its process, what it has printed, and what `atoll status` says of it."""

    def __init__(self, process: subprocess.Popen[str], run: Run) -> None:
        assert process.stdout is not None
        self.process = process
        self.printed = "".join(iter(process.stdout.readline, LAST_LINE))
        self.status = json.loads(run("status", "--json").stdout)

    @property
    def pids(self) -> list[int]:
        return [region["pid"] for region in self.status.values()]

    def admin(self, region: str) -> AdminClient:
        return AdminClient(self.status[region]["addresses"]["admin"])

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        assert self.process.stdout is not None
        self.printed += self.process.stdout.read()
        return self.process.wait()


Start = Callable[[], Demo]


@pytest.fixture
def start(tmp_path: Path, run: Run) -> Iterator[Start]:
    """Start demos; what still runs in the end is killed."""
    with ExitStack() as stack:

        def start() -> Demo:
            command = [sys.executable, "-P", "-m", "atoll", "demo"]
            variables = {**environment(), "XDG_RUNTIME_DIR": str(tmp_path / "run"), "TMPDIR": str(tmp_path)}
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, env=variables, text=True))
            stack.callback(process.kill)
            return Demo(process, run)

        yield start


def wait_for_exit(pids: list[int]) -> None:
    """Wait until these processes have ended; pytest's own timeout is the only limit."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        select.select([descriptor], [], [])
        os.close(descriptor)


def test_the_demo_makes_traffic_that_replicates_and_ctrl_c_ends_everything_while_somebody_looks(start: Start) -> None:
    demo = start()
    assert list(demo.status) == ["us-east-1", "eu-west-1", "ap-northeast-1"]
    for region in demo.status.values():
        assert region["addresses"]["api"] in demo.printed
    for command in ("aws dynamodb scan", "atoll lag --watch", "atoll pause us-east-1", 'python -c "import boto3'):
        assert command in demo.printed
    data = Path(demo.printed.partition("temporary, in ")[2].partition(";")[0])
    assert data.is_dir()
    admin = demo.admin("ap-northeast-1")
    while len({record.origin for record in admin.dump("orders")}) < 3:
        pass
    page = demo.printed.partition("See it live: ")[2].split()[0]
    with urlopen(page + "stream", timeout=60) as stream:
        assert stream.readline().startswith(b"id: ")
        assert demo.end(signal.SIGINT) == 0  # Whoever looks at the page holds nothing up.
        with suppress(ConnectionError, IncompleteRead):
            stream.read()
    assert demo.printed.endswith("Stopping.\n")
    wait_for_exit(demo.pids)
    assert not data.exists()


def test_killing_the_demo_leaves_no_region_behind(start: Start) -> None:
    demo = start()
    demo.process.kill()
    wait_for_exit(demo.pids)


def test_the_demo_survives_the_death_of_a_region_and_ends_at_sigterm(start: Start) -> None:
    demo = start()
    os.kill(demo.status["eu-west-1"]["pid"], signal.SIGKILL)
    admin = demo.admin("us-east-1")
    head = admin.status().store.log_head
    while admin.status().store.log_head < head + 2:
        pass
    assert demo.end(signal.SIGTERM) == 0
    wait_for_exit(demo.pids)
