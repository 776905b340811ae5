"""Experiments on real processes: the gallery holds, bugs put into real regions are caught, nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from settled import Run

from atoll.child import environment
from atoll.provision import wait
from chaos.scenario import gallery

MUTANTS = Path(__file__).parent / "mutants"
SMALL = """
title = "Small"
regions = ["us-east-1", "eu-west-1"]
span_s = 3
deadline_s = 15

[[workloads]]
name = "registers"
keys = 3
pause_ms = 20

[[faults]]
kind = "clock-offset"
region = "us-east-1"
ms = 1500

[[faults]]
kind = "pause"
link = "*->*"
at_ms = 500
for_ms = 1000

[[faults]]
kind = "crash"
region = "eu-west-1"
at_ms = 2400
for_ms = 100
"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    return str(file)


def verdict(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


class Links(HTMLParser):
    """Everything in a page that would be fetched."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "action", "data")]
        self.found += [tag] if tag in ("script", "link", "iframe", "img", "object") else []


def test_an_experiment_holds_and_reports(run: Run, small: str, tmp_path: Path) -> None:
    report, history = tmp_path / "report.html", tmp_path / "history.jsonl"
    done = run("chaos", "run", small, "--json", "--report", str(report), "--history", str(history))
    found = verdict(done)
    assert (done.returncode, found["held"], found["violations"]) == (0, True, [])
    assert [each["fault"]["kind"] for each in found["applied"]] == ["clock-offset", "pause", "crash"]
    assert all(each["effects"] for each in found["applied"])
    assert found["acknowledged"] > 50
    assert found["conflicts"] > 0
    assert found["rpo_writes"] is not None
    page = report.read_text()
    assert Links(page).found == []
    headings = ("Faults", "Lag", "Clients", "What was lost, and what was not", "Conflicts", "Judged")
    for heading in (*headings, "One item in space and time"):
        assert f"<h2>{heading}</h2>" in page
    assert "<circle" in page
    assert len(history.read_text().splitlines()) >= 2 * found["acknowledged"]


@pytest.mark.parametrize(
    ("mutant", "invariants"),
    [
        ("drop_late_changes", {"convergence", "fold"}),
        ("let_the_earlier_write_win", {"convergence", "conflicts"}),
        ("keep_no_conflicts", {"conflicts"}),
        ("ignore_conditions", {"linearizability"}),
        ("acknowledge_before_the_commit", {"durability"}),
        ("believe_to_have_everything", {"watermarks"}),
    ],
)
def test_a_bug_in_real_regions_breaks_the_right_invariant(
    run: Run, small: str, mutant: str, invariants: set[str]
) -> None:
    paths = os.pathsep.join([str(MUTANTS), environment().get("PYTHONPATH", "")])
    done = run("chaos", "run", small, "--json", MUTANT=mutant, PYTHONPATH=paths)
    found = verdict(done)
    assert (done.returncode, found["held"]) == (1, False)
    assert invariants & set(found["broken"]), found["violations"]


def test_the_same_file_runs_in_a_simulation(run: Run, small: str) -> None:
    done = run("chaos", "run", small, "--simulate")
    assert (done.returncode, "held, simulated" in done.stdout) == (0, True), done.stdout + done.stderr


def test_what_is_expected_and_does_not_come_breaks_an_experiment(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "quiet.toml"
    quiet = 'title = "Quiet"\nregions = ["us-east-1"]\nspan_s = 1\n'
    file.write_text(f"{quiet}\n[expect]\nconflicts_min = 1\n")
    done = run("chaos", "run", str(file))
    assert (done.returncode, "BROKEN: expectation" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = 3", "is no scenario"),
        ('title = "x"\nworkload = 1', "unknown field"),
        ('title = "x"\n[[workloads]]\nname = "none"', "there is no workload 'none'"),
        ('title = "x"\ninvariants = ["none"]', "there is no invariant 'none'"),
        ('title = "x"\n[[faults]]\nkind = "cut"\nlink = "a->b"', "there is no region a"),
        ('title = "x"\n[[faults]]\nkind = "tear"\nat_ms = 90000', "it begins after the end"),
    ],
)
def test_an_experiment_that_makes_no_sense_starts_nothing(run: Run, tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "senseless.toml"
    file.write_text(text)
    done = run("chaos", "run", str(file))
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_the_gallery_is_listed(run: Run) -> None:
    listed = json.loads(run("chaos", "list", "--json").stdout)
    assert list(listed) == list(gallery())
    assert len(listed) == 8
    assert "split-brain-carts" in run("chaos", "list").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_experiment_leaves_nothing_behind(small: str, tmp_path: Path, number: int) -> None:
    variables = {**environment(), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-P", "-m", "atoll", "chaos", "run", small]
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def regions() -> list[str]:
        listed = subprocess.run(["ps", "-A", "-ww", "-o", "args"], capture_output=True, text=True, check=True).stdout
        return [line for line in listed.splitlines() if str(tmp_path) in line and "tethered" in line]

    wait(lambda: len(regions()) == 2, time.monotonic() + 60, "the regions do not start")
    process.send_signal(number)
    process.wait()
    wait(lambda: regions() == [], time.monotonic() + 60, "processes are left")
    if number != signal.SIGKILL:
        assert list(tmp_path.glob("atoll-chaos-*")) == []


@pytest.fixture(scope="module")
def played() -> Iterator[dict[str, Future[subprocess.CompletedProcess[str]]]]:
    """Every ready experiment, two at a time: most of an experiment is waiting."""

    def play(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "atoll", "chaos", "run", name, "--json"]
        return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {name: pool.submit(play, name) for name in gallery()}


@pytest.mark.parametrize("name", gallery())
def test_the_gallery_holds(played: dict[str, Future[subprocess.CompletedProcess[str]]], name: str) -> None:
    done = played[name].result()
    found = verdict(done)
    assert (done.returncode, found["broken"], found["violations"]) == (0, [], [])
