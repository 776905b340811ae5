"""AWS's DAX client for Python, unchanged, in front of real regions: every operation, and what DAX promises of each."""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
import pytest
from amazondax import AmazonDaxClient
from botocore.exceptions import ClientError
from conftest import Fleet

from atoll.dax import frames, requests

EAST, WEST, NORTH = "us-east-1", "eu-west-1", "ap-northeast-1"
CREDENTIALS = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
_numbers = itertools.count()


def connect(url: str, region: str = EAST) -> Any:
    return AmazonDaxClient(endpoint_url=url, region_name=region, **CREDENTIALS)


@pytest.fixture(scope="module")
def dax(fleet: Fleet) -> Iterator[Any]:
    """A client of a cache in front of the first region, as DAX is by default."""
    with connect(fleet.cluster.dax(EAST)) as client:
        yield client


@pytest.fixture(scope="module")
def region(fleet: Fleet) -> Any:
    """A client of the region behind it."""
    return fleet.clients[EAST]


def make(region: Any, types: str = "S", *, index: bool = False) -> str:
    """Make a table whose key attributes ``p`` and ``s`` are of these types."""
    name = f"dax-{next(_numbers)}"
    names = ("p", "s")[: len(types)]
    attributes = [{"AttributeName": key, "AttributeType": kind} for key, kind in zip(names, types, strict=True)]
    more: dict[str, Any] = {}
    if index:
        attributes.append({"AttributeName": "g", "AttributeType": "N"})
        schema = [{"AttributeName": "g", "KeyType": "HASH"}]
        more["GlobalSecondaryIndexes"] = [
            {"IndexName": "by-g", "KeySchema": schema, "Projection": {"ProjectionType": "KEYS_ONLY"}}
        ]
    region.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=attributes,
        KeySchema=[
            {"AttributeName": key, "KeyType": role} for key, role in zip(names, ("HASH", "RANGE"), strict=False)
        ],
        **more,
    )
    region.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return name


def got(client: Any, table: str, key: str = "a", **more: Any) -> dict[str, Any] | None:
    """Return the item of a table with one key attribute."""
    item: dict[str, Any] | None = client.get_item(TableName=table, Key={"p": {"S": key}}, **more).get("Item")
    return item


def item(key: str = "a", value: str = "1") -> dict[str, Any]:
    return {"p": {"S": key}, "v": {"N": value}}


EVERYTHING: dict[str, Any] = {
    "p": {"S": "é"},
    "n": {"N": "-1.50"},
    "large": {"N": "12345678901234567890123456789012345678"},
    "b": {"B": b"\x00\xff"},
    "ss": {"SS": ["x", "y"]},
    "ns": {"NS": ["1", "2.5"]},
    "bs": {"BS": [b"1"]},
    "m": {"M": {"deep": {"L": [{"N": "1"}, {"NULL": True}, {"BOOL": False}, {"M": {"q": {"S": ""}}}]}}},
    "l": {"L": [{"S": "0"}, {"S": "1"}, {"L": []}]},
}


# Every operation answers as the region does


def test_an_item_of_every_type_comes_back_as_the_region_has_it(dax: Any, region: Any) -> None:
    table = make(region)
    dax.put_item(TableName=table, Item=EVERYTHING)
    assert got(dax, table, "é") == got(region, table, "é")
    region.put_item(TableName=table, Item={**EVERYTHING, "p": {"S": "direct"}})
    assert got(dax, table, "direct") == got(region, table, "direct")


