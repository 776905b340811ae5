"""How many seeds ``atoll sim`` tries in a minute: a simulated minute of three regions each, on all cores."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from atoll.sweeping import cores, outcomes
from chaos.simulation.sweep import Sweep, Tally

SEEDS: Final = 60


class Simulation(NamedTuple):
    """A sweep over the first :data:`SEEDS` seeds, the start of its processes and the checkers included."""

    seeds_a_minute: float
    simulated_minutes_a_minute: float
    requests_a_second: float
    processes: float


def measure(seeds: int = SEEDS) -> Simulation:
    """Sweep, and return how fast that was."""
    tally, jobs = Tally(), cores()
    began_s = time.perf_counter()
    for outcome in outcomes(Sweep(), range(1, seeds + 1), jobs=jobs):
        tally.add(outcome)
    took_s = time.perf_counter() - began_s
    return Simulation(60 * tally.seeds / took_s, tally.virtual_s / took_s, tally.operations / took_s, jobs)
