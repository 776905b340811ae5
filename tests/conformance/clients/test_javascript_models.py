"""ElectroDB and Dynamoose from npm, unmodified: entities, indexes, updates, pages and transactions against a region."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "js"


def run(fleet: Any, mapper: str) -> Any:
    """Run one mapper's part of the script; return what it prints."""
    environment = fleet.environment(ATOLL_ENDPOINT=fleet.endpoint("us-east-1"))
    done = subprocess.run(
        ["node", "models.mjs", mapper], cwd=FOLDER, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_electrodb_keeps_its_entities_in_a_region(fleet: Any) -> None:
    assert run(fleet, "electrodb") == {
        "unprocessed": 0,
        "item": {"customer": "ann", "order": "1", "status": "open", "total": 5, "labels": ["a", "b"]},
        "range": [["2", "paid", 12], ["3", "open", 3]],
        "large": ["2", "1"],
        "paid": ["2"],
        "bought": False,
        "again": [True, ["ConditionalCheckFailed", "None"], 1],
        "read": [
            {"customer": "ann", "order": "5", "status": "open", "total": 1},
            {"customer": "ann", "orders": 5},
        ],
        "all": ["1", "2", "3", "5"],
    }


def test_dynamoose_keeps_its_models_in_a_region(fleet: Any) -> None:
    assert run(fleet, "dynamoose") == {
        "rex": {
            "owner": "ann",
            "name": "rex",
            "age": 3,
            "tags": ["dog"],
            "home": {"city": "Oslo"},
            "born": 0,
        },
        "older": [4, None],
        "byAge": [2, 4, 4],
        "pages": [2, 2],
        "scanned": ["pet4", "rex"],
        "refused": "ConditionalCheckFailedException",
        "left": [["pet1", 10], ["pet4", 4], ["rex", 4], ["tom", 9]],
    }
