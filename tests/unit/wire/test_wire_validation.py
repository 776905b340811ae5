from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region.errors import DynamoError, SerializationError, ValidationError
from region.wire import overrides, service_model, wording
from region.wire.explanation import explain
from region.wire.validation import compile_check

SHAPES = {spec.name: overrides.input_shape(spec) for spec in service_model.load().values()}
CHECKS = {name: compile_check(shape) for name, shape in SHAPES.items()}
TABLE = {
    "TableName": "tab",
    "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
}
KEY = {"a": {"S": "x"}}
HASH = {"AttributeName": "a", "KeyType": "HASH"}
TYPE = {"AttributeType": "S"}


def refusal(operation: str, body: Any) -> DynamoError:
    """Return the error of a body, which the fast check must doubt."""
    assert not CHECKS[operation](body) or operation in ("PutItem", "GetItem")
    with pytest.raises(DynamoError) as caught:
        explain(SHAPES[operation], body)
    return caught.value


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("GetItem", {"TableName": "tab", "Key": KEY}),
        ("GetItem", {"TableName": "t" * 1024, "Key": KEY, "ConsistentRead": True}),
        ("PutItem", {"TableName": "tab", "Item": KEY, "ReturnValues": "ALL_OLD"}),
        ("Query", {"TableName": "tab", "Limit": 1, "ExpressionAttributeValues": {":a": {"N": "1"}}}),
        ("Scan", {"TableName": "tab", "Segment": 0, "TotalSegments": 1_000_000, "IndexName": "i-_."}),
        ("BatchGetItem", {"RequestItems": {"tab": {"Keys": [KEY]}}}),
        ("BatchWriteItem", {"RequestItems": {"tab": [{"PutRequest": {"Item": KEY}}]}}),
        ("CreateTable", TABLE),
        ("ListTables", {}),
        ("TagResource", {"ResourceArn": "arn", "Tags": [{"Key": "k", "Value": ""}]}),
    ],
)
def test_the_fast_check_and_the_explanation_both_pass_what_is_right(operation: str, body: dict[str, Any]) -> None:
    assert CHECKS[operation](body)
    assert explain(SHAPES[operation], body) == body


def test_members_that_the_model_does_not_know_are_dropped_wherever_they_stand() -> None:
    update = {"TableName": "tab", "Key": KEY, "UpdateExpression": "REMOVE a"}
    body = {"TransactItems": [{"Update": {**update, "Expected": [1]}, "Unknown": {}}], "AttributesToGet": 5}
    assert not CHECKS["TransactWriteItems"](body)
    assert explain(SHAPES["TransactWriteItems"], body) == {"TransactItems": [{"Update": update}]}


