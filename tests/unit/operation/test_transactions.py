"""Transactions in one region: all or nothing, reasons in order, and tokens that take effect once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from transaction_region import TransactionRegion, check, delete, get, key, put, update

from region.errors import (
    IdempotentParameterMismatchError,
    ResourceNotFoundError,
    TransactionCanceledError,
    ValidationError,
)
from region.model.client_token import VALID_MS

ONE = {":one": {"N": "1"}}
NONE = {"Code": "None"}
FAILED = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}


@pytest.fixture
async def region() -> AsyncIterator[TransactionRegion]:
    region = await TransactionRegion().start()
    yield region
    await region.engine.close()


async def test_all_actions_of_a_transaction_happen(region: TransactionRegion) -> None:
    await region.write(put(key("old")), put(key("checked")))
    await region.write(
        put(key("new") | {"v": {"S": "1"}}),
        update(key("counted"), "ADD n :one", ONE),
        delete(key("old")),
        check(key("checked"), "attribute_exists(pk)"),
    )
    assert await region.item(key("new")) == key("new") | {"v": {"S": "1"}}
    assert await region.item(key("counted")) == key("counted") | {"n": {"N": "1"}}
    assert await region.item(key("old")) is None


async def test_nothing_happens_when_one_condition_does_not_hold(region: TransactionRegion) -> None:
    before = len(region.log())
    reasons = await region.cancelled(
        put(key("a")), check(key("missing"), "attribute_exists(pk)"), update(key("b"), "ADD n :one", ONE)
    )
    assert reasons == [NONE, FAILED, NONE]
    assert len(region.log()) == before
    assert await region.item(key("a")) is None


async def test_every_reason_is_told_and_stands_in_the_place_of_its_action(region: TransactionRegion) -> None:
    await region.write(put(key("a") | {"v": {"S": "1"}}))
    old = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    reasons = await region.cancelled(
        put(key("a"), ConditionExpression="attribute_not_exists(pk)", **old),
        update(key("b"), "SET x.y = :one", ONE),
        delete(key("c"), ConditionExpression="attribute_exists(pk)", **old),
        put(key("d")),
        update(key("a2"), "SET n = m"),
    )
    assert reasons == [
        {**FAILED, "Item": key("a") | {"v": {"S": "1"}}},
        {
            "Code": "ValidationError",
            "Message": "The document path provided in the update expression is invalid for update",
        },
        FAILED,
        NONE,
        {
            "Code": "ValidationError",
            "Message": "The provided expression refers to an attribute that does not exist in the item",
        },
    ]


INVALID = "One or more parameter values were invalid: "
KEY_PROBLEMS = [
    (
        put({"pk": {"N": "1"}}),
        INVALID + "Type mismatch for key pk expected: S actual: N",
    ),
    (put({"x": {"S": "1"}}), INVALID + "Missing the key pk in the item"),
    (delete({"pk": {"N": "1"}}), "The provided key element does not match the schema"),
    (check({"x": {"S": "1"}}, "attribute_exists(pk)"), "The provided key element does not match the schema"),
    (
        update(key("a"), "SET pk = :one", ONE),
        INVALID + "Cannot update attribute pk. This attribute is part of the key",
    ),
    (
        put({"pk": {"S": "a"}, "sk": {"S": "b"}, "g": {"N": "1"}}, "indexed"),
        INVALID + "Type mismatch for Index Key g Expected: S Actual: N IndexName: global",
    ),
]


@pytest.mark.parametrize(("action", "message"), KEY_PROBLEMS)
async def test_a_key_that_does_not_fit_the_table_is_a_reason(
    region: TransactionRegion, action: dict[str, Any], message: str
) -> None:
    assert await region.cancelled(put(key("z")), action) == [NONE, {"Code": "ValidationError", "Message": message}]


EMPTY = (
    "One or more parameter values are not valid. "
    "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"
)
EMPTY_INDEX_KEY = (
    "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
    "The AttributeValue for a key attribute cannot contain an empty string value. IndexName: global, IndexKey: g"
)
REFUSED = [
    ([{}], "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request"),
    ([put(key("a")) | delete(key("b"))], "TransactItems can only contain one of Check, Put, Update or Delete"),
    (
        [put(key("a")), check(key("a"), "attribute_exists(pk)")],
        "Transaction request cannot include multiple operations on one item",
    ),
    ([put(key("a")), delete(key("")), delete({"pk": {"N": "1"}})], EMPTY),
    ([put(key(""))], EMPTY),
    ([put(key("a") | {"sk": {"S": "b"}, "g": {"S": ""}}, "indexed")], EMPTY_INDEX_KEY),
    (
        [put(key("a"), ConditionExpression="a =")],
        'Invalid ConditionExpression: Syntax error; token: "<EOF>", near: "="',
    ),
    ([update(key("a"), "SET")], 'Invalid UpdateExpression: Syntax error; token: "<EOF>", near: "SET"'),
    (
        [put(key("a"), ConditionExpression="attribute_exists(pk)", ExpressionAttributeValues=dict(ONE))],
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:one}",
    ),
    ([put(key("a") | {"v": {"S": "x" * 409_600}})], "Item size has exceeded the maximum allowed size"),
]


@pytest.mark.parametrize(("actions", "message"), REFUSED, ids=range(len(REFUSED)))
async def test_what_is_wrong_with_the_request_itself_is_no_cancellation(
    region: TransactionRegion, actions: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        await region.write(*actions)
    assert caught.value.message == message


async def test_expressions_are_checked_before_tables_and_tables_before_conditions(region: TransactionRegion) -> None:
    with pytest.raises(ValidationError, match="Syntax error"):
        await region.write(put(key("a"), "nowhere"), put(key("b"), ConditionExpression="a ="))
    with pytest.raises(ResourceNotFoundError, match="Requested resource not found"):
        await region.write(check(key("a"), "attribute_exists(pk)"), put(key("b"), "nowhere"))


@pytest.mark.parametrize(
    ("make", "bytes_each"),
    [
        (lambda name: put(key(name) | {"v": {"S": "x" * 390_000}}), 390_005),
        (lambda name: update(key(name), "SET v=:v", {":v": {"S": "x" * 390_000}}), 390_012),
        (
            lambda name: check(key(name), "v <> :v", ExpressionAttributeValues={":v": {"S": "x" * 390_000}}),
            390_011,
        ),
    ],
)
async def test_a_transaction_holds_four_megabytes(region: TransactionRegion, make: Any, bytes_each: int) -> None:
    await region.write(*[make(f"a{n}") for n in range(10)])
    with pytest.raises(ValidationError) as caught:
        await region.write(*[make(chr(98 + n) + "0") for n in range(11)])
    assert caught.value.message == f"Transaction payload size cannot exceed 4MB. Payload Size: {11 * bytes_each}"


async def test_an_update_that_makes_an_item_too_large_is_a_reason(region: TransactionRegion) -> None:
    await region.write(put(key("a") | {"v": {"S": "x" * 300_000}}))
    reasons = await region.cancelled(update(key("a"), "SET w = :w", {":w": {"S": "x" * 200_000}}))
    assert reasons == [
        {"Code": "ValidationError", "Message": "Item size to update has exceeded the maximum allowed size"}
    ]


async def test_the_changes_of_one_transaction_are_one_group_of_the_log(region: TransactionRegion) -> None:
    await asyncio.gather(
        region.write(put(key("a")), put(key("b"))),
        region.run("PutItem", TableName="plain", Item=key("c")),
        region.write(put(key("d")), put(key("e")), check(key("f"), "attribute_not_exists(pk)")),
    )
    first, second, single, third, fourth = [record.group for record in region.log()]
    assert first == second is not None
    assert third == fourth is not None
    assert first != third
    assert single is None


async def test_a_transaction_that_changes_nothing_leaves_no_record(region: TransactionRegion) -> None:
    await region.write(put(key("a")))
    before = len(region.log())
    await region.write(put(key("a")), delete(key("missing")), check(key("x"), "attribute_not_exists(pk)"))
    assert len(region.log()) == before


async def test_a_repeated_token_has_no_second_effect(region: TransactionRegion) -> None:
    for _ in range(3):
        assert await region.write(update(key("a"), "ADD n :one", dict(ONE)), ClientRequestToken="t") == {}
    assert await region.item(key("a")) == key("a") | {"n": {"N": "1"}}


async def test_repeats_that_arrive_together_have_one_effect(region: TransactionRegion) -> None:
    await asyncio.gather(
        *[region.write(update(key("a"), "ADD n :one", {":one": {"N": "1"}}), ClientRequestToken="t") for _ in range(5)]
    )
    assert await region.item(key("a")) == key("a") | {"n": {"N": "1"}}


async def test_requests_that_mean_the_same_are_the_same(region: TransactionRegion) -> None:
    await region.write(update(key("a"), "ADD n :n", {":n": {"N": "1.0"}}), ClientRequestToken="t")
    again = {"Update": dict(reversed(update(key("a"), "ADD n :n", {":n": {"N": "1"}})["Update"].items()))}
    await region.write(again, ClientRequestToken="t", ReturnConsumedCapacity="TOTAL")
    assert await region.item(key("a")) == key("a") | {"n": {"N": "1"}}


async def test_a_token_with_other_parameters_is_refused(region: TransactionRegion) -> None:
    await region.write(put(key("a")), ClientRequestToken="t")
    for other in (put(key("b")), put({"pk": {"N": "1"}}), put(key("a"), "nowhere")):
        with pytest.raises(IdempotentParameterMismatchError):
            await region.write(other, ClientRequestToken="t")
    assert await region.item(key("b")) is None


async def test_a_token_is_valid_for_ten_minutes(region: TransactionRegion) -> None:
    await region.write(update(key("a"), "ADD n :one", dict(ONE)), ClientRequestToken="t")
    region.source.advance(VALID_MS - 1)
    await region.write(update(key("a"), "ADD n :one", dict(ONE)), ClientRequestToken="t")
    region.source.advance(1)
    await region.write(update(key("a"), "ADD n :two", {":two": {"N": "2"}}), ClientRequestToken="t")
    assert await region.item(key("a")) == key("a") | {"n": {"N": "3"}}


async def test_a_cancelled_transaction_does_not_use_up_its_token(region: TransactionRegion) -> None:
    action = check(key("late"), "attribute_exists(pk)"), put(key("a"))
    await region.cancelled(*action, ClientRequestToken="t")
    await region.write(put(key("late")))
    await region.write(*action, ClientRequestToken="t")
    assert await region.item(key("a")) == key("a")


async def test_items_are_read_together_and_missing_ones_are_empty_objects(region: TransactionRegion) -> None:
    item = key("a") | {"v": {"S": "1"}, "m": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}}
    await region.write(put(item), put(key("b")))
    answer = await region.read(
        get(key("a")), get(key("missing")), get(key("b"), ProjectionExpression="nothing"), get(key("gone"))
    )
    assert answer == {"Responses": [{"Item": item}, {}, {"Item": {}}, {}]}
    projected = await region.read(get(key("a"), ProjectionExpression="m.x, #v", ExpressionAttributeNames={"#v": "v"}))
    assert projected == {"Responses": [{"Item": {"m": {"M": {"x": {"N": "1"}}}, "v": {"S": "1"}}}]}


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([get(key("a")), get(key("a"))], "Transaction request cannot include multiple operations on one item"),
        ([get(key("a")), get(key(""))], EMPTY),
        (
            [get(key("a"), ExpressionAttributeNames={"#v": "v"})],
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            [get(key("a"), ProjectionExpression="a..b")],
            'Invalid ProjectionExpression: Syntax error; token: ".", near: "..b"',
        ),
    ],
)
async def test_what_is_wrong_with_a_reading_request_itself_is_refused(
    region: TransactionRegion, actions: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        await region.read(*actions)
    assert caught.value.message == message


async def test_a_key_that_does_not_fit_cancels_a_reading_transaction(region: TransactionRegion) -> None:
    with pytest.raises(TransactionCanceledError) as caught:
        await region.read(get(key("a")), get({"pk": {"N": "1"}}))
    assert caught.value.fields["CancellationReasons"] == [
        NONE,
        {"Code": "ValidationError", "Message": "The provided key element does not match the schema"},
    ]


async def test_four_megabytes_are_read_at_most(region: TransactionRegion) -> None:
    for number in range(11):
        await region.write(put(key(chr(97 + number)) | {"v": {"S": "x" * 390_000}}))
    await region.read(*[get(key(chr(97 + number))) for number in range(10)])
    with pytest.raises(ValidationError, match=f"Payload in response is too large.{11 * 390_004}"):
        await region.read(*[get(key(chr(97 + number))) for number in range(11)])
