"""The examples run as they are, and print what they promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from atoll.child import environment

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

PROMISES = {
    "simulated_orders.py": [
        "seed 1: 1 acknowledged writes were lost:",
        "A shared stock lost a sale under every seed.",
        "Reserved shares lost nothing under twenty seeds.",
    ],
    "quickstart.py": [
        "Created the table orders in us-east-1.",
        "Added a replica in ap-northeast-1.",
        "ms later: a coconut.",
        "us-east-1       a coconut, shipped",
        "eu-west-1       a coconut, shipped",
        "ap-northeast-1  a coconut, shipped",
    ],
    "undo_a_bad_deploy.py": [
        "Before the deploy: coconut 3, mango 2, papaya 4",
        "After the deploy:  coconut 3, mango 0",
        "Restored:          coconut 3, mango 2, papaya 4",
        "The deploy changed mango: 2 -> 0",
        "The deploy changed papaya: 4 -> gone",
    ],
    "toxiproxy_client.py": [
        "The proxy answers: []",
        "With 150 ms of latency an answer takes at least 150 ms: True",
        "While it is down: no answer",
        "And back: []",
    ],
    "partition_and_heal.py": [
        "Before: both regions have 10 coconuts.",
        "us-east-1 sells 3 and has 7 left.",
        "eu-west-1 sells 4 and has 6 left.",
        "The link us-east-1->eu-west-1 is paused, 1 change behind.",
        "Healed: both regions have 6 coconuts (6 in eu-west-1).",
        "On record: eu-west-1 won over us-east-1 by ",
        "lost: {'left': {'N': '7'}, 'sku': {'S': 'coconut'}}",
    ],
    "read_your_writes.py": [
        "Read 100 writes in the other region at once: 0 were stale.",
        "The token that made it so: 1;",
        "Paused: eu-west-1 answers ServiceUnavailable to this session.",
        "Without the session it answers what it has: 1 left.",
        "Healed: 0 left.",
    ],
}


def test_every_example_is_run_here() -> None:
    assert sorted(PROMISES) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", PROMISES)
def test_an_example_runs_from_anywhere_and_keeps_its_promises(tmp_path: Path, name: str) -> None:
    variables = {**environment(), "XDG_RUNTIME_DIR": str(tmp_path)}
    command = [sys.executable, str(EXAMPLES / name)]
    printed = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True).stdout
    assert [promise for promise in PROMISES[name] if promise not in printed] == []
