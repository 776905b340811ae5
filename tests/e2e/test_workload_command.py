"""``atoll workload`` against real regions: what clients were told is what the regions hold, and checkers agree."""

from __future__ import annotations

import json
from pathlib import Path

from settled import Run

from atoll import Cluster
from atoll.composition import DATABASE
from chaos import history
from chaos.checker import judge
from chaos.checker.evidence import Evidence

RUN_FILE = """
workload = "ycsb-f"
for = "1s"
items = 20
workers = 4
table = "accounts"
[rates]
us-east-1 = 100
eu-west-1 = 50
"""


def test_loads_and_workloads_on_real_processes_are_measured_and_judged(run: Run, tmp_path: Path) -> None:
    with Cluster(data=tmp_path / "data", announce=False) as cluster:
        target = ("--cluster", str(cluster.data), "--json")
        first = run("workload", "registers", "--for", "1500ms", "--history", "registers.jsonl", *target)
        assert first.returncode == 0, first.stderr
        summary = json.loads(first.stdout)
        assert set(summary["regions"]) == set(cluster.regions)
        assert {"read", "write", "cas", "delete"} <= set(summary["operations"])
        assert set(summary["errors"]) <= {"ConditionalCheckFailedException"}

        (tmp_path / "run.toml").write_text(RUN_FILE)
        second = run("workload", "run.toml", "--history", "load.jsonl", *target)
        assert second.returncode == 0, second.stderr
        summary = json.loads(second.stdout)
        assert summary["workload"] == "ycsb-f"
        assert set(summary["regions"]) == {"us-east-1", "eu-west-1"}
        assert set(summary["operations"]) == {"read", "modify"}
        assert summary["total"]["unknown"] == summary["total"]["failed"] == 0
        assert summary["total"]["ok"] > 0 < summary["total"]["p50_ms"] <= summary["total"]["p99_ms"]
        cluster.wait_converged("registers")
        cluster.wait_converged("accounts")
        files = {region: tmp_path / "data" / region / DATABASE for region in cluster.regions}

    for name in ("registers.jsonl", "load.jsonl"):
        evidence = Evidence.gather(history.read(tmp_path / name), files)
        assert any(event.request_id for event in evidence.events)
        found = [str(it) for it in judge(evidence)]
        assert not found, "\n".join(found)
    assert any(event.intended_ns for event in evidence.events)


def test_a_workload_that_cannot_be_run_says_why_and_ends_with_2(cluster: Cluster, run: Run, tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('workload = "ycsb-a"\nitmes = 5\n')
    target = ("--cluster", str(cluster.data))
    for arguments, said in (
        (("nonsense",), "There is no workload 'nonsense'."),
        (("missing.toml",), "missing.toml cannot be read"),
        (("wrong.toml",), "Object contains unknown field `itmes`"),
        (("ycsb-a", "--regions", "mars"), "No region mars answers."),
    ):
        answer = run("workload", *arguments, *target)
        assert (answer.returncode, answer.stdout) == (2, ""), answer
        assert said in answer.stderr
