"""AttributesToGet, AttributeUpdates, and legacy parameters beside expressions."""

from __future__ import annotations

from typing import Any

import pytest

from region.errors import ValidationError
from region.operation.item import legacy, parameters

INVALID = "One or more parameter values were invalid: "
KEY = {"pk": {"S": "a"}}
ITEM: dict[str, dict[str, Any]] = {
    **KEY,
    "n": {"N": "5"},
    "s": {"S": "x"},
    "ss": {"SS": ["x", "y"]},
    "l": {"L": [{"N": "1"}]},
    "a.b": {"BOOL": True},
}
UNADDED = {"S": "STRING", "B": "BINARY", "M": "MAP", "NULL": "NULL", "BOOL": "BOOLEAN"}
UNDELETED = UNADDED | {"N": "NUMBER", "L": "LIST"}
VALUES: dict[str, Any] = {"S": "x", "B": "YQ==", "M": {}, "NULL": True, "BOOL": True, "N": "1", "L": []}


def updated(updates: dict[str, dict[str, Any]], item: dict[str, Any] | None) -> dict[str, Any]:
    update = legacy.update(updates)
    assert update is not None
    return update.apply(item, KEY).item


def test_attributes_to_get_names_whole_attributes() -> None:
    assert legacy.projection(["n", "a.b", "absent"]).apply(ITEM) == {"n": {"N": "5"}, "a.b": {"BOOL": True}}


def test_attributes_to_get_names_each_once() -> None:
    for names, message in ((["n", "s", "s", "n"], INVALID + "Duplicate value in attribute name: s"), ([""], None)):
        with pytest.raises(ValidationError) as caught:
            legacy.projection(names)
        assert caught.value.message == (message or "Empty attribute name")


@pytest.mark.parametrize(
    ("name", "entry", "value"),
    [
        ("n", {"Value": {"S": "new"}}, {"S": "new"}),
        ("m", {"Action": "PUT", "Value": {"N": "1.0"}}, {"N": "1"}),
        ("n", {"Action": "ADD", "Value": {"N": "-7"}}, {"N": "-2"}),
        ("m", {"Action": "ADD", "Value": {"N": "7"}}, {"N": "7"}),
        ("ss", {"Action": "ADD", "Value": {"SS": ["z", "x"]}}, {"SS": ["x", "y", "z"]}),
        ("m", {"Action": "ADD", "Value": {"NS": ["1"]}}, {"NS": ["1"]}),
        ("l", {"Action": "ADD", "Value": {"L": [{"S": "q"}]}}, {"L": [{"N": "1"}, {"S": "q"}]}),
        ("m", {"Action": "ADD", "Value": {"L": [{"S": "q"}]}}, {"L": [{"S": "q"}]}),
        ("ss", {"Action": "DELETE", "Value": {"SS": ["x", "z"]}}, {"SS": ["y"]}),
        ("ss", {"Action": "DELETE", "Value": {"SS": ["x", "y"]}}, None),
        ("m", {"Action": "DELETE", "Value": {"SS": ["x"]}}, None),
        ("s", {"Action": "DELETE"}, None),
        ("a.b", {"Action": "DELETE"}, None),
        ("m", {"Action": "DELETE"}, None),
    ],
)
def test_an_action_does_what_it_says(name: str, entry: dict[str, Any], value: dict[str, Any] | None) -> None:
    item = updated({name: entry}, ITEM)
    assert item.get(name) == value
    assert {k: v for k, v in item.items() if k != name} == {k: v for k, v in ITEM.items() if k != name}


def test_actions_on_a_missing_item_begin_with_its_key() -> None:
    actions = {"m": {"Action": "ADD", "Value": {"N": "1"}}, "n": {"Action": "DELETE"}}
    assert updated(actions, None) == {**KEY, "m": {"N": "1"}}


def test_no_actions_are_no_update() -> None:
    assert legacy.update({}) is None


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("s", {"Action": "ADD", "Value": {"N": "1"}}),
        ("s", {"Action": "ADD", "Value": {"L": []}}),
        ("ss", {"Action": "ADD", "Value": {"NS": ["1"]}}),
        ("s", {"Action": "DELETE", "Value": {"SS": ["x"]}}),
    ],
)
def test_an_action_of_another_type_than_the_attribute_is_refused(name: str, entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"^Type mismatch for attribute to update$"):
        updated({name: entry}, ITEM)


def test_a_sum_that_is_no_number_is_refused_in_the_words_for_numbers() -> None:
    with pytest.raises(ValidationError, match="38 significant digits"):
        updated({"n": {"Action": "ADD", "Value": {"N": "1e-100"}}}, ITEM)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "Only DELETE action is allowed when no attribute value is specified"),
        ({"Action": "ADD"}, "Only DELETE action is allowed when no attribute value is specified"),
        *[
            ({"Action": "ADD", "Value": {kind: VALUES[kind]}}, f"ADD action is not supported for the type {name}")
            for kind, name in UNADDED.items()
        ],
        *[
            (
                {"Action": "DELETE", "Value": {kind: VALUES[kind]}},
                f"DELETE action with value is not supported for the type {name}",
            )
            for kind, name in UNDELETED.items()
        ],
    ],
)
def test_an_action_that_makes_no_sense_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        legacy.update({"a": entry})
    assert caught.value.message == INVALID + message


def test_an_updated_attribute_needs_a_name() -> None:
    with pytest.raises(ValidationError, match=r"^Empty attribute name$"):
        legacy.update({"": {"Action": "DELETE"}})


@pytest.mark.parametrize(
    ("names", "left", "right"),
    [
        ("AttributesToGet ProjectionExpression", "AttributesToGet", "ProjectionExpression"),
        ("ConditionExpression Expected", "Expected", "ConditionExpression"),
        ("ConditionalOperator ConditionExpression", "ConditionalOperator", "ConditionExpression"),
        (
            "ConditionExpression ConditionalOperator UpdateExpression Expected AttributeUpdates",
            "AttributeUpdates, Expected, ConditionalOperator",
            "UpdateExpression, ConditionExpression",
        ),
        (
            "KeyConditions ConditionalOperator QueryFilter AttributesToGet "
            "KeyConditionExpression FilterExpression ProjectionExpression",
            "AttributesToGet, QueryFilter, ConditionalOperator, KeyConditions",
            "ProjectionExpression, FilterExpression, KeyConditionExpression",
        ),
        ("KeyConditions QueryFilter ProjectionExpression", "QueryFilter", "ProjectionExpression"),
        ("ScanFilter FilterExpression", "ScanFilter", "FilterExpression"),
    ],
)
def test_legacy_parameters_and_expressions_exclude_each_other(names: str, left: str, right: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parameters.refuse_mixed(dict.fromkeys(names.split(), "something"))
    assert caught.value.message == (
        "Can not use both expression and non-expression parameters in the same request: "
        f"Non-expression parameters: {{{left}}} Expression parameters: {{{right}}}"
    )


@pytest.mark.parametrize(
    "names", ["KeyConditions FilterExpression ProjectionExpression", "Expected AttributeUpdates", "UpdateExpression"]
)
def test_key_conditions_may_stand_beside_other_expressions(names: str) -> None:
    parameters.refuse_mixed(dict.fromkeys(names.split(), "something"))


def test_a_parameter_that_is_null_is_not_there() -> None:
    parameters.refuse_mixed({"Expected": None, "ConditionExpression": "a = :a"})
