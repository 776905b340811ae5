"""Chaos Toolkit's own program runs an experiment against a real cluster: it holds, and it is seen when it does not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atoll import Cluster
from atoll.chaostoolkit import actions, probes
from atoll.child import environment

EAST, WEST, TABLE = "us-east-1", "eu-west-1", "orders"
CHAOS = Path(sys.executable).with_name("chaos")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster((EAST, WEST), proxied=True, announce=False) as running:
        running.create_global_table(TABLE)
        yield running


def step(kind: str, name: str, function: str, tolerance: Any = None, **arguments: Any) -> dict[str, Any]:
    provider = {"type": "python", "module": f"atoll.chaostoolkit.{kind}s", "func": function, "arguments": arguments}
    judged = {} if tolerance is None else {"tolerance": tolerance}
    return {"type": kind, "name": name, "provider": provider, **judged}


def run(tmp_path: Path, experiment: dict[str, Any]) -> dict[str, Any]:
    (tmp_path / "experiment.json").write_text(json.dumps(experiment))
    command = [str(CHAOS), "--no-version-check", "run", "experiment.json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert (tmp_path / "journal.json").is_file(), done.stdout + done.stderr
    journal: dict[str, Any] = json.loads((tmp_path / "journal.json").read_text())
    return journal


def experiment(where: str, *method: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": "A link is cut and healed",
        "description": "What was acknowledged arrives.",
        "steady-state-hypothesis": {
            "title": "The replicas hold the same",
            "probes": [step("probe", "equal", "replicas_equal", True, table=TABLE, cluster=where)],
        },
        "method": list(method),
        "rollbacks": [step("action", "heal", "heal", cluster=where)],
    }


def test_an_experiment_cuts_a_link_sees_it_and_heals(cluster: Cluster, tmp_path: Path) -> None:
    where, link = str(cluster.data), {"source": EAST, "sink": WEST, "cluster": str(cluster.data)}
    cut = step("action", "cut", "cut", link=f"{EAST}->{WEST}", cluster=where)
    seen = step("probe", "state", "link_becomes", state="unreachable", timeout_s=60, **link)
    journal = run(tmp_path, experiment(where, cut, seen, step("action", "heal", "heal", cluster=where)))
    assert journal["status"] == "completed", journal
    assert not journal["deviated"]
    assert [it["output"] for it in journal["run"]][1] is True
    assert cluster.faults() == []


def test_a_hypothesis_that_does_not_hold_is_seen(cluster: Cluster, tmp_path: Path) -> None:
    where = str(cluster.data)
    cut = step("action", "isolate", "isolate", region=EAST, cluster=where)
    cluster.apply({"kind": "cut", "link": f"{EAST}->{WEST}"})
    cluster.heal()
    write = {
        "type": "action",
        "name": "write",
        "provider": {
            "type": "process",
            "path": sys.executable,
            "arguments": [
                "-c",
                "from atoll.remote import DynamoCaller\n"
                f"DynamoCaller({cluster.endpoint(EAST)!r}, {EAST!r})"
                f".call('PutItem', {{'TableName': {TABLE!r}, 'Item': {{'id': {{'S': 'lost'}}}}}})",
            ],
        },
    }
    journal = run(tmp_path, experiment(where, cut, write))
    assert journal["deviated"], journal
    assert cluster.faults() == []
    cluster.wait_converged(TABLE)


def test_actions_and_probes_are_plain_functions(cluster: Cluster) -> None:
    where = str(cluster.data)
    assert probes.region_answers(EAST, where)
    actions.crash(EAST, cluster=where)
    assert not probes.region_answers(EAST, where)
    assert actions.heal(where)
    assert probes.region_answers(EAST, where)
    assert probes.conflicts_recorded(where) == 0
    actions.pause(f"{EAST}->{WEST}", cluster=where)
    cluster.call(EAST, "PutItem", {"TableName": TABLE, "Item": {"id": {"S": "held"}}})
    assert probes.changes_behind(EAST, WEST, where) == 1
    actions.heal(where)
    cluster.wait_converged(TABLE)


def test_the_toolkit_is_told_of_every_action_and_probe(tmp_path: Path) -> None:
    program = "import json, atoll.chaostoolkit as it; print(json.dumps(it.discover()))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    found = {it["name"] for it in json.loads(done.stdout)["activities"]}
    assert found == {*actions.__all__, *probes.__all__}
