"""The same seed gives the same trace, whatever Python's hashes are, in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (2, 11, 36)
PROGRAM = """
import sys
from chaos.simulation.simulate import simulate
from chaos.simulation.trial import plan
for seed in map(int, sys.argv[1:]):
    outcome = simulate(plan(seed, span_s=20), trace=True)
    print(seed, outcome.digest, outcome.callbacks, outcome.operations)
"""


def trace(hash_seed: int) -> str:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, SEEDS)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def test_the_same_seed_gives_the_same_trace_whatever_python_hashes() -> None:
    first, second = trace(1), trace(4711)
    assert first == second
    assert len({line.split()[1] for line in first.splitlines()}) == len(SEEDS)