@pytest.mark.parametrize("types", ["N", "B", "SS", "SN", "SB", "NS", "NN", "NB", "BS", "BN", "BB"])
def test_keys_of_every_type_name_the_same_item(dax: Any, region: Any, types: str) -> None:
    table = make(region, types)
    values: dict[str, Any] = {"S": "é", "N": "-12.50", "B": b"\x00\xff"}
    key = {name: {kind: values[kind]} for name, kind in zip("ps", types, strict=False)}
    region.put_item(TableName=table, Item={**key, "v": {"S": "x"}})
    found = region.get_item(TableName=table, Key=key)["Item"]
    assert dax.get_item(TableName=table, Key=key)["Item"] == {**found, **key}
    asked = {"KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": key["p"]}}
    assert dax.query(TableName=table, **asked)["Items"] == [found]
    assert dax.batch_get_item(RequestItems={table: {"Keys": [key]}})["Responses"] == {table: [found]}
    dax.delete_item(TableName=table, Key=key)
    assert "Item" not in region.get_item(TableName=table, Key=key)


def test_a_projection_answers_the_paths_it_names(dax: Any, region: Any) -> None:
    table = make(region)
    region.put_item(TableName=table, Item=EVERYTHING)
    wanted = {"ProjectionExpression": "#p, m.deep[3].q, l[2], l[0], n", "ExpressionAttributeNames": {"#p": "p"}}
    for _ in range(2):
        assert got(dax, table, "é", **wanted) == got(region, table, "é", **wanted)
    asked = {table: {"Keys": [{"p": {"S": "é"}}], **wanted}}
    assert dax.batch_get_item(RequestItems=asked)["Responses"] == region.batch_get_item(RequestItems=asked)["Responses"]
    assert dax.scan(TableName=table, **wanted)["Items"] == region.scan(TableName=table, **wanted)["Items"]
    with pytest.raises(ClientError, match=r"Two document paths overlap"):
        got(dax, table, "é", ProjectionExpression="m, m.deep")


def test_an_update_answers_what_was_asked_of_it(dax: Any, region: Any) -> None:
    table, direct = make(region), make(region)
    for client, name in ((dax, table), (region, direct)):
        client.put_item(TableName=name, Item=EVERYTHING)
    updates = (
        ("SET n = n + :one, m.deep[0] = :one REMOVE l[0]", "UPDATED_NEW"),
        ("SET n = :one, fresh = if_not_exists(fresh, :one)", "UPDATED_OLD"),
        ("ADD n :one DELETE ss :set", "ALL_OLD"),
        ("SET l = list_append(l, :list)", "ALL_NEW"),
        ("SET n = n - :one", "NONE"),
    )
    values = {":one": {"N": "1"}, ":set": {"SS": ["x"]}, ":list": {"L": [{"S": "new"}]}}
    for expression, wish in updates:
        used = {name: value for name, value in values.items() if name in expression}
        more = {"UpdateExpression": expression, "ExpressionAttributeValues": used, "ReturnValues": wish}
        through = dax.update_item(TableName=table, Key={"p": {"S": "é"}}, **more)
        straight = region.update_item(TableName=direct, Key={"p": {"S": "é"}}, **more)
        assert through.get("Attributes") == straight.get("Attributes"), wish
        assert got(dax, table, "é") == got(region, table, "é") == got(region, direct, "é"), wish


