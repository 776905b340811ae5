from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.workload.skew import Chooser, Latest, Scrambled, Uniform, Zipfian, chooser
from region.randomness import SeededRng

DRAWS = 20_000


def drawn(made: Chooser, draws: int = DRAWS) -> Counter[int]:
    rng = SeededRng(7)
    return Counter(made.draw(rng) for _ in range(draws))


@pytest.mark.parametrize("theta", [0.5, 0.99])
def test_ranks_follow_zipfs_law(theta: float) -> None:
    count = 100
    found = drawn(Zipfian(count, theta))
    zeta = sum(rank**-theta for rank in range(1, count + 1))
    for rank in (0, 1):
        expected = DRAWS * (rank + 1) ** -theta / zeta
        assert found[rank] == pytest.approx(expected, rel=0.1)
    # The method is exact for the first two ranks, and close for what lies behind them.
    tail = sum(number for rank, number in found.items() if rank >= 10)
    assert tail == pytest.approx(DRAWS * sum((rank + 1) ** -theta for rank in range(10, count)) / zeta, rel=0.1)


def test_scrambling_keeps_the_popularity_and_moves_the_popular() -> None:
    plain, scrambled = drawn(Zipfian(100)), drawn(Scrambled(100))
    assert scrambled.most_common(1)[0][1] >= plain[0]
    assert scrambled.most_common(1)[0][0] != 0


def test_the_latest_is_the_most_popular_also_after_growth() -> None:
    latest = Latest(50)
    assert drawn(latest).most_common(1)[0][0] == 49
    for _ in range(10):
        latest.grow()
    assert drawn(latest).most_common(1)[0][0] == 59


def test_uniform_favours_nothing() -> None:
    found = drawn(Uniform(10))
    assert set(found) == set(range(10))
    assert max(found.values()) < 1.2 * min(found.values())


@given(st.sampled_from(["zipf", "latest", "uniform"]), st.integers(1, 30), st.floats(0.01, 0.99), st.integers(0, 5))
def test_every_draw_is_of_an_item_that_there_is(kind: str, count: int, theta: float, growth: int) -> None:
    made = chooser(kind, count, theta)
    for _ in range(growth):
        made.grow()
    assert set(drawn(made, 50)) <= set(range(count + growth))


@pytest.mark.parametrize("theta", [0.0, 1.0])
def test_a_skew_that_the_method_does_not_know_is_refused(theta: float) -> None:
    with pytest.raises(ValueError, match="the skew must lie between 0 and 1"):
        Zipfian(10, theta)
