"""Values: one canonical form, DynamoDB's count of bytes, and AWS's words for what is wrong."""

from __future__ import annotations

import copy
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region.errors import SerializationError, ValidationError
from region.model import image, values

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NUMBERS = st.integers(-(10**20), 10**20).map(str) | st.decimals(-1000, 1000, places=3).map(str)
BINARIES = st.binary(max_size=12).map(lambda raw: b64encode(raw).decode())
NATURALS = st.integers(0, 10**30).map(str)
SETS = (
    st.builds(lambda members: {"SS": members}, st.lists(TEXTS, min_size=1, max_size=4, unique=True))
    | st.builds(
        lambda members: {"NS": members},
        st.lists(NATURALS, min_size=1, max_size=4, unique=True),
    )
    | st.builds(lambda members: {"BS": members}, st.lists(BINARIES, min_size=1, max_size=4, unique=True))
)
SCALARS = (
    st.builds(lambda text: {"S": text}, TEXTS)
    | st.builds(lambda number: {"N": number}, NUMBERS)
    | st.builds(lambda raw: {"B": raw}, BINARIES)
    | st.builds(lambda flag: {"BOOL": flag}, st.booleans())
    | st.just({"NULL": True})
)
VALUES = st.recursive(
    SCALARS | SETS,
    lambda inner: (
        st.builds(lambda elements: {"L": elements}, st.lists(inner, max_size=3))
        | st.builds(lambda members: {"M": members}, st.dictionaries(NAMES, inner, max_size=3))
    ),
    max_leaves=8,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=5)


@given(ITEMS)
def test_bringing_an_item_to_canonical_form_twice_changes_nothing_more(item: dict[str, Any]) -> None:
    once = copy.deepcopy(item)
    size = values.normalise_item(once)
    twice = copy.deepcopy(once)
    assert values.normalise_item(twice) == size
    assert twice == once


@given(ITEMS)
def test_the_size_counted_on_the_way_in_is_the_size_of_the_canonical_item(item: dict[str, Any]) -> None:
    size = values.normalise_item(item)
    assert values.item_size(item) == size


@given(ITEMS)
def test_an_image_is_the_item_and_does_not_depend_on_the_order_of_its_attributes(item: dict[str, Any]) -> None:
    values.normalise_item(item)
    encoded = image.encode(item)
    assert image.decode(encoded) == item
    assert image.encode(dict(reversed(item.items()))) == encoded


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_sets_are_equal_whatever_the_order_and_spelling_of_their_members(members: list[int], random: Any) -> None:
    left: dict[str, Any] = {"NS": [str(member) for member in members]}
    shuffled = [f"{member}.0" for member in members]
    random.shuffle(shuffled)
    right: dict[str, Any] = {"NS": shuffled}
    values.normalise(left)
    values.normalise(right)
    assert left == right
    assert [int(member) for member in left["NS"]] == sorted(members)


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({}, 0),
        ({"a": {"S": ""}}, 1),
        ({"é": {"S": "ü"}}, 4),
        ({"a": {"N": "100"}}, 3),
        ({"a": {"B": "AAAA"}}, 4),
        ({"a": {"B": "AA=="}}, 2),
        ({"a": {"BOOL": False}}, 2),
        ({"a": {"NULL": True}}, 2),
        ({"a": {"SS": ["x", "yz"]}}, 4),
        ({"a": {"L": []}}, 4),
        ({"a": {"L": [{"S": "x"}]}}, 6),
        ({"a": {"M": {"b": {"S": "x"}}}}, 7),
    ],
)
def test_sizes_are_those_of_dynamodb(item: dict[str, Any], size: int) -> None:
    assert values.normalise_item(item) == size


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        ({"X": "a"}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        (
            {"S": "a", "N": "1"},
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes",
        ),
        (
            {"NULL": False},
            "One or more parameter values were invalid: Null attribute value types must have the value of true",
        ),
        ({"SS": []}, "One or more parameter values were invalid: An string set  may not be empty"),
        ({"NS": []}, "One or more parameter values were invalid: An number set  may not be empty"),
        ({"BS": []}, "One or more parameter values were invalid: Binary sets should not be empty"),
        (
            {"SS": ["a", "a"]},
            "One or more parameter values were invalid: Input collection [a, a] contains duplicates.",
        ),
        ({"NS": ["1", "1.0"]}, "Input collection contains duplicates"),
        (
            {"BS": ["AA==", "AA=="]},
            "One or more parameter values were invalid: Input collection [AA==, AA==]of type BS contains duplicates.",
        ),
    ],
)
def test_a_wrong_value_is_refused_in_the_words_of_aws(value: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        values.normalise_item({"a": value})
    assert caught.value.message == message


@pytest.mark.parametrize(
    "value",
    [
        *("a", None, 1, ["a"]),
        *({"S": 1}, {"S": ["a"]}, {"N": 1}, {"B": 1}, {"B": "?"}, {"BOOL": "true"}, {"NULL": "true"}),
        *({"L": {}}, {"L": ["a"]}, {"M": []}, {"M": {"a": "b"}}),
        *({"SS": "a"}, {"SS": [1]}, {"NS": [1]}, {"BS": ["?"]}),
    ],
)
def test_a_value_of_the_wrong_json_type_is_a_serialization_error(value: Any) -> None:
    with pytest.raises(SerializationError):
        values.normalise_item({"a": value})


def _nested(levels: int, kind: str) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "deep"}
    for _ in range(levels):
        value = {"L": [value]} if kind == "L" else {"M": {"a": value}}
    return value


@pytest.mark.parametrize("kind", ["L", "M"])
def test_nesting_ends_at_32_levels(kind: str) -> None:
    values.normalise_item({"a": _nested(31, kind)})
    with pytest.raises(ValidationError, match="Nesting Levels have exceeded supported limits"):
        values.normalise_item({"a": _nested(32, kind)})


def test_nesting_beyond_all_measure_is_answered_and_not_suffered() -> None:
    with pytest.raises(ValidationError, match="Nesting Levels have exceeded supported limits"):
        values.normalise_item({"a": _nested(100_000, "L")})


@pytest.mark.parametrize("item", [{"": {"S": "x"}}, {"a": {"M": {"": {"S": "x"}}}}])
def test_an_attribute_has_a_name(item: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="Empty attribute name"):
        values.normalise_item(item)


@pytest.mark.parametrize("kind", ["L", "M"])
def test_a_value_of_32_levels_is_as_deep_as_they_go(kind: str) -> None:
    values.check_nesting(_nested(31, kind))
    with pytest.raises(ValidationError, match="Nesting Levels have exceeded supported limits"):
        values.check_nesting(_nested(32, kind))


def test_null_members_beside_the_one_type_are_dropped() -> None:
    value: dict[str, Any] = {"S": "a", "N": None}
    values.normalise(value)
    assert value == {"S": "a"}
