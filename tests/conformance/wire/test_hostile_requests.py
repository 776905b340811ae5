"""Bodies that no SDK would send: AWS's error, HTTP 400 or 413, nothing changed, the region lives.

The fixture ``unharmed`` looks after every test that the region is the same process, serves, and holds what it held.
"""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest
from raw_http import RawConnection, exchange, request

pytestmark = pytest.mark.usefixtures("unharmed")

TABLE = "witnessed"
MIB = 1 << 20
NUMERIC = "The parameter cannot be converted to a numeric value: "
DIGITS = "Attempting to store more than 38 significant digits in a Number"
EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
NO_STRUCTURE = "Start of structure or map found where not expected"
NO_STRING_LIST = "Unrecognized collection type class java.lang.String"
NO_MAP_LIST = (
    "Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>"
)
TOKEN = "Unexpected token received from parser"
FIELD = "Unexpected field type"
VALUE = "Unexpected value type in payload"
NESTING = (
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)
TOO_LARGE = "Request body is too large; the limit is 16777216 bytes"


def null_at(*members: str) -> str:
    noun = "error" if len(members) == 1 else "errors"
    sentences = (f"Value null at '{it}' failed to satisfy constraint: Member must not be null" for it in members)
    return f"{len(members)} validation {noun} detected: {'; '.join(sentences)}"


def too_small(member: str) -> str:
    return (
        f"1 validation error detected: Value '0' at '{member}' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1"
    )


def item_text(value: str) -> bytes:
    """A PutItem request over the witness whose attribute ``v`` is any JSON text, sound or not."""
    return b'{"TableName":"%s","Item":{"pk":{"S":"witness"},"v":%s}}' % (
        TABLE.encode(),
        value.encode("utf-8", "surrogateescape"),
    )


def nested(depth: int, opening: str, closing: str) -> str:
    return opening * depth + '{"S":"bottom"}' + closing * depth


NO_JSON = {
    "nothing": b"",
    "a blank": b"  \r\n",
    "half an object": b'{"TableName":',
    "text": b"PutItem, please",
    "two objects": b"{}{}",
    "something behind": b'{"TableName":"witnessed"} x',
    "a comma too many": b'{"TableName":"witnessed",}',
    "single quotes": b"{'TableName':'witnessed'}",
    "a comment": b'{"TableName":"witnessed" /* mine */}',
    "a control character in a string": item_text('{"S":"\x01"}'),
    "an unknown escape": item_text('{"S":"\\x41"}'),
    "a lone surrogate": item_text('{"S":"\\ud800"}'),
    "a surrogate pair the wrong way round": item_text('{"S":"\\udc00\\ud800"}'),
    "invalid UTF-8": item_text('{"S":"\udcff\udcfe"}'),
    "an overlong encoding": item_text('{"S":"\udcc0\udc80"}'),
    "an encoded surrogate": item_text('{"S":"\udced\udca0\udc80"}'),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"TableName":"witnessed"}'.encode("utf-16"),
    "NaN": b'{"TableName":"witnessed","Limit":NaN}',
    "Infinity": b'{"TableName":"witnessed","Limit":-Infinity}',
    "a number with a leading zero": b'{"TableName":"witnessed","Limit":01}',
    "a hexadecimal number": b'{"TableName":"witnessed","Limit":0x10}',
    "an integer of 100,000 digits": b'{"TableName":"witnessed","Limit":%s}' % (b"9" * 100_000),
    "an exponent of 20 digits": b'{"TableName":"witnessed","Limit":1e%s}' % (b"9" * 20),
    "10,000 lists in each other": item_text(nested(10_000, '{"L":[', "]}")),
    "10,000 maps in each other": item_text(nested(10_000, '{"M":{"a":', "}}")),
    "100,000 brackets that never close": b"[" * 100_000,
    "1,000,000 braces that never close": b'{"a":' * 1_000_000,
    "binary": bytes(range(256)) * 16,
}


