"""What a sweep once found stays mended: each trial that broke an invariant is kept, made small, and run again.

A file of ``seeds`` is a trial in TOML (``atoll sim --scenario FILE`` runs it alone); its first comment says what it
found, and whether the product or a checker was wrong.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.simulation.simulate import simulate
from chaos.simulation.trial import load

SEEDS = sorted((Path(__file__).parent / "seeds").glob("*.toml"))


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.stem)
def test_what_a_seed_once_broke_holds(path: Path) -> None:
    assert simulate(load(path)).violations == []


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.stem)
def test_every_kept_seed_says_what_it_found(path: Path) -> None:
    lines = path.read_text().splitlines()
    told = " ".join(line.removeprefix("# ") for line in lines if line.startswith("#"))
    assert lines[0].startswith("# ")
    assert told.endswith(".")