def test_a_query_goes_on_where_it_stopped_in_a_table_and_in_an_index(dax: Any, region: Any) -> None:
    table = make(region, "SN", index=True)
    for number in range(7):
        region.put_item(
            TableName=table, Item={"p": {"S": "a"}, "s": {"N": f"{number - 3}.5"}, "g": {"N": "1"}, "v": {"S": "x"}}
        )
    by_table = {"KeyConditionExpression": "p = :v", "ExpressionAttributeValues": {":v": {"S": "a"}}}
    by_index = {
        "IndexName": "by-g",
        "KeyConditionExpression": "g = :v",
        "ExpressionAttributeValues": {":v": {"N": "1"}},
    }
    for asked in (by_table, {**by_table, "ScanIndexForward": False}, by_index):
        assert pages(dax.query, TableName=table, **asked) == pages(region.query, TableName=table, **asked)
    for asked in ({}, {"IndexName": "by-g"}, {"Segment": 0, "TotalSegments": 1}):
        assert pages(dax.scan, TableName=table, **asked) == pages(region.scan, TableName=table, **asked)
    counted = {"Select": "COUNT", "FilterExpression": "v = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}}
    assert dax.scan(TableName=table, **counted) == {"Count": 7, "ScannedCount": 7}


def pages(operation: Any, **asked: Any) -> list[list[Any]]:
    """Return the items of every page of three."""
    found, start = [], {}
    while True:
        page = operation(Limit=3, **asked, **start)
        found.append(page["Items"])
        if "LastEvaluatedKey" not in page:
            return found
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def test_batches_and_transactions_reach_the_region_and_the_cache(dax: Any, region: Any) -> None:
    table = make(region)
    assert got(dax, table, "a") is None
    puts = [{"PutRequest": {"Item": item(key)}} for key in "abc"]
    assert dax.batch_write_item(RequestItems={table: puts}) == {"UnprocessedItems": {}}
    assert [got(dax, table, key) for key in "abc"] == [item(key) for key in "abc"]
    dax.batch_write_item(RequestItems={table: [{"DeleteRequest": {"Key": {"p": {"S": "a"}}}}]})
    assert got(dax, table, "a") is got(region, table, "a") is None
    update = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"N": "2"}}}
    dax.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table, "Item": item("d")}},
            {"Update": {"TableName": table, "Key": {"p": {"S": "b"}}, **update}},
            {"Delete": {"TableName": table, "Key": {"p": {"S": "c"}}}},
            {
                "ConditionCheck": {
                    "TableName": table,
                    "Key": {"p": {"S": "e"}},
                    "ConditionExpression": "attribute_not_exists(p)",
                }
            },
        ]
    )
    expected = [None, item("b", "2"), None, item("d")]
    assert [got(dax, table, key) for key in "abcd"] == expected
    gets = [{"Get": {"TableName": table, "Key": {"p": {"S": key}}}} for key in "abcd"]
    answered = [each.get("Item") for each in dax.transact_get_items(TransactItems=gets)["Responses"]]
    assert answered == expected


def test_legacy_parameters_mean_what_they_mean_at_the_region(dax: Any, region: Any) -> None:
    table = make(region, "SN")
    dax.put_item(TableName=table, Item={"p": {"S": "a"}, "s": {"N": "1"}, "v": {"N": "1"}, "w": {"S": "x"}})
    key = {"p": {"S": "a"}, "s": {"N": "1"}}
    assert dax.get_item(TableName=table, Key=key, AttributesToGet=["v"])["Item"] == {"v": {"N": "1"}}
    dax.update_item(TableName=table, Key=key, AttributeUpdates={"v": {"Action": "ADD", "Value": {"N": "2"}}})
    conditions = {"p": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}}
    assert dax.query(TableName=table, KeyConditions=conditions)["Items"][0]["v"] == {"N": "3"}
    with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
        dax.delete_item(TableName=table, Key=key, Expected={"v": {"Value": {"N": "9"}}})