@pytest.mark.parametrize("operation", ["PutItem", "Scan"])
@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON.keys())
def test_a_body_that_is_no_json_is_a_serialization_exception(endpoint: str, operation: str, body: bytes) -> None:
    reply = exchange(endpoint, request(operation, body))
    assert (reply.status, reply.error) == (400, ("SerializationException", ""))
    assert reply.json["__type"] == "com.amazon.coral.service#SerializationException"
    assert reply.headers["content-type"] == "application/x-amz-json-1.0"


@pytest.mark.parametrize("body", [b"null", b"[]", b"1", b'"text"', b"true", b"1e9"])
def test_a_body_that_is_no_object_is_a_serialization_exception(endpoint: str, body: bytes) -> None:
    reply = exchange(endpoint, request("PutItem", body))
    assert (reply.status, reply.error) == (400, ("SerializationException", VALUE))


VALUES: list[tuple[str, str, str]] = [
    ('{"S":1}', "SerializationException", "NUMBER_VALUE cannot be converted to String"),
    ('{"S":1.5}', "SerializationException", "DECIMAL_VALUE cannot be converted to String"),
    ('{"S":true}', "SerializationException", "TRUE_VALUE cannot be converted to String"),
    ('{"S":false}', "SerializationException", "FALSE_VALUE cannot be converted to String"),
    ('{"S":{}}', "SerializationException", NO_STRUCTURE),
    ('{"S":[]}', "SerializationException", NO_STRING_LIST),
    ('{"S":null}', "ValidationException", EMPTY),
    ('{"N":1}', "SerializationException", "NUMBER_VALUE cannot be converted to String"),
    ('{"N":{}}', "SerializationException", NO_STRUCTURE),
    ('{"N":null}', "ValidationException", EMPTY),
    ('{"B":"***"}', "SerializationException", "Base64 encoded length is expected a multiple of 4 bytes but found: 3"),
    ('{"B":"****"}', "SerializationException", "Invalid base64 character: '*'"),
    ('{"B":[]}', "SerializationException", "Unrecognized collection type class java.nio.ByteBuffer"),
    ('{"BOOL":"true"}', "SerializationException", TOKEN),
    ('{"BOOL":1}', "SerializationException", "NUMBER_VALUE cannot be converted to Boolean"),
    ('{"BOOL":null}', "ValidationException", EMPTY),
    ('{"NULL":"true"}', "SerializationException", TOKEN),
    (
        '{"NULL":false}',
        "ValidationException",
        "One or more parameter values were invalid: Null attribute value types must have the value of true",
    ),
    ('{"SS":"a"}', "SerializationException", FIELD),
    ('{"SS":{}}', "SerializationException", NO_STRUCTURE),
    ('{"SS":[1]}', "SerializationException", "NUMBER_VALUE cannot be converted to String"),
    ('{"NS":[1]}', "SerializationException", "NUMBER_VALUE cannot be converted to String"),
    ('{"NS":[[]]}', "SerializationException", NO_STRING_LIST),
    ('{"L":"a"}', "SerializationException", FIELD),
    ('{"L":{}}', "SerializationException", NO_STRUCTURE),
    ('{"L":["a"]}', "SerializationException", VALUE),
    ('{"L":[{"L":[{"S":1}]}]}', "SerializationException", "NUMBER_VALUE cannot be converted to String"),
    ('{"M":[]}', "SerializationException", NO_MAP_LIST),
    ('{"M":"a"}', "SerializationException", FIELD),
    ('{"M":{"a":"b"}}', "SerializationException", VALUE),
    ('{"X":"a"}', "ValidationException", EMPTY),
    ("{}", "ValidationException", EMPTY),
    ('"a"', "SerializationException", VALUE),
    ("1", "SerializationException", VALUE),
    (
        "[]",
        "SerializationException",
        "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
    ),
]


