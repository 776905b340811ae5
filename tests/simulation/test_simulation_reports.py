"""A run that fails leaves a page that explains it, and a trial that fails in the same way."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from chaos import lamport
from chaos.faults import Cut
from chaos.simulation import sweep
from chaos.simulation.clocks import EPOCH_MS
from chaos.simulation.report import arrivals
from chaos.simulation.simulate import Witness, simulate
from chaos.simulation.trial import Trial, load

HURRIED = Trial(
    seed=3,
    span_s=8,
    deadline_s=0.0,
    pause_ms=300,
    script=(Cut(link="us-east-1->*", mode="data", at_ms=2000, for_ms=3000),),
)
"""Nobody comes to rest in no time, so this fails."""


def test_a_failed_trial_is_reported_and_its_file_fails_again_alike(tmp_path: Path) -> None:
    outcome = simulate(HURRIED)
    assert outcome.invariants[0] == "liveness"
    page = sweep.report(tmp_path / "seed-3", outcome).read_text()
    assert "liveness" in page
    assert "cut us-east-1-&gt;*" in page
    assert f"atoll sim --scenario {tmp_path / 'seed-3' / 'trial.json'}" in page
    assert simulate(load(tmp_path / "seed-3" / "trial.json")).violations == outcome.violations


def test_the_diagram_shows_writes_arrows_conflicts_and_faults() -> None:
    drawn: list[str] = []

    def look(witness: Witness) -> None:
        evidence = witness.evidence
        began_ms = EPOCH_MS + evidence.started_ns / 1e6
        when = arrivals(evidence, witness.events, evidence.started_ns / 1e9)
        drawn.append(lamport.svg(lamport.diagram(evidence, epoch_ms=began_ms, arrivals=when)))

    simulate(msgspec.structs.replace(HURRIED, deadline_s=60.0, pause_ms=200), look)
    root = ElementTree.fromstring(drawn[0])
    space = "{http://www.w3.org/2000/svg}"
    titles = [element.text or "" for element in root.iter(f"{space}title")]
    assert any(" write registers/" in title for title in titles)
    assert any(" apply registers/" in title for title in titles)
    assert any("lost to" in title for title in titles)
    assert any("cut us-east-1->*" in title for title in titles)
    arrows = [line for line in root.iter(f"{space}line") if line.get("marker-end")]
    assert arrows
    assert all(float(line.attrib["x1"]) <= float(line.attrib["x2"]) for line in arrows)
    assert {"us-east-1", "eu-west-1", "ap-northeast-1"} <= {text.text for text in root.iter(f"{space}text")}


def test_a_scenario_is_a_trial_in_toml_too(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text('span_s = 5.0\nfaults = [{kind = "crash", region = "us-east-1", at_ms = 100, for_ms = 50}]\n')
    trial = load(path)
    assert trial.span_s == 5
    assert msgspec.json.decode(msgspec.json.encode(trial), type=Trial) == trial
    path.write_text("nonsense = 1\n")
    with pytest.raises(ValueError, match="is no trial of a simulation"):
        load(path)
