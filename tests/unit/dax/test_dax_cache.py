"""The cache's core: what it holds, for how long, in how much memory, and what it never answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from atoll.dax.cache import OVERHEAD_BYTES, Cache
from clock import ManualClock

TABLE = "orders"


def cache(clock: ManualClock | None = None, *, ttl_ms: int = 1000, entries: int = 100) -> Cache:
    """A cache with room for some entries of one byte each, key and value."""
    return Cache(ttl_ms=ttl_ms, bytes_max=entries * (OVERHEAD_BYTES + 2), clock=clock or ManualClock())


def fetch(held: Cache, key: bytes, value: bytes | None, table: str = TABLE) -> None:
    held.settle(held.lease(table, key), value)


def write(held: Cache, key: bytes, value: bytes | None) -> None:
    held.settle(held.lease(TABLE, key, writing=True), value)


def value(held: Cache, key: bytes, table: str = TABLE) -> bytes | str | None:
    """What is answered; ``miss`` where nothing is."""
    entry = held.get(table, key)
    return "miss" if entry is None else entry.value


def test_what_was_fetched_is_held_until_its_time_is_over() -> None:
    clock = ManualClock()
    held = cache(clock, ttl_ms=1000)
    fetch(held, b"a", b"1")
    clock.advance(999)
    assert value(held, b"a") == b"1"
    clock.advance(1)
    assert value(held, b"a") == "miss"
    assert (held.bytes, len(held), held.counters.expirations) == (0, 0, 1)


def test_a_wall_clock_that_is_set_ages_nothing() -> None:
    clock = ManualClock()
    held = cache(clock)
    fetch(held, b"a", b"1")
    clock.set(10**12)
    assert value(held, b"a") == b"1"


def test_reading_an_entry_does_not_make_it_younger_and_writing_does() -> None:
    clock = ManualClock()
    held = cache(clock, ttl_ms=1000)
    fetch(held, b"a", b"1")
    clock.advance(600)
    assert value(held, b"a") == b"1"
    write(held, b"a", b"2")
    clock.advance(600)
    assert value(held, b"a") == b"2"
    clock.advance(400)
    assert value(held, b"a") == "miss"


def test_a_time_to_live_of_zero_is_for_ever() -> None:
    clock = ManualClock()
    held = cache(clock, ttl_ms=0)
    fetch(held, b"a", b"1")
    clock.advance(10**12)
    assert value(held, b"a") == b"1"


def test_that_there_is_no_item_is_held_too() -> None:
    held = cache()
    fetch(held, b"a", None)
    assert value(held, b"a") is None
    assert (held.counters.hits, held.counters.negative_hits) == (1, 1)
    write(held, b"a", b"1")
    assert value(held, b"a") == b"1"


def test_the_least_recently_used_makes_room() -> None:
    held = cache(entries=3)
    for key in (b"a", b"b", b"c"):
        fetch(held, key, b"1")
    assert value(held, b"a") == b"1"
    fetch(held, b"d", b"1")
    assert [value(held, key) for key in (b"a", b"b", b"c", b"d")] == [b"1", "miss", b"1", b"1"]
    assert held.counters.evictions == 1


def test_an_entry_larger_than_the_whole_cache_is_not_held() -> None:
    held = cache(entries=2)
    fetch(held, b"a", b"1")
    fetch(held, b"b", b"x" * 10_000)
    assert (value(held, b"a"), value(held, b"b")) == (b"1", "miss")


def test_a_read_that_began_before_a_write_does_not_bring_back_the_old_value() -> None:
    held = cache()
    read = held.lease(TABLE, b"a")
    write(held, b"a", b"new")
    held.settle(read, b"old")
    assert value(held, b"a") == b"new"


def test_a_read_that_ends_during_a_write_is_put_right_by_its_end() -> None:
    held = cache()
    writing = held.lease(TABLE, b"a", writing=True)
    fetch(held, b"a", b"old")
    held.settle(writing, b"new")
    assert value(held, b"a") == b"new"


def test_two_writes_at_a_time_leave_nothing_behind() -> None:
    held = cache()
    first, second = held.lease(TABLE, b"a", writing=True), held.lease(TABLE, b"a", writing=True)
    held.settle(second, b"2")
    held.settle(first, b"1")
    assert value(held, b"a") == "miss"


def test_a_write_of_unknown_outcome_leaves_nothing_behind_and_a_refused_one_changes_nothing() -> None:
    held = cache()
    fetch(held, b"a", b"1")
    held.release(held.lease(TABLE, b"a", writing=True))
    assert value(held, b"a") == b"1"
    held.release(held.lease(TABLE, b"a", writing=True), changed=True)
    assert value(held, b"a") == "miss"


def test_what_is_invalidated_while_it_is_fetched_is_not_held() -> None:
    held = cache()
    one, other = held.lease(TABLE, b"a"), held.lease(TABLE, b"b")
    held.drop(TABLE, b"a")
    held.settle(one, b"old")
    held.drop_table(TABLE)
    held.settle(other, b"old")
    assert (value(held, b"a"), value(held, b"b")) == ("miss", "miss")


def test_a_table_that_is_invalidated_takes_no_other_with_it() -> None:
    held = cache()
    fetch(held, b"a", b"1")
    fetch(held, b"a", b"2", "other")
    held.drop_table(TABLE)
    assert (value(held, b"a"), value(held, b"a", "other")) == ("miss", b"2")
    fetch(held, b"a", b"3")
    assert value(held, b"a") == b"3"


def test_clearing_voids_what_is_being_fetched() -> None:
    held = cache()
    fetch(held, b"a", b"1")
    lease = held.lease(TABLE, b"b")
    held.clear()
    held.settle(lease, b"old")
    assert (value(held, b"a"), value(held, b"b"), held.bytes) == ("miss", "miss", 0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("commit"), st.integers(0, 7), st.booleans()),
        st.tuples(st.just("end"), st.integers(0, 7), st.booleans()),
        st.tuples(st.just("drop"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("pass"), st.integers(0, 3), st.booleans()),
    ),
    max_size=60,
)


@given(STEPS)
def test_once_nothing_is_under_way_what_is_held_is_what_the_region_holds(steps: list[tuple[str, int, bool]]) -> None:
    """A model region: reads and writes through the cache begin, take effect there, and end, in any interleaving."""
    clock = ManualClock()
    held = cache(clock, entries=3)
    region: dict[bytes, bytes] = {}
    under_way: list[list[object]] = []
    for number, (kind, which, flag) in enumerate(steps):
        if kind == "begin":
            key = b"%d" % which
            lease = held.lease(TABLE, key, writing=flag)
            under_way.append([lease, key, flag, None])
        elif kind == "pass":
            clock.advance(300)
        elif kind == "drop":
            held.drop(TABLE, b"%d" % which)
        elif under_way:
            operation = under_way[which % len(under_way)]
            lease, key, writing, found = operation
            if found is None:
                if writing:
                    region[key] = b"%d" % number  # type: ignore[index]  # The lists are of mixed values.
                operation[3] = (region.get(key),)  # type: ignore[call-overload]  # As above.
            if kind == "end":
                under_way.remove(operation)
                held.settle(lease, operation[3][0])  # type: ignore[arg-type,index]  # As above.
        assert 0 <= held.bytes <= 3 * (OVERHEAD_BYTES + 2)
    for lease, key, writing, found in under_way:
        if found is None and writing:
            region[key] = b"%"  # type: ignore[index]  # As above.
            found = (b"%",)  # noqa: PLW2901  It takes effect now.
        held.settle(lease, found[0] if found else region.get(key))  # type: ignore[arg-type,index,call-overload]  # As above.
    for key in (b"0", b"1", b"2", b"3"):
        entry = held.get(TABLE, key)
        assert entry is None or entry.value == region.get(key)