@pytest.mark.parametrize(
    ("operation", "body", "message"),
    [
        ("GetItem", {"TableName": 5, "Key": KEY}, "NUMBER_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": 5.5, "Key": KEY}, "DECIMAL_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": True, "Key": KEY}, "TRUE_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": False, "Key": KEY}, "FALSE_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": [], "Key": KEY}, "Unrecognized collection type class java.lang.String"),
        ("GetItem", {"TableName": {}, "Key": KEY}, "Start of structure or map found where not expected"),
        ("GetItem", {"TableName": "tab", "Key": "x"}, "Unexpected field type"),
        (
            "GetItem",
            {"TableName": "tab", "Key": []},
            "Unrecognized collection type java.util.Map<java.lang.String, "
            "com.amazonaws.dynamodb.v20120810.AttributeValue>",
        ),
        ("GetItem", {"TableName": "tab", "Key": {"a": "x"}}, "Unexpected value type in payload"),
        (
            "GetItem",
            {"TableName": "tab", "Key": {"a": []}},
            "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
        ),
        ("GetItem", {"TableName": "tab", "Key": {"a": {"S": 5}}}, "NUMBER_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": "tab", "Key": {"a": {"N": 5}}}, "NUMBER_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": "tab", "Key": {"a": {"BOOL": "true"}}}, "Unexpected token received from parser"),
        ("GetItem", {"TableName": "tab", "Key": {"a": {"BOOL": 1}}}, "NUMBER_VALUE cannot be converted to Boolean"),
        (
            "GetItem",
            {"TableName": "tab", "Key": {"a": {"NULL": {}}}},
            "Start of structure or map found where not expected",
        ),
        ("GetItem", {"TableName": "tab", "Key": {"a": {"SS": "x"}}}, "Unexpected field type"),
        (
            "GetItem",
            {"TableName": "tab", "Key": {"a": {"SS": {}}}},
            "Start of structure or map found where not expected",
        ),
        ("GetItem", {"TableName": "tab", "Key": {"a": {"NS": [1]}}}, "NUMBER_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": "tab", "Key": {"a": {"L": ["x"]}}}, "Unexpected value type in payload"),
        (
            "GetItem",
            {"TableName": "tab", "Key": {"a": {"M": {"b": {"S": 1}}}}},
            "NUMBER_VALUE cannot be converted to String",
        ),
        (
            "GetItem",
            {"TableName": "tab", "Key": {"a": {"B": 5}}},
            "Only base-64-encoded strings are convertible to bytes",
        ),
        (
            "GetItem",
            {"TableName": "tab", "Key": {"a": {"B": []}}},
            "Unrecognized collection type class java.nio.ByteBuffer",
        ),
        (
            "GetItem",
            {"TableName": "tab", "Key": {"a": {"B": "x"}}},
            "Base64 encoded length is expected a multiple of 4 bytes but found: 1",
        ),
        ("GetItem", {"TableName": "tab", "Key": {"a": {"B": "ab_-"}}}, "Invalid base64 character: '_'"),
        ("GetItem", {"TableName": "tab", "Key": {"a": {"B": "ab=c"}}}, "Invalid base64 character: '='"),
        (
            "GetItem",
            {"TableName": "tab", "Key": {"a": {"B": "ab=="}}},
            "Invalid last non-pad Base64 character dectected",
        ),
        ("GetItem", {"TableName": "tab", "Key": KEY, "ConsistentRead": "yes"}, "Unexpected token received from parser"),
        ("Scan", {"TableName": "tab", "Limit": "5"}, "STRING_VALUE cannot be converted to Integer"),
        ("Scan", {"TableName": "tab", "Limit": True}, "TRUE_VALUE cannot be converted to Integer"),
        ("Scan", {"TableName": "tab", "Limit": 2**31}, "NUMBER_VALUE cannot be converted to Integer"),
        ("Scan", {"TableName": "tab", "Limit": 1e300}, "DECIMAL_VALUE cannot be converted to Integer"),
        ("Scan", {"TableName": "tab", "AttributesToGet": "a"}, "Unexpected field type"),
        ("CreateTable", {**TABLE, "KeySchema": ["a"]}, "Unexpected value type in payload"),
        (
            "CreateTable",
            {**TABLE, "ProvisionedThroughput": {"ReadCapacityUnits": "1"}},
            "STRING_VALUE cannot be converted to Long",
        ),
        ("ListTables", [], "Unexpected value type in payload"),
        ("ListTables", None, "Unexpected value type in payload"),
    ],
)
def test_a_wrong_json_type_is_a_serialization_error_in_awss_words(operation: str, body: Any, message: str) -> None:
    error = refusal(operation, body)
    assert isinstance(error, SerializationError)
    assert error.message == message


ONE = "1 validation error detected: "
FAILED = "failed to satisfy constraint:"
NULL = f"{FAILED} Member must not be null"
LENGTH = "Member must have length"
NAME = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"


