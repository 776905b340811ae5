"""The pytest plugin, used as a stranger would: an example project's suite, run by a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from atoll.child import environment

SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop"


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


def test_the_example_projects_suite_passes_under_partitions_skews_and_crashes() -> None:
    done = pytest_in(SHOP)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_a_claim_that_is_false_fails_the_test_and_names_what_was_lost(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        """
def test_both_sides_win(atoll):
    table = atoll.table("both")
    with atoll.partition("us-east-1"):
        for region in ("us-east-1", "eu-west-1"):
            atoll.client(region).put_item(TableName=table, Item={"id": {"S": "1"}, "by": {"S": region}})
    atoll.assert_no_lost_writes()

def test_what_the_one_before_broke_is_healed(atoll):
    assert atoll.cluster.faults() == []
    assert atoll.client("us-east-1").list_tables()["TableNames"] == []

def test_a_fresh_cluster_is_another_one(atoll_fresh, atoll_cluster):
    assert atoll_fresh.cluster.endpoint("us-east-1") != atoll_cluster.endpoint("us-east-1")
    assert atoll_fresh.regions == ("us-east-1", "eu-west-1")
"""
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\natoll_regions = us-east-1 eu-west-1\n")
    done = pytest_in(tmp_path)
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "1 of 2 acknowledged writes are lost" in done.stdout
    assert "both {'id': '1', 'by': 'us-east-1'} in us-east-1 (request " in done.stdout
    assert "lost to a concurrent write in eu-west-1 by " in done.stdout


def test_a_suite_without_atoll_pays_nothing_for_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_it():\n    assert not {'boto3', 'aiohttp', 'apsw', 'atoll.cluster'} & set(sys.modules)\n"
    )
    done = pytest_in(tmp_path, "-p", "no:hypothesispytest", "-p", "no:asyncio")
    assert done.returncode == 0, done.stdout + done.stderr
