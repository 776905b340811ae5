"""A condition's text is the same for requests that mean the same, and means what the condition means."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from test_expression_conditions_model import _PARAMETERS, _conditions, _items, _write

from region.errors import ValidationError
from region.expression import Placeholders, condition, condition_of, condition_written
from region.expression.rendering import TEXT_MAX, shape, show
from region.expression.syntax import Comparison, ConditionTree, Literal, Path
from region.model.values import Item


def text_of(expression: str, names: dict[str, str] | None = None, values: dict[str, Any] | None = None) -> str:
    return condition(expression, Placeholders(names, values)).text


@settings(max_examples=200, deadline=None)
@given(term=_conditions, item=_items)
def test_what_is_written_out_means_the_same_and_is_written_alike(term: ConditionTree, item: Item) -> None:
    written = condition(_write(term), Placeholders(None, copy.deepcopy(_PARAMETERS)))
    again = condition_written(written.text)
    assert again.text == written.text
    assert again.matches(item) == written.matches(item)


def test_what_placeholders_are_called_makes_no_difference() -> None:
    one = text_of("attribute_not_exists(#n) OR expires < :now", {"#n": "holder"}, {":now": {"N": "5"}})
    two = text_of("attribute_not_exists( holder ) or #e < :t", {"#e": "expires"}, {":t": {"N": "5.0"}})
    assert one == two
    assert show(one) == "attribute_not_exists(holder) OR expires < 5"


def test_a_condition_in_another_language_has_the_same_text() -> None:
    tree = Comparison("=", Path(("version",)), Literal({"N": "3"}))
    assert condition_of(tree).text == text_of("version = :v", None, {":v": {"N": "3"}})


def test_values_are_no_part_of_the_shape_and_names_are() -> None:
    three, four = (text_of("v = :v", None, {":v": {"N": number}}) for number in "34")
    assert three != four
    assert shape(three) == shape(four)
    status, owner = (text_of("attribute_not_exists(#n)", {"#n": name}) for name in ("status", "a b"))
    assert shape(status) != shape(owner)
    assert show(status) == "attribute_not_exists(status)"
    assert show(owner) == "attribute_not_exists(`a b`)"


def test_a_long_text_is_cut_and_still_tells_conditions_apart() -> None:
    one, two = (text_of("a = :v", None, {":v": {"S": "x" * 5000 + last}}) for last in "ab")
    assert len(one) == len(two) == TEXT_MAX
    assert one != two
    assert shape(one) == one
    assert show(one) == "a = :1"
    with pytest.raises(ValidationError):
        condition_written(one)
