"""Shards: whatever ends and splits, every key is in exactly one open shard, and in one line of descent."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from region.model import stream as streams
from region.model.stream import Shard, Stream

HASHES = 1 << 64
SUCCESSIONS = st.lists(st.tuples(st.integers(0, 100), st.booleans(), st.integers(-5, 5)), max_size=30)


def grown(count: int, successions: list[tuple[int, bool, int]]) -> Stream:
    """Return a stream after successions of some of its open shards; the clock may step back, the log does not."""
    stream, now_ms = streams.opened("label", "KEYS_ONLY", 1000, 0, count), 1000
    for head, (choice, split, step_ms) in enumerate(successions, start=1):
        now_ms += step_ms
        shards = stream.open_shards()
        stream = streams.succeeded(stream, shards[choice % len(shards)], now_ms, head, split=split)
    return stream


@given(st.integers(1, 5), SUCCESSIONS)
def test_the_open_shards_cover_every_hash_once(count: int, successions: list[tuple[int, bool, int]]) -> None:
    shards = sorted(grown(count, successions).open_shards(), key=lambda shard: shard.first_hash)
    assert shards[0].first_hash == 0
    assert shards[-1].last_hash == HASHES - 1
    for left, right in pairwise(shards):
        assert right.first_hash == left.last_hash + 1


@given(st.integers(1, 5), SUCCESSIONS, st.integers(0, HASHES - 1), st.integers(1, 30))
def test_every_change_is_in_one_shard(
    count: int, successions: list[tuple[int, bool, int]], hash_: int, sequence: int
) -> None:
    shards = grown(count, successions).shards
    holders = [
        shard
        for shard in shards
        if shard.first_hash <= hash_ <= shard.last_hash
        and shard.after < sequence
        and (shard.upto is None or sequence <= shard.upto)
    ]
    assert len(holders) == 1


@given(st.integers(1, 5), SUCCESSIONS)
def test_children_begin_where_their_parent_ends_and_ids_ascend(
    count: int, successions: list[tuple[int, bool, int]]
) -> None:
    shards = grown(count, successions).shards
    by_id: dict[str, Shard] = {shard.id: shard for shard in shards}
    assert [*by_id] == sorted(by_id)
    assert len(by_id) == len(shards)
    for shard in shards:
        if shard.parent is not None:
            parent = by_id[shard.parent]
            assert parent.upto == shard.after
            assert parent.first_hash <= shard.first_hash <= shard.last_hash <= parent.last_hash


def test_a_shard_of_a_single_hash_is_not_split() -> None:
    one = Shard(number=0, opened_ms=0, after=0, first_hash=7, last_hash=7)
    stream = Stream(label="label", view_type="KEYS_ONLY", created_ms=0, shards=(one,))
    assert len(streams.succeeded(stream, one, 1, 1, split=True).open_shards()) == 1


def test_a_disabled_stream_has_no_open_shard_even_at_the_beginning_of_time() -> None:
    stream = streams.closed(streams.opened("label", "KEYS_ONLY", 0, 0, 3), 0, 5)
    assert stream.open_shards() == []
    assert not stream.enabled
    assert {shard.upto for shard in stream.shards} == {5}