@pytest.mark.parametrize(
    ("operation", "body", "message"),
    [
        (
            "GetItem",
            {},
            f"2 validation errors detected: Value null at 'tableName' {NULL}; Value null at 'key' {NULL}",
        ),
        ("GetItem", {"TableName": None, "Key": KEY}, f"{ONE}Value null at 'tableName' {NULL}"),
        (
            "PutItem",
            {"TableName": "", "Item": KEY},
            f"{ONE}Value '' at 'tableName' {FAILED} {LENGTH} greater than or equal to 1",
        ),
        (
            "PutItem",
            {"TableName": "tab", "Item": KEY, "ReturnValues": "SOME"},
            f"{ONE}Value 'SOME' at 'returnValues' {FAILED} "
            "Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]",
        ),
        (
            "Scan",
            {"TableName": "tab", "IndexName": "a;"},
            f"2 validation errors detected: Value 'a;' at 'indexName' {FAILED} {NAME}; "
            f"Value 'a;' at 'indexName' {FAILED} {LENGTH} greater than or equal to 3",
        ),
        (
            "Scan",
            {"TableName": "tab", "Limit": 0, "Segment": -1, "TotalSegments": 1_000_001},
            "3 validation errors detected: "
            f"Value '0' at 'limit' {FAILED} Member must have value greater than or equal to 1; "
            f"Value '1000001' at 'totalSegments' {FAILED} "
            "Member must have value less than or equal to 1000000; "
            f"Value '-1' at 'segment' {FAILED} Member must have value greater than or equal to 0",
        ),
        (
            "GetItem",
            {"TableName": "tab", "Key": KEY, "AttributesToGet": []},
            f"{ONE}Value '[]' at 'attributesToGet' {FAILED} {LENGTH} greater than or equal to 1",
        ),
        (
            "GetItem",
            {"TableName": "tab", "Key": KEY, "AttributesToGet": [None]},
            f"{ONE}Value '[null]' at 'attributesToGet' {NULL}",
        ),
        (
            "CreateTable",
            {**TABLE, "KeySchema": [{"AttributeName": "a", "KeyType": "SORT"}]},
            f"{ONE}Value 'SORT' at 'keySchema.1.member.keyType' {FAILED} "
            "Member must satisfy enum value set: [HASH, RANGE]",
        ),
        (
            "CreateTable",
            {**TABLE, "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "BOOLEAN"}, TYPE]},
            "2 validation errors detected: Value 'BOOLEAN' at 'attributeDefinitions.1.member.attributeType' "
            f"{FAILED} Member must satisfy enum value set: [B, N, S]; "
            f"Value null at 'attributeDefinitions.2.member.attributeName' {NULL}",
        ),
        (
            "CreateTable",
            {**TABLE, "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, HASH, HASH]},
            f"{ONE}Value '[KeySchemaElement(attributeName=pk, keyType=HASH), "
            "KeySchemaElement(attributeName=a, keyType=HASH), KeySchemaElement(attributeName=a, keyType=HASH)]' "
            f"at 'keySchema' {FAILED} {LENGTH} less than or equal to 2",
        ),
        (
            "CreateTable",
            {**TABLE, "ProvisionedThroughput": {"ReadCapacityUnits": 0}},
            "2 validation errors detected: Value '0' at 'provisionedThroughput.readCapacityUnits' "
            f"{FAILED} Member must have value greater than or equal to 1; "
            f"Value null at 'provisionedThroughput.writeCapacityUnits' {NULL}",
        ),
        ("BatchGetItem", {"RequestItems": {"tab": {}}}, f"{ONE}Value null at 'requestItems.tab.member.keys' {NULL}"),
        (
            "BatchGetItem",
            {"RequestItems": {}},
            f"{ONE}Value '{{}}' at 'requestItems' {FAILED} {LENGTH} greater than or equal to 1",
        ),
        (
            "BatchGetItem",
            {"RequestItems": {"": {"Keys": [KEY]}}},
            f"{ONE}Value '{{=KeysAndAttributes(keys=[{{a=AttributeValue(s=x, n=null, b=null, sS=null, "
            "nS=null, bS=null, m=null, l=null, nULL=null, bOOL=null)}], attributesToGet=null, consistentRead=null, "
            f"projectionExpression=null, expressionAttributeNames=null)}}' at 'requestItems' {FAILED} "
            f"Map keys must satisfy constraint: [{LENGTH} less than or equal to 1024, "
            f"{LENGTH} greater than or equal to 1]",
        ),
        (
            "BatchGetItem",
            {"RequestItems": {"tab": None}},
            f"{ONE}Value '{{tab=null}}' at 'requestItems' {FAILED} "
            "Map value must satisfy constraint: [Member must not be null]",
        ),
        (
            "BatchWriteItem",
            {"RequestItems": {"tab": []}},
            f"{ONE}Value '{{tab=[]}}' at 'requestItems' {FAILED} Map value must satisfy constraint: "
            f"[{LENGTH} less than or equal to 25, {LENGTH} greater than or equal to 1]",
        ),
        (
            "BatchWriteItem",
            {"RequestItems": {"tab": [{"DeleteRequest": {}}]}},
            f"{ONE}Value null at 'requestItems.tab.member.1.member.deleteRequest.key' {NULL}",
        ),
        (
            "ListTables",
            {"Limit": 101},
            f"{ONE}Value '101' at 'limit' {FAILED} Member must have value less than or equal to 100",
        ),
        (
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "tab", "Item": KEY}}], "ClientRequestToken": "x" * 37},
            f"{ONE}Value '{'x' * 37}' at 'clientRequestToken' {FAILED} {LENGTH} less than or equal to 36",
        ),
    ],
)
def test_failed_constraints_are_listed_in_awss_words(operation: str, body: Any, message: str) -> None:
    error = refusal(operation, body)
    assert isinstance(error, ValidationError)
    assert error.message == message


