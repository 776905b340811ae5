"""Lines of records: batches, retries, splits and ages, and that no record is lost or overtaken whatever happens."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from atoll.triggers.batch import (
    AGE_EXCEEDED,
    ATTEMPTS_EXHAUSTED,
    RETENTION_MS,
    STATE_BYTES_MAX,
    Action,
    Done,
    Failed,
    GiveUp,
    HandOver,
    Line,
    NotInvoked,
    Policy,
    Record,
    Wait,
    Window,
)


def record(sequence: int, seen_ms: int = 0, size: int = 10) -> Record:
    return Record(sequence, seen_ms, b"x" * size)


def line(count: int = 0, **policy: int | bool) -> Line:
    made = Line(Policy(**policy), lambda: 0.0)  # type: ignore[arg-type]  # Each is of its field's type.
    for sequence in range(1, count + 1):
        made.offer(record(sequence), 0)
    return made


def sequences(action: Action | None) -> list[int]:
    assert isinstance(action, HandOver | GiveUp)
    return [each.sequence for each in action.records]


def test_a_batch_has_as_many_records_as_there_are_up_to_its_size() -> None:
    made = line(5, batch_size=3)
    assert sequences(made.next(0, 0)) == [1, 2, 3]
    made.settle(Done(), 0)
    assert sequences(made.next(0, 0)) == [4, 5]
    made.settle(Done(), 0)
    assert made.next(0, 0) is None


def test_a_window_waits_for_more_until_the_batch_is_full_or_the_time_is_over_or_the_shard_ends() -> None:
    made = line(2, batch_size=3, window_ms=1000)
    assert made.next(400, 0) == Wait(600)
    made.offer(record(3), 500)
    assert sequences(made.next(500, 0)) == [1, 2, 3]
    made = line(2, batch_size=3, window_ms=1000)
    assert sequences(made.next(1000, 0)) == [1, 2]
    made = line(2, batch_size=3, window_ms=1000)
    made.ended = True
    assert sequences(made.next(0, 0)) == [1, 2]


def test_a_batch_is_no_larger_than_an_event_may_be() -> None:
    made = line(batch_size=10, payload_bytes_max=200, window_ms=10_000)
    for sequence in range(1, 4):
        made.offer(record(sequence, size=60), 0)
    assert sequences(made.next(0, 0)) == [1, 2]
    made.settle(Done(), 0)
    made.ended = True
    assert sequences(made.next(0, 0)) == [3]


def test_a_failed_batch_is_tried_again_as_a_whole_after_twice_the_time_each_time() -> None:
    made = line(3, backoff_min_ms=100, backoff_max_ms=300)
    now = 0.0
    for waited in (100, 200, 300, 300):
        assert sequences(made.next(now, 0)) == [1, 2, 3]
        made.settle(Failed(), now)
        assert made.next(now, 0) == Wait(waited)
        now += waited
    assert made.position(3) == 0


def test_after_its_retries_a_batch_is_given_up_and_the_next_one_goes_on() -> None:
    made = line(4, batch_size=2, retries_max=2)
    for _ in range(3):
        assert isinstance(made.next(1e9, 0), HandOver)
        made.settle(Failed(error="E"), 0)
    given_up = made.next(1e9, 0)
    assert isinstance(given_up, GiveUp)
    assert (sequences(given_up), given_up.condition, given_up.invocations) == ([1, 2], ATTEMPTS_EXHAUSTED, 3)
    assert given_up.last == Failed(error="E")
    assert made.position(4) == 0
    made.given_up()
    assert made.position(4) == 2
    assert sequences(made.next(1e9, 0)) == [3, 4]


def test_what_a_destination_does_not_take_is_offered_to_it_again() -> None:
    made = line(1, retries_max=0, backoff_min_ms=100)
    made.next(0, 0)
    made.settle(Failed(), 0)
    assert isinstance(made.next(0, 0), GiveUp)
    made.not_given_up(0)
    assert made.next(0, 0) == Wait(100)
    assert isinstance(made.next(100, 0), GiveUp)


def test_a_function_that_cannot_be_reached_uses_up_no_retries() -> None:
    made = line(1, retries_max=0)
    for _ in range(20):
        assert isinstance(made.next(1e9, 0), HandOver)
        made.settle(NotInvoked("refused"), 0)
    assert isinstance(made.next(1e9, 0), HandOver)


def test_bisecting_finds_the_one_bad_record_and_uses_up_no_retries() -> None:
    made = line(8, bisect=True, retries_max=1)
    tried: list[list[int]] = []
    given_up: list[int] = []
    while (action := made.next(1e9, 0)) is not None:
        if isinstance(action, GiveUp):
            given_up += sequences(action)
            made.given_up()
            continue
        tried.append(sequences(action))
        made.settle(Failed() if 6 in tried[-1] else Done(), 0)
    assert given_up == [6]
    assert tried == [[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4], [5, 6, 7, 8], [5, 6], [5], [6], [6], [7, 8]]


def test_a_partial_answer_keeps_what_came_before_the_record_it_names() -> None:
    made = line(5, retries_max=1)
    made.next(0, 0)
    made.settle(Failed(first=4), 0)
    assert made.position(5) == 3
    assert sequences(made.next(1e9, 0)) == [4, 5]
    made.settle(Failed(first=4), 0)
    given_up = made.next(1e9, 0)
    assert isinstance(given_up, GiveUp)
    assert sequences(given_up) == [4, 5]


def test_a_partial_answer_with_bisecting_gives_up_the_bad_record_alone() -> None:
    made = line(5, retries_max=0, bisect=True)
    given_up: list[int] = []
    while (action := made.next(1e9, 0)) is not None:
        if isinstance(action, GiveUp):
            given_up += sequences(action)
            made.given_up()
        else:
            made.settle(Failed(first=4) if 4 in sequences(action) else Done(), 0)
    assert given_up == [4]


def test_what_is_too_old_is_given_up_before_the_function_sees_it_and_the_rest_is_not() -> None:
    made = line(age_max_ms=1000)
    for sequence, seen_ms in ((1, 0), (2, 100), (3, 5000)):
        made.offer(record(sequence, seen_ms), 0)
    given_up = made.next(0, 2000)
    assert isinstance(given_up, GiveUp)
    assert (sequences(given_up), given_up.condition, given_up.invocations) == ([1, 2], AGE_EXCEEDED, 0)
    made.given_up()
    assert sequences(made.next(0, 2000)) == [3]


def test_without_an_age_records_grow_as_old_as_the_stream_keeps_them() -> None:
    made = line(1)
    assert isinstance(made.next(0, RETENTION_MS), HandOver)
    made.settle(Failed(), 0)
    assert isinstance(made.next(1e9, RETENTION_MS + 1), GiveUp)


def tumbling(*seen_ms: int) -> Line:
    made = line(tumbling_ms=1000, batch_size=2)
    for sequence, ms in enumerate(seen_ms, 1):
        made.offer(record(sequence, ms), 0)
    return made


def test_a_tumbling_window_hands_its_state_from_call_to_call_and_ends_with_a_call_of_its_own() -> None:
    made = tumbling(1100, 1200, 1900, 2100)
    assert made.next(0, 2100) == HandOver((record(1, 1100), record(2, 1200)), Window(1000, b"{}", False, False))
    made.settle(Done(state=b'{"n":2}'), 0)
    # A batch does not reach over the end of its window.
    assert made.next(0, 2100) == HandOver((record(3, 1900),), Window(1000, b'{"n":2}', False, False))
    made.settle(Done(state=b'{"n":3}'), 0)
    assert made.next(0, 2100) == HandOver((), Window(1000, b'{"n":3}', True, False))
    made.settle(Done(state=b'{"n":9}'), 0)
    assert made.next(0, 2100) == HandOver((record(4, 2100),), Window(2000, b"{}", False, False))
    made.settle(Done(state=b'{"n":1}'), 0)
    assert made.next(0, 2500) == Wait(500)
    assert made.next(0, 3000) == HandOver((), Window(2000, b'{"n":1}', True, False))
    made.settle(Done(), 0)
    assert made.next(0, 9000) is None


def test_a_window_ends_with_its_shard_and_early_where_its_state_is_too_large() -> None:
    made = tumbling(1100)
    made.next(0, 1100)
    made.settle(Done(state=b'{"n":1}'), 0)
    made.ended = True
    assert made.next(0, 1200) == HandOver((), Window(1000, b'{"n":1}', True, False))
    made = tumbling(1100, 1200, 1300)
    large = b'{"n":"%b"}' % (b"x" * STATE_BYTES_MAX)
    made.next(0, 1200)
    made.settle(Done(state=large), 0)
    assert made.next(0, 1300) == HandOver((), Window(1000, large, True, True))
    made.settle(Done(), 0)
    assert made.next(0, 1300) == HandOver((record(3, 1300),), Window(1000, b"{}", False, False))


def test_a_failure_in_a_window_keeps_the_state_of_the_last_success() -> None:
    made = tumbling(1100, 1200, 1300)
    made.next(0, 1300)
    made.settle(Done(state=b'{"n":2}'), 0)
    for _ in range(2):
        assert made.next(1e9, 1300) == HandOver((record(3, 1300),), Window(1000, b'{"n":2}', False, False))
        made.settle(Failed(), 0)


def test_a_last_call_that_keeps_failing_is_given_up_and_its_window_with_it() -> None:
    made = line(tumbling_ms=1000, retries_max=0)
    made.offer(record(1, 1100), 0)
    made.next(0, 1100)
    made.settle(Done(state=b'{"n":1}'), 0)
    made.next(0, 2000)
    made.settle(Failed(), 0)
    given_up = made.next(0, 2000)
    assert isinstance(given_up, GiveUp)
    assert given_up.records == ()
    made.given_up()
    assert made.next(0, 2000) is None


OUTCOMES = st.sampled_from(["done", "failed", "first", "middle", "refused"])


@given(
    counts=st.lists(st.integers(0, 6), min_size=1, max_size=8),
    outcomes=st.lists(OUTCOMES, max_size=60),
    ages=st.lists(st.integers(0, 3000), min_size=48, max_size=48),
    batch_size=st.integers(1, 5),
    retries=st.integers(-1, 2),
    bisect=st.booleans(),
)
def test_every_record_leaves_once_in_order_and_none_is_passed_over(
    counts: Sequence[int], outcomes: Sequence[str], ages: Sequence[int], batch_size: int, retries: int, bisect: bool
) -> None:
    made = Line(Policy(batch_size=batch_size, retries_max=retries, bisect=bisect, age_max_ms=2000), lambda: 0.5)
    fate = iter(outcomes)
    left: list[int] = []
    offered, position = 0, 0
    for count in [*counts, 0]:
        for _ in range(count):
            offered += 1
            made.offer(record(offered, ages[offered - 1]), 0)
        while (action := made.next(1e12, 3000)) is not None:
            now = sequences(action)
            assert now == list(range(len(left) + 1, len(left) + 1 + len(now)))
            if isinstance(action, GiveUp):
                made.given_up()
                left += now
            else:
                outcome = next(fate, "done")
                if outcome == "done":
                    made.settle(Done(), 0)
                    left += now
                elif outcome == "refused":
                    made.settle(NotInvoked(""), 0)
                else:
                    first = {"failed": None, "first": now[0], "middle": now[len(now) // 2]}[outcome]
                    made.settle(Failed(first=first), 0)
                    left += [each for each in now if first is not None and each < first]
            assert position <= made.position(offered) == len(left)
            position = made.position(offered)
    assert left == list(range(1, offered + 1))
