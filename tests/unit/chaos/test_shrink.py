"""Shrinking finds the few faults that matter, and keeps what fails in the same way."""

from __future__ import annotations

from chaos import nemesis
from chaos.checker import Violation
from chaos.faults import Crash, Cut
from chaos.simulation.shrink import Shrinker
from chaos.simulation.simulate import Outcome
from chaos.simulation.trial import Trial
from region.randomness import SeededRng

REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")


def crash_after_cut(trial: Trial) -> Outcome:
    """A system that breaks when some region crashes after some link was cut, while bank transfers run."""
    cuts = [fault for fault in trial.script if isinstance(fault, Cut)]
    guilty = any(isinstance(it, Crash) and cut.at_ms <= it.at_ms for it in trial.script for cut in cuts)
    violations = [Violation("values", "lost")] if guilty and "bank" in trial.workloads else []
    if not trial.script:
        violations = [Violation("liveness", "another failure")]
    return Outcome(trial=trial, violations=violations)


def test_a_long_script_shrinks_to_the_two_faults_that_matter() -> None:
    script = nemesis.script(SeededRng(3), REGIONS, 60_000, ["swizzle", "weather", "clock-storm", "rolling-restarts"])
    trial = Trial(seed=3, workloads=("registers", "bank"), script=tuple(script))
    first = crash_after_cut(trial)
    assert first.invariants == ["values"]
    shrinker = Shrinker(first, crash_after_cut)
    small = shrinker.shrink()
    assert small.invariants == ["values"]
    assert sorted(type(fault).__name__ for fault in small.trial.script) == ["Crash", "Cut"]
    assert small.trial.workloads == ("bank",)
    assert small.trial.span_s < 60
    assert shrinker.attempts < 200


def test_no_more_attempts_are_made_than_are_allowed() -> None:
    script = nemesis.script(SeededRng(3), REGIONS, 60_000, ["swizzle", "rolling-restarts"])
    first = crash_after_cut(Trial(workloads=("bank",), script=tuple(script)))
    shrinker = Shrinker(first, crash_after_cut, attempts_max=3)
    assert shrinker.shrink().invariants == ["values"]
    assert shrinker.attempts == 3
