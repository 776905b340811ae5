"""The nemesis plans the same bad day for the same seed, within its span, for regions that there are."""

from __future__ import annotations

import pytest

from chaos import faults, nemesis
from chaos.faults import Cut
from region.randomness import SeededRng

REGIONS = ("a", "b", "c")
SPAN_MS = 20_000


@pytest.mark.parametrize("name", nemesis.NEMESES)
def test_every_plan_stays_within_its_span_and_its_regions(name: str) -> None:
    for seed in range(200):
        script = nemesis.script(SeededRng(seed), REGIONS, SPAN_MS, [name])
        assert script
        for fault in script:
            assert fault.at_ms >= 0
            assert fault.at_ms + (fault.for_ms or 0) <= SPAN_MS
            assert faults.strikes(fault, REGIONS)


def test_the_same_seed_plans_the_same_script_and_others_plan_others() -> None:
    scripts = [nemesis.script(SeededRng(seed), REGIONS, SPAN_MS) for seed in range(50)]
    assert scripts == [nemesis.script(SeededRng(seed), REGIONS, SPAN_MS) for seed in range(50)]
    assert len({tuple(script) for script in scripts}) == 50


def test_a_script_is_sorted_by_time() -> None:
    script = nemesis.script(SeededRng(1), REGIONS, SPAN_MS, list(nemesis.NEMESES))
    assert [fault.at_ms for fault in script] == sorted(fault.at_ms for fault in script)


def test_in_a_ring_everybody_hears_exactly_one_neighbour() -> None:
    script = nemesis.ring(SeededRng(7), REGIONS, SPAN_MS)
    cut = {fault.link for fault in script if isinstance(fault, Cut)}
    heard = [[a for a in REGIONS if a != b and f"{a}->{b}" not in cut] for b in REGIONS]
    assert [len(sources) for sources in heard] == [1, 1, 1]


def test_a_majority_split_leaves_two_sides_whole() -> None:
    regions = ("a", "b", "c", "d", "e")
    script = nemesis.majority(SeededRng(3), regions, SPAN_MS)
    cut = {fault.link for fault in script if isinstance(fault, Cut)}
    assert len(cut) == 2 * 3 * 2
