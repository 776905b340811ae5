from __future__ import annotations

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.checker import linearizability
from chaos.checker.linearizability import Arrival, Step, search

TAGS = ("t1", "t2", "t3")


@st.composite
def steps(draw: st.DrawFn) -> Step:
    invoked, length = draw(st.integers(0, 12)), draw(st.integers(0, 6))
    reads, writes = draw(st.booleans()), draw(st.booleans())
    found = draw(st.sampled_from((*TAGS, None)))
    left = draw(st.sampled_from((*TAGS, None)))
    return Step(invoked, invoked + length, reads or not writes, found, writes, left)


ARRIVALS = st.lists(
    st.builds(Arrival, st.integers(0, 12), st.sampled_from(TAGS)), max_size=2, unique_by=lambda it: it.left
)


def explained(order: tuple[Step, ...], arrivals: list[Arrival], *, may_vanish: bool) -> bool:
    """Whether the steps can have happened in this very order, arrivals coming just before they are needed."""
    for position, step in enumerate(order):
        if any(later.returned_ns < step.invoked_ns for later in order[position:]):
            return False
    tag, used = None, set()
    for position, step in enumerate(order):
        if step.reads and step.found != tag:
            by_ns = min(it.returned_ns for it in order[position:])
            came = {it.left for it in arrivals if it.invoked_ns <= by_ns}
            if step.found is None:
                if not may_vanish:
                    return False
            elif step.found in used or step.found not in came:
                return False
            else:
                used.add(step.found)
            tag = step.found
        if step.writes:
            tag = step.left
    return True


@settings(max_examples=250)
@given(st.lists(steps(), max_size=5), ARRIVALS, st.booleans())
def test_an_order_is_found_exactly_where_there_is_one(
    history: list[Step], arrivals: list[Arrival], may_vanish: bool
) -> None:
    possible = any(explained(order, arrivals, may_vanish=may_vanish) for order in permutations(history))
    answer = search(history, arrivals, may_vanish=may_vanish)
    assert (answer is False) is possible
    assert possible or isinstance(answer, Step)


def test_a_search_beyond_its_bound_is_undecided() -> None:
    many = [Step(0, 100 + number, False, None, True, f"t{number}") for number in range(16)]
    assert search([*many, Step(0, 50, True, "nobody", False, None)], []) is True
    assert linearizability.CONFIGURATIONS_MAX == 20_000


def test_a_sequential_register_of_a_thousand_steps_is_judged_at_once() -> None:
    history = []
    for number in range(500):
        history.append(Step(4 * number, 4 * number + 1, False, None, True, f"t{number}"))
        history.append(Step(4 * number + 2, 4 * number + 3, True, f"t{number}", False, None))
    assert search(history, []) is False
    assert search([*history, Step(3000, 3001, True, "t5", False, None)], []) == Step(
        3000, 3001, True, "t5", False, None
    )