def test_wrong_types_come_before_constraints() -> None:
    assert isinstance(refusal("Scan", {"TableName": "", "Limit": "x"}), SerializationError)


def test_the_first_wrong_type_in_the_text_is_the_one_that_is_named() -> None:
    error = refusal("GetItem", {"Key": {"a": {"BOOL": 1}}, "TableName": 5})
    assert error.message == "NUMBER_VALUE cannot be converted to Boolean"


def test_at_most_ten_failures_are_listed() -> None:
    error = refusal("CreateTable", {**TABLE, "AttributeDefinitions": [{}] * 30})
    assert error.message.startswith("10 validation errors detected: ")


def test_the_text_of_a_huge_value_is_bounded() -> None:
    error = refusal("Scan", {"TableName": "tab", "IndexName": "x" * 1_000_000})
    assert len(error.message) < wording.TEXT_LENGTH_MAX + 200
    error = refusal("BatchGetItem", {"RequestItems": {"tab": {"Keys": [KEY] * 100_000}}})
    assert len(error.message) < wording.TEXT_LENGTH_MAX + 200


def test_null_members_count_as_absent_and_operations_do_not_see_them() -> None:
    body = {"TableName": "tab", "Key": {"a": {"S": "x", "N": None}}, "ConsistentRead": None, "Other": None}
    assert not CHECKS["GetItem"](body)
    before = copy.deepcopy(body)
    assert explain(SHAPES["GetItem"], body) == {"TableName": "tab", "Key": KEY}
    assert body == before


def test_a_null_attribute_value_is_one_without_a_type() -> None:
    body = {"TableName": "tab", "Key": {"a": None, "b": {"L": [None]}, "c": {"M": {"d": None}}}}
    assert explain(SHAPES["GetItem"], body)["Key"] == {"a": {}, "b": {"L": [{}]}, "c": {"M": {"d": {}}}}


def test_a_fraction_for_an_integer_is_cut() -> None:
    assert explain(SHAPES["Scan"], {"TableName": "tab", "Limit": 2.9})["Limit"] == 2


def test_values_nested_beyond_every_limit_are_left_to_the_operation() -> None:
    value: dict[str, Any] = {"S": 5}
    for _ in range(300):
        value = {"L": [value]}
    body = {"TableName": "tab", "Key": {"a": value}}
    assert explain(SHAPES["GetItem"], body) == body


# Java counts UTF-16 units and the fast check characters, so beyond the basic plane they may differ by design.
TEXT = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**33) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, Any]:
    """Return an operation and a body that mixes its members with anything."""
    operation = draw(st.sampled_from(sorted(SHAPES)))

    def value(shape: service_model.Shape, depth: int) -> Any:
        if depth > 5 or draw(st.integers(0, 9)) == 0:
            return draw(JSON)
        if shape.kind == "structure":
            names = draw(st.lists(st.sampled_from(sorted(shape.members)), max_size=4)) if shape.members else []
            return {name: value(shape.members[name], depth + 1) for name in {*shape.required, *names}}
        if shape.kind == "list" and shape.element:
            return [value(shape.element, depth + 1) for _ in range(draw(st.integers(0, 2)))]
        if shape.kind == "map" and shape.element:
            return {draw(TEXT): value(shape.element, depth + 1) for _ in range(draw(st.integers(0, 2)))}
        if shape.enum:
            return draw(st.sampled_from(shape.enum))
        scalars = {"string": TEXT, "boolean": st.booleans(), "blob": st.just("YWE=")}
        return draw(scalars.get(shape.kind, st.integers(0, 200)))

    return operation, value(SHAPES[operation], 0)


@given(bodies())
def test_what_the_fast_check_passes_the_explanation_passes_too_or_blames_an_attribute_value(
    case: tuple[str, Any],
) -> None:
    operation, body = case
    passed = CHECKS[operation](body)
    before = copy.deepcopy(body)
    try:
        request = explain(SHAPES[operation], body)
    except SerializationError:
        return
    except ValidationError:
        assert not passed
        return
    finally:
        assert body == before
    assert CHECKS[operation](request)
    assert explain(SHAPES[operation], request) == request
