"""AWS's sentences about key conditions and key attributes, one a row: the expression, and what DynamoDB says."""

from typing import Any

import pytest
from expression_sentences import MISUSED, NO_VALUE, REDUNDANT, RESERVED_WORD, SAME, WRONG_TYPE, refusal, syntax

from region.expression import Placeholders, condition, key_condition, projection, update

SCHEMA = (("pk",), ("sk",), {"pk": "S", "sk": "N"})

KEY = "Invalid KeyConditionExpression: "
KEY_VALUES: dict[str, Any] = {
    ":p": {"S": "1"},
    ":s": {"N": "5"},
    ":t": {"N": "7"},
    ":x": {"S": "x"},
    ":m": {"M": {}},
    ":e": {"S": ""},
}
MISTYPED = "One or more parameter values were invalid: Condition parameter type does not match schema type"
ONE_PER_KEY = KEY + "KeyConditionExpressions must only contain one condition per key"
UNSUPPORTED = "Query key condition not supported"
CONDITION_IN = KEY + "Invalid condition in KeyConditionExpression: "
OPERATOR_IN = KEY + "Invalid operator used in KeyConditionExpression: "
SCALARS = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: "


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", KEY + "The expression can not be empty;"),
        ("pk = ", KEY + syntax("<EOF>", "= ")),
        ("((pk = :p))", KEY + REDUNDANT),
        ("name = :p", KEY + RESERVED_WORD + "name"),
        ("pk = :q", KEY + NO_VALUE + ":q"),
        ("pk=:p AND sk < :m", KEY + WRONG_TYPE + "<, operand type: M"),
        ("pk=:p AND begins_with(sk,:s)", KEY + WRONG_TYPE + "begins_with, operand type: N"),
        ("pk=:p AND sk < sk", KEY + SAME + "<, first operand: [sk]"),
        ("pk=:p AND size(sk)", KEY + MISUSED + "size"),
        (
            "pk=:p AND sk BETWEEN :t AND :s",
            KEY + "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {N:7}, upper bound operand: AttributeValue: {N:5}",
        ),
        ("pk=:p OR sk=:s", OPERATOR_IN + "OR"),
        ("pk=:p AND NOT sk=:s", OPERATOR_IN + "NOT"),
        ("pk <> :p", OPERATOR_IN + "<>"),
        ("pk=:p AND sk IN (:s)", OPERATOR_IN + "IN"),
        ("pk=:p AND attribute_exists(sk)", OPERATOR_IN + "attribute_exists"),
        ("pk=:p AND contains(sk,:x)", OPERATOR_IN + "contains"),
        ("pk=:p AND sk = size(q)", KEY + "KeyConditionExpressions cannot contain nested operations"),
        ("pk = sk", CONDITION_IN + "Multiple attribute names used in one condition"),
        (":p = :p", CONDITION_IN + "No key attribute specified"),
        (
            "pk=:p AND begins_with(:x,sk)",
            CONDITION_IN + "begins_with operator must have the key attribute as its first operand",
        ),
        (
            "pk=:p AND :s BETWEEN sk AND sk",
            CONDITION_IN + "BETWEEN operator must have the key attribute as its first operand",
        ),
        ("pk=:p AND pk=:p", ONE_PER_KEY),
        ("pk=:p AND sk > :s AND sk < :t", ONE_PER_KEY),
        ("pk=:p AND (sk=:s AND pk=:p)", ONE_PER_KEY),
        ("pk.a = :p", SCALARS + "pk"),
        ("pk=:p AND sk[0] = :s", SCALARS + "sk"),
        ("pk=:p AND q.r = :s", KEY + "KeyConditionExpressions cannot have conditions on nested attributes"),
        ("pk=:p AND sk=:s AND q=:s", "Conditions can be of length 1 or 2 only"),
        ("sk=:s", "Query condition missed key schema element: pk"),
        ("pk=:p AND q=:s", "Query condition missed key schema element: sk"),
        ("pk > :p", UNSUPPORTED),
        ("begins_with(pk, :p) AND sk = :s", UNSUPPORTED),
        ("pk = :s", MISTYPED),
        ("pk=:p AND sk = :x", MISTYPED),
        (
            "pk = :e",
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            "empty string value. Key: pk",
        ),
    ],
)
def test_a_key_condition_that_does_not_fit_is_answered_in_awss_words(text: str, sentence: str) -> None:
    def resolve() -> None:
        key_condition(text, Placeholders(None, dict(KEY_VALUES))).resolve(*SCHEMA)

    assert refusal(resolve) == sentence


def test_a_second_key_condition_on_a_table_without_a_sort_key_is_not_supported() -> None:
    condition_ = key_condition("pk=:p AND sk=:s", Placeholders(None, dict(KEY_VALUES)))
    assert refusal(lambda: condition_.resolve(("pk",), (), {"pk": "S"})) == UNSUPPORTED


def test_key_values_longer_than_a_key_may_be_are_refused() -> None:
    types = {"pk": "S", "sk": "S"}
    values = {":long": {"S": "x" * 2049}, ":p": {"S": "p"}, ":s": {"S": "s" * 1025}}
    hash_ = key_condition("pk = :long", Placeholders(None, values))
    range_ = key_condition("pk = :p AND begins_with(sk, :s)", Placeholders(None, values))
    assert refusal(lambda: hash_.resolve(("pk",), ("sk",), types)) == (
        "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"
    )
    assert refusal(lambda: range_.resolve(("pk",), ("sk",), types)) == (
        "One or more parameter values were invalid: "
        "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
    )


def test_key_attributes_are_refused_where_they_have_no_place() -> None:
    nothing = Placeholders(None, None)
    assert refusal(lambda: update("REMOVE pk", nothing).refuse_keys(("pk", "sk"))) == (
        "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key"
    )
    assert refusal(lambda: update("SET a = pk.b", nothing).refuse_keys(("pk",))) == SCALARS + "pk"
    filter_ = condition("a = sk", nothing, parameter="FilterExpression")
    assert refusal(lambda: filter_.refuse_keys(("pk", "sk"))) == (
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"
    )
    nested = condition("attribute_exists(pk[0])", nothing)
    assert refusal(lambda: nested.refuse_nested_keys(("pk",))) == SCALARS + "pk"
    assert refusal(lambda: projection("pk.a", nothing).refuse_nested_keys(("pk",))) == SCALARS + "pk"
    condition("pk = sk", nothing).refuse_nested_keys(("pk", "sk"))
    update("SET a = pk", nothing).refuse_keys(("pk",))
