"""The JavaScript SDK v3 from npm, unmodified, with its document client: what it writes here it reads there.

The packages are those of ``tests/conformance/js/package.json``; ``make test`` installs them, and says so where node or
npm is missing.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "js"
TABLE = "javascript"


def run(fleet: Any, step: str) -> Any:
    """Run one step of the script; return what it prints."""
    endpoints = {region: fleet.endpoint(region) for region in ("us-east-1", "eu-west-1")}
    environment = fleet.environment(ATOLL_ENDPOINTS=json.dumps(endpoints))
    done = subprocess.run(
        ["node", "replicate.mjs", step], cwd=FOLDER, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def created(fleet: Any) -> Any:
    """What the script learned when it created the table and added a replica."""
    answer = run(fleet, "create")
    fleet.wait_active(TABLE, "us-east-1", "eu-west-1")
    return answer


@pytest.fixture(scope="module")
def written(fleet: Any, created: Any) -> Any:
    """What the script learned when it wrote in us-east-1; all of it has arrived in eu-west-1."""
    assert created
    answer = run(fleet, "write")
    fleet.wait_replicated(TABLE)
    return answer


def test_a_table_becomes_global_by_adding_a_replica(created: Any) -> None:
    assert created == {"version": "2019.11.21"}


def test_writes_are_answered_as_the_sdk_expects(written: Any) -> None:
    assert written == {"hits": 2, "unprocessed": 0}


def test_what_is_written_in_one_region_is_read_in_another(fleet: Any, written: Any) -> None:
    assert run(fleet, "read") == {
        "item": {
            "pk": "ann",
            "sk": 1,
            "name": "Ånn ☃",
            "price": 12.5,
            "flags": {"open": True, "nothing": None},
            "list": [1, "two", [3]],
            "tags": ["a", "b"],
            "raw": [0, 1, 255],
        },
        "hits": written["hits"],
        "batch": list(range(5, 21)),
    }


def test_errors_become_the_exceptions_of_the_sdk(fleet: Any, written: Any) -> None:
    assert written
    assert run(fleet, "errors") == [
        {"name": "ResourceNotFoundException", "status": 400, "old": False},
        {"name": "ValidationException", "status": 400, "old": False},
        {"name": "ConditionalCheckFailedException", "status": 400, "old": True},
    ]
