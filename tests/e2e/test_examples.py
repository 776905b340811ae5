"""The examples run as they are, and print what they promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from atoll.child import environment

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

PROMISES = {
    "session_store.py": [
        "Two sessions: ada and bob.",
        "Bob has logged out: None.",
        "Ada had a second, and was away for longer: None.",
        "The stream says: ada's session has expired.",
        "The stream says: bob's session was ended by a logout.",
    ],
    "cart.py": [
        "cut: us-east-1 has coconut, hammock, eu-west-1 has coconut, ukulele",
        "on record: a write of us-east-1 lost articles",
        "mended: both have coconut, hammock, ukulele",
        "healed: both have hammock, ukulele; conflicts: 0",
    ],
    "leaderboard.py": [
        "ada scores 280, which is not their best.",
        "Top three: ada 310, bob 260, cy 250",
        "Dee is number 4.",
        "Ada has withdrawn: bob 260, cy 250, dee 90",
    ],
    "chat_log.py": [
        "From 12:02 and before 12:05: ['message 2', 'message 3', 'message 4']",
        "Page 0 from the end: ['message 4', 'message 5', 'message 6']",
        "Page 2 from the end: ['message 0']",
        "The consumer has counted: ada 5, bob 2, cy 1",
    ],
    "hot_partition.py": [
        "by_day: 120 units in the last 5 minutes\n",
        "120  100.0%        120  day=2026-11-27\n",
        "by_day_and_shard: 120 units in the last 5 minutes\n",
        "Reading the day finds 40 events, with 4 queries.",
    ],
    "iot_archive/ingest.py": [
        "year=2026/month=11/day=27/hour=08: 60 readings",
        "year=2026/month=11/day=27/hour=09: 60 readings",
        "year=2026/month=11/day=27/hour=10: 30 readings",
        "Put aside: 1 batch, RetryAttemptsExhausted",
    ],
    "http_api/serve.py --tour": [
        "POST /notes -> 201",
        "now 'buy mangoes', version 2",
        "PUT /notes/ID -> 409",
        "notes: 1",
        "POST /notes -> 400",
        "DELETE /notes/ID -> 204",
        "GET /notes/ID -> 404",
    ],
    "failover.py": [
        '{"id":{"S":"order-3"}}  write, 18 bytes  all others: ap-northeast-1, eu-west-1',
        "us-east-1 does not answer: the application goes on in eu-west-1.",
        "order-2: paid (it was shipped)",
        "order-3: unknown here (it was paid)",
        "us-east-1 is back, with its file; in eu-west-1 now:\n  order-1: paid\n  order-2: cancelled\n  order-3: paid",
        "Lost: {'id': {'S': 'order-2'}} 'shipped' of us-east-1, to a later write of eu-west-1.",
    ],
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
    "stale_cache.py": [
        "Virginia's cache: paid. Ireland's cache: paid.",
        "Virginia's table, read consistently: cancelled",
        "Virginia's cache: paid, for the rest of five minutes.",
        "Ireland's cache, which follows the change log: cancelled",
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
    programs = [path for path in EXAMPLES.rglob("*.py") if 'if __name__ == "__main__":' in path.read_text()]
    assert sorted(name.split()[0] for name in PROMISES) == sorted(str(it.relative_to(EXAMPLES)) for it in programs)


def test_every_example_is_listed_with_what_it_shows() -> None:
    listed = set(re.findall(r"^\| \[`([^`]+)`\]\(([^)]+)\) \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE))
    there = {path.name for path in EXAMPLES.iterdir() if path.suffix == ".py" or path.is_dir()} - {"__pycache__"}
    assert {name for name, _ in listed} == there
    assert all((EXAMPLES / target).exists() for _, target in listed)


@pytest.mark.parametrize("name", PROMISES)
def test_an_example_runs_from_anywhere_and_keeps_its_promises(tmp_path: Path, name: str) -> None:
    variables = {**environment(), "XDG_RUNTIME_DIR": str(tmp_path)}
    program, *arguments = name.split()
    command = [sys.executable, str(EXAMPLES / program), *arguments]
    printed = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True).stdout
    assert [promise for promise in PROMISES[name] if promise not in printed] == []
