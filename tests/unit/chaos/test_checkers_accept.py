"""No checker accuses what correct regions did, whatever the clients, the network and the clocks did meanwhile."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import MS, World

from chaos.checker import CHECKERS, judge

REGIONS = ("east", "north", "west")
region, key, process = st.sampled_from(REGIONS), st.sampled_from("ab"), st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), region, key),
        st.tuples(st.just("unknown"), region, key),
        st.tuples(st.just("swap"), region, key),
        st.tuples(st.just("delete"), region, key),
        st.tuples(st.just("fail"), region, key),
        st.tuples(st.just("read"), region, key),
        st.tuples(st.just("transfer"), region, key),
        st.tuples(st.just("look"), region, key),
        st.tuples(st.just("deliver"), region, region, st.integers(1, 4)),
        st.tuples(st.just("skew"), region, st.integers(1, 5000)),
    ),
    max_size=40,
)


def play(steps: list[tuple[object, ...]]) -> World:
    world = World(*REGIONS)
    numbers = {name: world.recorder.process() for name in REGIONS}
    for what, *arguments in steps:
        where, rest = str(arguments[0]), arguments[1:]
        mine = numbers[where]
        if what == "write":
            world.write(where, str(rest[0]), process=mine)
        elif what == "unknown":
            world.write(where, str(rest[0]), process=mine, known=False)
            numbers[where] = world.recorder.process()
        elif what == "swap":
            world.swap(where, str(rest[0]), process=mine)
        elif what == "delete":
            world.delete(where, str(rest[0]), process=mine)
        elif what == "fail":
            world.fail(where, str(rest[0]))
        elif what == "read":
            world.read(where, str(rest[0]), process=mine)
        elif what == "transfer":
            world.transfer(where, "a", "b", process=mine)
        elif what == "look":
            world.look(where, "a", "b", process=mine)
        elif what == "skew":
            world.places[where].clock += int(str(rest[0])) * MS
        elif what == "deliver" and where != rest[0]:
            sink = world.places[str(rest[0])]
            done = sink.cursors[where].sequence if where in sink.cursors else 0
            world.deliver(where, str(rest[0]), done + int(str(rest[1])))
    world.settle()
    return world


@settings(max_examples=80)
@given(STEPS)
def test_no_checker_accuses_correct_regions(steps: list[tuple[object, ...]]) -> None:
    evidence = play(steps).evidence(simulated=True)
    found = [str(it) for it in judge(evidence)]
    assert not found, "\n".join(found)
    assert evidence.remarks == []


@settings(max_examples=25)
@given(STEPS, st.sampled_from(REGIONS))
def test_no_checker_but_liveness_speaks_of_what_is_still_under_way(steps: list[tuple[object, ...]], cut: str) -> None:
    world = play([step for step in steps if step[0] != "deliver" or cut not in step[1:3]])
    world.write(cut, "a")
    names = [name for name in CHECKERS if name not in ("liveness", "convergence")]
    found = [str(it) for it in judge(world.evidence(unsettled="nobody heard of it", simulated=True), names)]
    assert not found, "\n".join(found)
