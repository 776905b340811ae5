"""ExpressionAttributeNames and ExpressionAttributeValues: what is refused, and what counts as used."""

from typing import Any

import pytest

from region.errors import ValidationError
from region.expression import Placeholders, condition, projection, update
from region.model.values import MalformedValueError

NAMES, VALUES = "ExpressionAttributeNames", "ExpressionAttributeValues"
KEY_LONG = "contains invalid key: The expression attribute map contains a key that is too long;"


def _refusal(names: Any, values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Placeholders(names, values)
    return caught.value.message


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({}, "must not be empty"),
        ({"a": "x"}, 'contains invalid key: Syntax error; key: "a"'),
        ({"#": "x"}, 'contains invalid key: Syntax error; key: "#"'),
        ({"#a-": "x"}, 'contains invalid key: Syntax error; key: "#a-"'),
        ({"#a\n": "x"}, 'contains invalid key: Syntax error; key: "#a\n"'),
        ({"": "x"}, "contains invalid key: The expression attribute map contains an empty key;"),
        ({"#" + "a" * 255: "x"}, KEY_LONG + " size of key: 256"),
        ({"#a": ""}, "contains invalid value: Empty attribute name for key #a"),
        (
            {"#a": "x" * 65536},
            "contains invalid value: Attribute name is too large, must be less than 65536 bytes for key #a",
        ),
    ],
)
def test_a_malformed_map_of_names_is_answered_in_awss_words(names: dict[str, str], sentence: str) -> None:
    assert _refusal(names, None) == f"{NAMES} {sentence}"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "must not be empty"),
        ({"a": {"S": "x"}}, 'contains invalid key: Syntax error; key: "a"'),
        ({":": {"S": "x"}}, 'contains invalid key: Syntax error; key: ":"'),
        ({"": {"S": "x"}}, "contains invalid key: The expression attribute map contains an empty key;"),
        ({":" + "a" * 255: {"S": "x"}}, KEY_LONG),
        (
            {":a": {}},
            "contains invalid value: Supplied AttributeValue is empty, must contain exactly one of the supported "
            "datatypes for key :a",
        ),
        (
            {":a": {"SS": []}},
            "contains invalid value: One or more parameter values were invalid: An string set  may not be empty "
            "for key :a",
        ),
        (
            {":a": {"M": {"q": {"NULL": False}}}},
            "contains invalid value: One or more parameter values were invalid: Null attribute value types must have "
            "the value of true for key :a",
        ),
        ({":a": {"S": "x" * 2**21}}, "exceeds max size"),
        ({":a": {"S": "x" * 2**20}, ":b": {"S": "x" * 2**20}}, "exceeds max size"),
    ],
)
def test_a_malformed_map_of_values_is_answered_in_awss_words(values: dict[str, Any], sentence: str) -> None:
    assert _refusal(None, values) == f"{VALUES} {sentence}"


def test_placeholders_may_be_as_long_as_the_limit() -> None:
    names, values = {"#" + "a" * 254: "x" * 65535}, {":" + "a" * 254: {"S": ""}}
    assert Placeholders(names, values).names == names


def test_a_value_of_the_wrong_json_type_is_left_to_the_wire() -> None:
    with pytest.raises(MalformedValueError):
        Placeholders(None, {":a": {"S": 5}})


def test_values_become_canonical() -> None:
    placeholders = Placeholders(None, {":n": {"N": "1.50"}, ":s": {"NS": ["3", "1e0"]}})
    assert placeholders.values == {":n": {"N": "1.5"}, ":s": {"NS": ["1", "3"]}}


UPDATE = ("UpdateExpression", "ConditionExpression")
QUERY = ("FilterExpression", "KeyConditionExpression", "ProjectionExpression")
ONLY = "can only be specified when using expressions"


@pytest.mark.parametrize(
    ("parameters", "request_", "sentence"),
    [
        (UPDATE, {NAMES: {}}, f"{NAMES} {ONLY}"),
        (UPDATE, {NAMES: {"#a": "x"}, VALUES: {":a": {}}}, f"{NAMES} {ONLY}"),
        (UPDATE, {VALUES: {}}, f"{VALUES} {ONLY}: UpdateExpression and ConditionExpression are null"),
        (UPDATE[1:], {VALUES: {":a": {}}}, f"{VALUES} {ONLY}: ConditionExpression is null"),
        (QUERY, {VALUES: {}}, f"{VALUES} {ONLY}: FilterExpression and KeyConditionExpression are null"),
        (
            QUERY,
            {NAMES: {"#a": "x"}, VALUES: {}, "ProjectionExpression": "#a"},
            f"{VALUES} {ONLY}: FilterExpression and KeyConditionExpression are null",
        ),
        (QUERY[::2], {VALUES: {}}, f"{VALUES} {ONLY}: FilterExpression is null"),
        (UPDATE, {NAMES: {}, "ConditionExpression": "x"}, f"{NAMES} must not be empty"),
        (UPDATE, {VALUES: {}, "ConditionExpression": "x"}, f"{VALUES} must not be empty"),
    ],
)
def test_placeholders_without_an_expression_are_refused_before_they_are_looked_into(
    parameters: tuple[str, ...], request_: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Placeholders.of(request_, *parameters)
    assert caught.value.message == sentence


def test_placeholders_without_an_expression_are_refused_in_the_end_at_the_latest() -> None:
    with pytest.raises(ValidationError) as caught:
        Placeholders(None, {":a": {"S": "x"}}).finish(UpdateExpression=None, ConditionExpression=None)
    assert caught.value.message == f"{VALUES} {ONLY}: UpdateExpression and ConditionExpression are null"
    Placeholders(None, None).finish(ConditionExpression=None)


def test_a_name_or_value_that_no_expression_uses_is_refused() -> None:
    def finish(names: dict[str, str], values: dict[str, Any]) -> None:
        placeholders = Placeholders(names, values)
        update("SET #a = :a", placeholders)
        condition("#b = :b OR #b = :a", placeholders)
        placeholders.finish()

    names, values = {"#a": "x", "#b": "y"}, {":a": {"N": "1"}, ":b": {"N": "2"}}
    finish(names, values)
    with pytest.raises(ValidationError) as caught:
        finish({**names, "#c": "z", "#d": "z"}, {**values, ":c": {"N": "3"}})
    assert caught.value.message == f"Value provided in {NAMES} unused in expressions: keys: {{#c, #d}}"
    with pytest.raises(ValidationError) as caught:
        finish(names, {**values, ":c": {"N": "3"}})
    assert caught.value.message == f"Value provided in {VALUES} unused in expressions: keys: {{:c}}"


def test_names_used_twice_do_not_hide_one_that_is_not_used() -> None:
    placeholders = Placeholders({"#a": "x", "#b": "y"}, None)
    projection("#a", placeholders)
    condition("attribute_exists(#a)", placeholders)
    with pytest.raises(ValidationError, match=r"keys: \{#b\}"):
        placeholders.finish()