@pytest.mark.parametrize(("value", "name", "message"), VALUES, ids=[row[0] for row in VALUES])
def test_an_attribute_value_of_a_wrong_json_type_is_refused_in_aws_words(
    endpoint: str, value: str, name: str, message: str
) -> None:
    reply = exchange(endpoint, request("PutItem", item_text(value)))
    assert (reply.status, reply.error) == (400, (name, message))


WITH_NULLS = {
    "a value": item_text("null"),
    "an element of a list": item_text('{"L":[null]}'),
    "an entry of a map": item_text('{"M":{"a":null}}'),
    "an element of a set": item_text('{"SS":[null]}'),
    "the item": b'{"TableName":"witnessed","Item":null}',
    "the name": b'{"TableName":null,"Item":{"pk":{"S":"witness"}}}',
}


@pytest.mark.parametrize("body", WITH_NULLS.values(), ids=WITH_NULLS.keys())
def test_null_where_a_value_must_be_is_refused(endpoint: str, body: bytes) -> None:
    reply = exchange(endpoint, request("PutItem", body))
    assert reply.status == 400
    assert reply.error[0] in ("ValidationException", "SerializationException")


def test_null_members_that_are_optional_count_as_absent(endpoint: str) -> None:
    body = {"TableName": TABLE, "Limit": None, "ExclusiveStartKey": None, "FilterExpression": None, "Segment": None}
    reply = exchange(endpoint, request("Scan", body))
    assert (reply.status, reply.json["Count"]) == (200, 1)


MEMBERS: list[tuple[str, dict[str, Any], str, str]] = [
    ("PutItem", {}, "ValidationException", null_at("tableName", "item")),
    ("PutItem", {"TableName": 1, "Item": {}}, "SerializationException", "NUMBER_VALUE cannot be converted to String"),
    ("PutItem", {"TableName": {}, "Item": {}}, "SerializationException", NO_STRUCTURE),
    ("PutItem", {"TableName": [], "Item": {}}, "SerializationException", NO_STRING_LIST),
    ("PutItem", {"TableName": TABLE, "Item": []}, "SerializationException", NO_MAP_LIST),
    ("PutItem", {"TableName": TABLE, "Item": "x"}, "SerializationException", FIELD),
    ("PutItem", {"TableName": TABLE, "Item": 1}, "SerializationException", FIELD),
    ("PutItem", {"TableName": TABLE}, "ValidationException", null_at("item")),
    (
        "Scan",
        {"TableName": TABLE, "Limit": "1"},
        "SerializationException",
        "STRING_VALUE cannot be converted to Integer",
    ),
    (
        "Scan",
        {"TableName": TABLE, "Limit": True},
        "SerializationException",
        "TRUE_VALUE cannot be converted to Integer",
    ),
    (
        "Scan",
        {"TableName": TABLE, "Limit": 1 << 31},
        "SerializationException",
        "NUMBER_VALUE cannot be converted to Integer",
    ),
    ("Scan", {"TableName": TABLE, "Limit": 0}, "ValidationException", too_small("limit")),
    ("Scan", {"TableName": TABLE, "Limit": 0.5}, "ValidationException", too_small("limit")),
    ("Scan", {"TableName": TABLE, "ConsistentRead": "true"}, "SerializationException", TOKEN),
    ("BatchGetItem", {"RequestItems": []}, "SerializationException", "Unrecognized collection type java.util.Map<"),
    ("BatchWriteItem", {"RequestItems": {TABLE: {}}}, "SerializationException", NO_STRUCTURE),
    ("CreateTable", {"TableName": "new-table", "KeySchema": {}}, "SerializationException", NO_STRUCTURE),
    ("UpdateTable", {"TableName": TABLE, "ReplicaUpdates": "x"}, "SerializationException", FIELD),
    ("DeleteTable", {"TableName": [TABLE]}, "SerializationException", NO_STRING_LIST),
    ("TagResource", {"ResourceArn": "x", "Tags": {"a": "b"}}, "SerializationException", NO_STRUCTURE),
]


