"""Experiments in simulation: the same scenario files that are played on real processes, as trials.

What: :func:`rehearse` makes a trial of a :class:`~chaos.scenario.Scenario`; :func:`find` reads whatever a name or a
file stands for. What an experiment expects of real time (steady state, recovery) is not judged; all invariants are.

Invariant: workloads and faults are those of the scenario; its latency profile becomes a delay of each link that lasts
until everything heals.
"""

from __future__ import annotations

from pathlib import Path

from chaos import latency, scenario
from chaos.faults import AnyFault, Delay
from chaos.scenario import Scenario, ScenarioError
from chaos.simulation.trial import Trial, load


def rehearse(experiment: Scenario) -> Trial:
    """Return the trial of an experiment."""
    ways: list[AnyFault] = []
    if experiment.latency is not None:
        delays = latency.delays_ms(experiment.regions, experiment.latency.scale)
        ways = [Delay(link=f"{source}->{sink}", ms=ms) for (source, sink), ms in delays.items()]
    return Trial(
        seed=experiment.seed,
        span_s=experiment.span_s,
        regions=experiment.regions,
        durability=experiment.durability,
        delay_ms=1.0,
        jitter_ms=0.5,
        workloads=tuple(use.name for use in experiment.workloads),
        clients=max(use.clients for use in experiment.workloads),
        pause_ms=max(use.pause_ms for use in experiment.workloads),
        script=(*ways, *experiment.faults),
    )


def find(what: str) -> Trial:
    """Return the trial that a file, or the name of an experiment of the gallery, stands for.

    Raises:
        ValueError: there is none, or it makes no sense.
    """
    path = Path(what)
    if path.exists():
        try:
            return load(path)
        except ValueError as no_trial:
            try:
                return rehearse(scenario.load(what))
            except ScenarioError as no_scenario:
                raise ValueError(f"{no_trial}; and {no_scenario}") from no_scenario
    try:
        return rehearse(scenario.load(what))
    except ScenarioError as error:
        raise ValueError(str(error)) from error