def test_consumed_capacity_is_the_regions_and_none_from_the_cache(dax: Any, region: Any) -> None:
    table = make(region)
    asked = {"TableName": table, "ReturnConsumedCapacity": "INDEXES"}
    told = {"TableName": table, "CapacityUnits": 1.0, "Table": {"CapacityUnits": 1.0}}
    assert dax.put_item(Item=item(), **asked)["ConsumedCapacity"] == told
    free = {"TableName": table, "CapacityUnits": 0.0, "Table": {"CapacityUnits": 0.0}}
    assert dax.get_item(Key={"p": {"S": "a"}}, **asked)["ConsumedCapacity"] == free
    half = {"TableName": table, "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0.5}}
    assert dax.scan(**asked)["ConsumedCapacity"] == half
    assert dax.scan(**asked)["ConsumedCapacity"] == free


def test_the_resource_layer_works_like_that_of_boto3(fleet: Fleet, region: Any) -> None:
    name = make(region, "NN")
    with AmazonDaxClient.resource(endpoint_url=fleet.cluster.dax(EAST), region_name=EAST, **CREDENTIALS) as resource:
        table = resource.Table(name)
        with table.batch_writer() as batch:
            for number in range(30):
                batch.put_item(Item={"p": 1, "s": number, "tags": {"a", "b"}})
        assert table.get_item(Key={"p": 1, "s": 7})["Item"] == {"p": 1, "s": 7, "tags": {"a", "b"}}
        condition = boto3.dynamodb.conditions.Key("p").eq(1) & boto3.dynamodb.conditions.Key("s").between(10, 12)
        found = table.query(KeyConditionExpression=condition)["Items"]
        assert [each["s"] for each in found] == [10, 11, 12]


def test_a_client_is_made_in_every_way_its_readme_shows(
    fleet: Fleet, region: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = make(region)
    region.put_item(TableName=table, Item=item())
    url = fleet.cluster.dax(EAST)
    for name, value in fleet.environment(AWS_DEFAULT_REGION=EAST).items():
        monkeypatch.setenv(name, value)
    for made in (
        AmazonDaxClient(botocore.session.get_session(), endpoints=[url]),
        AmazonDaxClient(boto3.session.Session(), endpoint_url=url),
        AmazonDaxClient(endpoint_url=url.removeprefix("dax://")),
        AmazonDaxClient(endpoint_url=url, ip_discovery="ipv4", is_route_manager_enabled=False),
    ):
        with made as client:
            assert got(client, table) == item()
    for session in (None, botocore.session.get_session()):
        with AmazonDaxClient.resource(session, endpoint_url=url) as resource:
            assert resource.Table(table).get_item(Key={"p": "a"})["Item"] == {"p": "a", "v": 1}


# Errors


def test_errors_have_the_names_and_words_of_the_region(dax: Any, region: Any) -> None:
    table = make(region)
    dax.put_item(TableName=table, Item=item())
    failures = (
        (
            "ConditionalCheckFailedException",
            "put_item",
            {"TableName": table, "Item": item(value="2"), "ConditionExpression": "attribute_not_exists(p)"},
        ),
        (
            "ValidationException",
            "update_item",
            {
                "TableName": table,
                "Key": {"p": {"S": "a"}},
                "UpdateExpression": "SET p = :v",
                "ExpressionAttributeValues": {":v": {"S": "b"}},
            },
        ),
        (
            "ValidationException",
            "query",
            {
                "TableName": table,
                "IndexName": "none",
                "KeyConditionExpression": "p = :v",
                "ExpressionAttributeValues": {":v": {"S": "b"}},
            },
        ),
    )
    for name, operation, asked in failures:
        with pytest.raises(ClientError) as through:
            getattr(dax, operation)(**asked)
        with pytest.raises(ClientError) as straight:
            getattr(region, operation)(**asked)
        assert (
            through.value.response["Error"]
            == straight.value.response["Error"]
            == {
                "Code": name,
                "Message": straight.value.response["Error"]["Message"],
            }
        )
        assert through.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert got(dax, table) == item(), "a refused write has changed nothing"
    with pytest.raises(ClientError, match=r"ResourceNotFoundException.*Table: no-such-table not found"):
        got(dax, "no-such-table")


def test_a_cancelled_transaction_tells_why_each_of_its_items_was(dax: Any, region: Any) -> None:
    table = make(region)
    dax.put_item(TableName=table, Item=item())
    refused = {"ConditionExpression": "attribute_not_exists(p)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    with pytest.raises(ClientError) as cancelled:
        dax.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": item("b")}},
                {"Put": {"TableName": table, "Item": item(value="2"), **refused}},
            ]
        )
    assert cancelled.value.response["Error"]["Code"] == "TransactionCanceledException"
    told: Any = cancelled.value
    first, second = told.cancellation_reasons[:3], told.cancellation_reasons[3:]
    assert first == ["None", None, None]
    assert second[:2] == ["ConditionalCheckFailed", "The conditional request failed"]
    assert isinstance(second[2], bytes), "the item that was there"
    assert got(dax, table) == item()
    assert got(dax, table, "b") is None


def test_tables_are_not_managed_through_a_cache(dax: Any) -> None:
    with pytest.raises(NotImplementedError, match="Table operations are not supported on DAX"):
        dax.create_table(TableName="x")


# What DAX promises


def test_a_write_in_another_region_shows_when_the_time_to_live_is_over_and_not_before(fleet: Fleet) -> None:
    table = f"dax-{next(_numbers)}"
    fleet.cluster.create_global_table(table, hash_key="p")
    key = {"p": {"S": "a"}}
    with connect(fleet.cluster.dax(EAST)) as slow, connect(fleet.cluster.dax(NORTH, item_ttl_ms=300), NORTH) as brief:
        slow.put_item(TableName=table, Item=item(value="1"))
        fleet.wait_replicated(table)
        for client in (slow, brief):
            assert got(client, table) == item(value="1")
        fleet.clients[WEST].put_item(TableName=table, Item=item(value="2"))
        fleet.wait_replicated(table)
        assert fleet.clients[EAST].get_item(TableName=table, Key=key)["Item"] == item(value="2")
        assert got(slow, table) == item(value="1"), "replication does not invalidate"
        fleet.wait(lambda: got(brief, table) == item(value="2"))
        assert got(slow, table, ConsistentRead=True) == item(value="2")
        assert got(slow, table) == item(value="1"), "a consistent read is not held"


def test_with_the_switch_writes_of_others_show_as_soon_as_they_are_in_the_log(fleet: Fleet) -> None:
    table = f"dax-{next(_numbers)}"
    fleet.cluster.create_global_table(table, hash_key="p")
    with connect(fleet.cluster.dax(WEST, invalidate=True), WEST) as fresh:
        query = {
            "TableName": table,
            "KeyConditionExpression": "p = :p",
            "ExpressionAttributeValues": {":p": {"S": "a"}},
        }
        assert got(fresh, table) is None
        assert fresh.query(**query)["Items"] == []
        for number, writer in enumerate((EAST, WEST, NORTH)):
            fleet.clients[writer].put_item(TableName=table, Item=item(value=str(number)))
            fleet.wait(lambda number=number: got(fresh, table) == item(value=str(number)))
            fleet.wait(lambda number=number: fresh.query(**query)["Items"] == [item(value=str(number))])
        fleet.clients[EAST].delete_item(TableName=table, Key={"p": {"S": "a"}})
        fleet.wait(lambda: got(fresh, table) is None)


def test_that_an_item_does_not_exist_is_held_until_it_is_written_through_the_cache(dax: Any, region: Any) -> None:
    table = make(region)
    assert got(dax, table) is None
    region.put_item(TableName=table, Item=item())
    assert got(dax, table) is None
    dax.update_item(
        TableName=table,
        Key={"p": {"S": "a"}},
        UpdateExpression="SET v = v + :v",
        ExpressionAttributeValues={":v": {"N": "1"}},
    )
    assert got(dax, table) == item(value="2")


def test_results_of_queries_are_held_whatever_is_written(dax: Any, region: Any) -> None:
    table = make(region)
    scan = {"TableName": table}
    assert dax.scan(**scan)["Count"] == 0
    dax.put_item(TableName=table, Item=item())
    assert dax.scan(**scan)["Count"] == 0, "a write does not change a result that is held"
    assert dax.scan(**scan, ConsistentRead=True)["Count"] == 1
    assert dax.scan(**scan, Limit=10)["Count"] == 1, "other parameters are another result"
    region.put_item(TableName=table, Item=item(value="2"))
    assert dax.scan(**scan, Limit=20)["Items"] == [item(value="2")]
    assert got(dax, table) == item(), "a result does not change an item that is held"


def test_an_item_is_one_however_its_key_is_spelt(dax: Any, region: Any) -> None:
    table = make(region, "N")
    region.put_item(TableName=table, Item={"p": {"N": "1"}, "v": {"S": "old"}})
    assert dax.get_item(TableName=table, Key={"p": {"N": "1.0"}})["Item"]["v"] == {"S": "old"}
    dax.put_item(TableName=table, Item={"p": {"N": "1.00"}, "v": {"S": "new"}})
    assert dax.get_item(TableName=table, Key={"p": {"N": "1"}})["Item"]["v"] == {"S": "new"}


# What a connection may send


def test_bytes_that_are_no_request_end_their_own_connection_only(fleet: Fleet, dax: Any, region: Any) -> None:
    table = make(region)
    address = urlsplit(fleet.cluster.dax(EAST))
    hello = b"".join(frames.encode(each) for each in ("J7yne5G", 0, None, {}, 0))
    create = frames.encode(1) + frames.encode(-313431286)
    torn = frames.encode(1) + frames.encode(requests.GET) + b"\x5a\x00\x00\xff\xff"
    answers = {b"GET / HTTP/1.1\r\n\r\n": True, hello + b"\xff": True, hello + create: True, hello + torn: False}
    for sent, answered in answers.items():
        with socket.create_connection((address.hostname, address.port), timeout=10) as raw:
            raw.sendall(sent)
            if answered:
                told = b"".join(iter(lambda raw=raw: raw.recv(65536), b""))  # type: ignore[misc]  # Until it ends.
                assert frames.sequence(told)[2][1] == "ValidationException"
    dax.put_item(TableName=table, Item=item())
    assert got(dax, table) == item()


def test_arguments_that_make_no_sense_are_refused_and_the_connection_goes_on(fleet: Fleet, region: Any) -> None:
    table = make(region)
    address = urlsplit(fleet.cluster.dax(EAST))
    hello = b"".join(frames.encode(each) for each in ("J7yne5G", 0, None, {}, 0))
    wrong: tuple[tuple[Any, ...], ...] = (
        (requests.GET, 5, b"k", None),
        (requests.QUERY, table.encode(), b"\xff", None),
        (requests.PUT, table.encode(), 1, 2, 3),
        (requests.TRANSACT_WRITE, [2], [], None, None, None, None, None, None, None),
        (requests.BATCH_GET, {table: [False, None, [1]]}, None),
    )
    with socket.create_connection((address.hostname, address.port), timeout=10) as raw:
        raw.sendall(hello)
        for method, *arguments in wrong:
            raw.sendall(b"".join(frames.encode(each) for each in (1, method, *arguments)))
            codes, _, about = frames.sequence(raw.recv(65536))
            assert codes[0] == 4
            assert about[1] in ("ValidationException", "ResourceNotFoundException")


# AWS's own way in


def test_the_steps_of_awss_guide_run_unchanged(fleet: Fleet) -> None:
    program = Path(__file__).with_name("try_dax.py")
    variables = fleet.environment(AWS_DEFAULT_REGION=EAST, AWS_ENDPOINT_URL_DYNAMODB=fleet.endpoint(EAST))
    through = fleet.cluster.dax(EAST)

    def run(steps: str, *endpoint: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, str(program), steps, *endpoint], env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert run("create,write") == ["created", "wrote 100 items"]
    assert run("get,query,scan", through) == ["got 500 items", "queried {8}", "scanned {100}"]


def test_what_was_counted_is_shown(fleet: Fleet, dax: Any, region: Any) -> None:
    table = make(region)
    dax.put_item(TableName=table, Item=item())
    before = figures(fleet)
    for _ in range(3):
        got(dax, table)
    got(dax, table, "none")
    after = figures(fleet)
    assert after["item"]["hits"] - before["item"]["hits"] == 3
    assert after["item"]["misses"] - before["item"]["misses"] == 1
    assert after["requests"]["GetItem"] - before["requests"]["GetItem"] == 4


def figures(fleet: Fleet) -> dict[str, Any]:
    shown = subprocess.run(
        [sys.executable, "-P", "-m", "atoll", "dax", "stats", "--json", "--url", fleet.cluster.dax_admin(EAST)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(shown.stdout)
    return found
