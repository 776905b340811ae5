"""The gallery's experiments hold in simulation as they do on real processes, from the same files."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from chaos import scenario
from chaos.simulation.rehearsal import find, rehearse
from chaos.simulation.simulate import simulate


@pytest.mark.parametrize("name", scenario.gallery())
def test_an_experiment_of_the_gallery_holds_in_simulation(name: str) -> None:
    experiment = scenario.load(name)
    trial = rehearse(experiment)
    assert set(experiment.faults) <= set(trial.script)
    # Fewer operations than on real processes, where nobody waits for them.
    outcome = simulate(msgspec.structs.replace(trial, pause_ms=600.0))
    assert outcome.violations == []
    assert outcome.operations > 50


def test_what_is_neither_trial_nor_experiment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nothing.toml"
    path.write_text("nonsense = 1\n")
    with pytest.raises(ValueError, match=r"is no trial .* is no scenario"):
        find(str(path))
    with pytest.raises(ValueError, match="no experiment tsunami"):
        find("tsunami")