@pytest.mark.parametrize(("operation", "body", "name", "message"), MEMBERS)
def test_a_member_of_a_wrong_json_type_is_refused_in_aws_words(
    endpoint: str, operation: str, body: dict[str, Any], name: str, message: str
) -> None:
    reply = exchange(endpoint, request(operation, body))
    assert (reply.status, reply.error[0]) == (400, name)
    assert reply.error[1].startswith(message)


NUMBERS = {
    "100,000 digits": ("9" * 100_000, DIGITS),
    "100,000 digits behind the point": ("0." + "7" * 100_000, DIGITS),
    "4,096 digits": ("9" * 4096, DIGITS),
    "an exponent of 20 digits": ("1e" + "9" * 20, NUMERIC + "1e" + "9" * 20),
    "a negative exponent of 20 digits": ("1e-" + "9" * 20, NUMERIC + "1e-" + "9" * 20),
    "not a number": ("NaN", NUMERIC + "NaN"),
    "infinity": ("-Infinity", NUMERIC + "-Infinity"),
    "hexadecimal": ("0x10", NUMERIC + "0x10"),
    "an underscore": ("1_0", NUMERIC + "1_0"),
    "a blank": (" 1", NUMERIC + " 1"),
    "a line end": ("1\n", NUMERIC + "1\n"),
    "a null character": ("1\0", NUMERIC + "1\0"),
    "Arabic digits": ("\u0661", NUMERIC + "\u0661"),
    "nothing": ("", "The parameter cannot be converted to a numeric value"),
    "too large": ("1e126", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
    "too small": (
        "-1e-131",
        "Number underflow. Attempting to store a number with magnitude smaller than supported range",
    ),
}


@pytest.mark.parametrize("form", ['{"N":%s}', '{"NS":["1",%s]}', '{"L":[{"M":{"a":{"N":%s}}}]}'])
@pytest.mark.parametrize(("number", "message"), NUMBERS.values(), ids=NUMBERS.keys())
def test_a_number_beyond_all_bounds_is_refused_wherever_it_stands(
    endpoint: str, number: str, message: str, form: str
) -> None:
    text = '"' + number.replace("\n", "\\n").replace("\0", "\\u0000") + '"'
    reply = exchange(endpoint, request("PutItem", item_text(form % text)))
    assert (reply.status, reply.error) == (400, ("ValidationException", message))


@pytest.mark.parametrize(
    "number", ["0" * 100_000 + "1", "1." + "0" * 100_000, f"{'0' * 50_000}10{'0' * 50_000}e-50001"]
)
def test_zeros_that_mean_nothing_may_be_many(endpoint: str, number: str) -> None:
    body = {"TableName": TABLE, "FilterExpression": "v = :v", "ExpressionAttributeValues": {":v": {"N": number}}}
    reply = exchange(endpoint, request("Scan", body))
    assert (reply.status, reply.json["Count"]) == (200, 1)


def test_an_item_of_401_kb_is_refused(endpoint: str) -> None:
    reply = exchange(endpoint, request("PutItem", item_text('{"S":"%s"}' % ("x" * 401 * 1024))))
    assert reply.error == ("ValidationException", "Item size has exceeded the maximum allowed size")
    update = {
        "TableName": TABLE,
        "Key": {"pk": {"S": "witness"}},
        "UpdateExpression": "SET a = :x, b = :x",
        "ExpressionAttributeValues": {":x": {"B": "eHh4" * (201 * 1024 // 3)}},
    }
    reply = exchange(endpoint, request("UpdateItem", update))
    assert reply.error == ("ValidationException", "Item size to update has exceeded the maximum allowed size")


@pytest.mark.parametrize(("opening", "closing"), [('{"L":[', "]}"), ('{"M":{"a":', "}}")], ids=["lists", "maps"])
@pytest.mark.parametrize("depth", [33, 200])
def test_documents_nested_too_deep_are_refused_wherever_they_stand(
    endpoint: str, depth: int, opening: str, closing: str
) -> None:
    text = nested(depth, opening, closing)
    reply = exchange(endpoint, request("PutItem", item_text(text)))
    assert (reply.status, reply.error) == (400, ("ValidationException", NESTING))
    update = (
        '{"TableName":"witnessed","Key":{"pk":{"S":"witness"}},"UpdateExpression":"SET v = :v",'
        f'"ExpressionAttributeValues":{{":v":{text}}}}}'
    )
    reply = exchange(endpoint, request("UpdateItem", update.encode()))
    assert (reply.status, reply.error[0]) == (400, "ValidationException")
    assert NESTING in reply.error[1]


def test_unknown_members_are_ignored_however_they_look(endpoint: str) -> None:
    strange = b'"X":%s,"":null,"\\u0000":[],"TableNames":1,"tablename":"absent"' % (b"[" * 500 + b"]" * 500)
    body = b'{"TableName":"witnessed",%s,"Key":{"pk":{"S":"witness"}}}' % strange
    reply = exchange(endpoint, request("GetItem", body))
    assert (reply.status, reply.json["Item"]["v"]) == (200, {"N": "1"})


def test_of_duplicate_members_the_last_one_counts(endpoint: str) -> None:
    body = b'{"TableName":"absent","TableName":"witnessed","Key":{"pk":{"S":"x"}},"Key":{"pk":{"S":"y","S":"witness"}}}'
    reply = exchange(endpoint, request("GetItem", body))
    assert (reply.status, reply.json["Item"]["v"]) == (200, {"N": "1"})


@pytest.mark.parametrize("operation", ["PutItem", "ListTables", "BatchWriteItem"])
def test_a_body_of_20_mb_is_too_large(endpoint: str, operation: str) -> None:
    with RawConnection(endpoint) as connection:
        connection.send(request(operation, item_text('{"S":"%s"}' % ("x" * 20 * MIB))))
        reply = connection.receive()
        assert (reply.status, reply.error) == (413, ("RequestEntityTooLargeException", TOO_LARGE))
        assert connection.ended()


def test_a_body_of_20_mb_in_chunks_is_too_large(endpoint: str) -> None:
    with RawConnection(endpoint) as connection:
        connection.send(request("PutItem", b"", {"Content-Length": None, "Transfer-Encoding": "chunked"}))
        for _ in range(20):
            connection.send(b"%x\r\n%s\r\n" % (MIB, b" " * MIB))
        reply = connection.receive()
        assert (reply.status, reply.error) == (413, ("RequestEntityTooLargeException", TOO_LARGE))


BOMBS = {
    "gzip": ("gzip", lambda body: gzip.compress(body, 9)),
    "gzip in many parts": ("gzip", lambda body: gzip.compress(body[: len(body) // 64], 9) * 64),
    "zlib": ("deflate", lambda body: zlib.compress(body, 9)),
}


@pytest.mark.parametrize(("encoding", "pack"), BOMBS.values(), ids=BOMBS.keys())
def test_a_body_that_unpacks_to_64_mb_is_too_large(endpoint: str, encoding: str, pack: Any) -> None:
    bomb = pack(b" " * 64 * MIB)
    assert len(bomb) < MIB
    reply = exchange(endpoint, request("PutItem", bomb, {"Content-Encoding": encoding}))
    assert (reply.status, reply.error) == (413, ("RequestEntityTooLargeException", TOO_LARGE))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "\xff"])
def test_a_body_in_a_damaged_or_unknown_encoding_is_a_serialization_exception(endpoint: str, encoding: str) -> None:
    whole = gzip.compress(item_text('{"S":"x"}'))
    for body in (whole[:-9], b"nonsense", b"\x1f\x8b\x08" + bytes(50)):
        reply = exchange(endpoint, request("PutItem", body, {"Content-Encoding": encoding}))
        assert (reply.status, reply.error[0]) == (400, "SerializationException"), body
