"""Keys: one byte string whose order is the order that Query and Scan promise."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region.model import keys, numbers

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
RAW = st.binary(max_size=8) | st.lists(st.sampled_from([0, 1, 0xFF]), max_size=6).map(bytes)
SCALARS = (
    TEXTS.map(lambda text: {"S": text})
    | RAW.map(lambda raw: {"B": b64encode(raw).decode()})
    | st.integers(-(10**30), 10**30).map(lambda number: {"N": str(number)})
)
HASH = {"S": "partition"}


def binary(raw: bytes) -> dict[str, str]:
    """Return a binary value."""
    return {"B": b64encode(raw).decode()}


@given(TEXTS, TEXTS)
def test_strings_sort_by_their_utf8_bytes(left: str, right: str) -> None:
    a, b = keys.encode({"S": left}), keys.encode({"S": right})
    assert (a < b, a == b) == (left.encode() < right.encode(), left == right)


@given(RAW, RAW)
def test_binaries_sort_as_unsigned_bytes(left: bytes, right: bytes) -> None:
    a, b = keys.encode(binary(left)), keys.encode(binary(right))
    assert (a < b, a == b) == (left < right, left == right)


@given(st.decimals(-1000, 1000, places=6), st.decimals(-1000, 1000, places=6))
def test_numbers_sort_by_value(left: object, right: object) -> None:
    a, b = (keys.encode({"N": numbers.canonical(str(value))}) for value in (left, right))
    assert (a < b, a == b) == (left < right, left == right)  # type: ignore[operator]  # Both are decimals.


@given(SCALARS, SCALARS)
def test_no_encoded_value_of_a_type_is_a_prefix_of_another(left: dict[str, str], right: dict[str, str]) -> None:
    if left.keys() == right.keys() and left != right:
        assert not keys.encode(left).startswith(keys.encode(right))


@given(st.tuples(TEXTS, TEXTS), st.tuples(TEXTS, TEXTS))
def test_two_keys_are_equal_only_where_all_their_parts_are(left: tuple[str, str], right: tuple[str, str]) -> None:
    a, b = (keys.key(({"S": hash_},), ({"S": range_},)) for hash_, range_ in (left, right))
    assert (a == b) == (left == right)


@given(RAW, RAW)
def test_what_begins_with_a_prefix_lies_between_the_prefix_and_its_successor(prefix: bytes, rest: bytes) -> None:
    start = keys.partition((HASH,)) + keys.encode_prefix(binary(prefix))
    inside = keys.key((HASH,), (binary(prefix + rest),))
    assert start <= inside < keys.successor(start)


@given(RAW, RAW)
def test_what_does_not_begin_with_a_prefix_lies_outside(prefix: bytes, other: bytes) -> None:
    start = keys.partition((HASH,)) + keys.encode_prefix(binary(prefix))
    key = keys.key((HASH,), (binary(other),))
    assert (start <= key < keys.successor(start)) == other.startswith(prefix)


@given(SCALARS, SCALARS)
def test_every_key_of_a_partition_lies_between_the_partition_and_its_successor(
    hash_value: dict[str, str], range_value: dict[str, str]
) -> None:
    partition = keys.partition((hash_value,))
    assert partition < keys.key((hash_value,), (range_value,)) < keys.successor(partition)


@given(st.integers(1, 1000), SCALARS)
def test_every_key_belongs_to_exactly_one_segment_of_a_parallel_scan(total: int, hash_value: dict[str, str]) -> None:
    key = keys.partition((hash_value,))
    bounds = [keys.segment_bounds(segment, total) for segment in range(total)]
    assert sum(lower <= key and (upper is None or key < upper) for lower, upper in bounds) == 1


@pytest.mark.parametrize("total", [1, 2, 3, 7, 1_000_000])
def test_segments_touch_and_cover_everything(total: int) -> None:
    assert keys.segment_bounds(0, total)[0] == bytes(8)
    assert keys.segment_bounds(total - 1, total)[1] is None
    for segment in {0, total // 2, total - 2} & set(range(total - 1)):
        assert keys.segment_bounds(segment, total)[1] == keys.segment_bounds(segment + 1, total)[0]


def test_segments_split_many_partitions_evenly() -> None:
    counts = [0] * 4
    bounds = [keys.segment_bounds(segment, 4) for segment in range(4)]
    for number in range(4000):
        key = keys.partition(({"S": f"user-{number}"},))
        counts[next(i for i, (lower, upper) in enumerate(bounds) if lower <= key and (not upper or key < upper))] += 1
    assert max(counts) < 1.2 * min(counts)


@given(SCALARS, SCALARS)
def test_the_key_of_an_item_is_that_of_its_two_attributes(first: dict[str, str], second: dict[str, str]) -> None:
    assert keys.primary(first, second) == keys.key((first,), (second,))
