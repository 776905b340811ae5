"""What transactions report of their cost: twice that of single operations, in the right kind of units."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from transaction_region import TransactionRegion, check, delete, get, key, put

SORTED = {"pk": {"S": "a"}, "sk": {"S": "b"}}


@pytest.fixture
async def region() -> AsyncIterator[TransactionRegion]:
    region = await TransactionRegion().start()
    yield region
    await region.engine.close()


def units(member: str, number: float) -> dict[str, float]:
    return {"CapacityUnits": number, member: number}


async def test_writes_cost_twice_their_size_by_table_in_the_order_of_the_request(region: TransactionRegion) -> None:
    answer = await region.write(
        put(SORTED | {"v": {"S": "x" * 2000}}, "indexed"),
        put(key("a") | {"v": {"S": "x" * 3000}}),
        delete(key("missing")),
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer == {
        "ConsumedCapacity": [
            {"TableName": "indexed", **units("WriteCapacityUnits", 4.0)},
            {"TableName": "plain", **units("WriteCapacityUnits", 8.0)},
        ]
    }


async def test_a_check_costs_the_size_of_its_item(region: TransactionRegion) -> None:
    await region.write(put(key("a") | {"v": {"S": "x" * 3000}}))
    answer = await region.write(
        check(key("a"), "attribute_exists(pk)"),
        check(key("b"), "attribute_not_exists(pk)"),
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["ConsumedCapacity"] == [{"TableName": "plain", **units("WriteCapacityUnits", 8.0)}]


async def test_indexes_are_reported_apart(region: TransactionRegion) -> None:
    item = SORTED | {"g": {"S": "1"}, "l": {"S": "1"}}
    answer = await region.write(put(item, "indexed"), ReturnConsumedCapacity="INDEXES")
    assert answer["ConsumedCapacity"] == [
        {
            "TableName": "indexed",
            **units("WriteCapacityUnits", 6.0),
            "Table": units("WriteCapacityUnits", 2.0),
            "LocalSecondaryIndexes": {"local": units("WriteCapacityUnits", 2.0)},
            "GlobalSecondaryIndexes": {"global": units("WriteCapacityUnits", 2.0)},
        }
    ]


async def test_reads_cost_twice_those_of_consistent_reads(region: TransactionRegion) -> None:
    await region.write(put(key("a") | {"v": {"S": "x" * 5000}}))
    answer = await region.read(
        get(key("a")), get(SORTED, "indexed"), get(key("missing")), ReturnConsumedCapacity="INDEXES"
    )
    assert answer["ConsumedCapacity"] == [
        {"TableName": "plain", **units("ReadCapacityUnits", 6.0), "Table": units("ReadCapacityUnits", 6.0)},
        {"TableName": "indexed", **units("ReadCapacityUnits", 2.0), "Table": units("ReadCapacityUnits", 2.0)},
    ]


async def test_a_repeated_request_costs_what_reading_its_items_costs(region: TransactionRegion) -> None:
    def request() -> dict[str, Any]:
        return put(key("a") | {"v": {"S": "x" * 5000}})

    first = await region.write(request(), ClientRequestToken="t", ReturnConsumedCapacity="TOTAL")
    again = await region.write(request(), ClientRequestToken="t", ReturnConsumedCapacity="TOTAL")
    assert first["ConsumedCapacity"] == [{"TableName": "plain", **units("WriteCapacityUnits", 10.0)}]
    assert again["ConsumedCapacity"] == [{"TableName": "plain", **units("ReadCapacityUnits", 4.0)}]


@pytest.mark.parametrize("mode", [None, "NONE"])
async def test_nothing_is_reported_unless_asked_for(region: TransactionRegion, mode: str | None) -> None:
    asked = {} if mode is None else {"ReturnConsumedCapacity": mode}
    assert await region.write(put(key("a")), **asked) == {}
    assert await region.read(get(key("a")), **asked) == {"Responses": [{"Item": key("a")}]}


async def test_each_collection_written_to_is_measured_once(region: TransactionRegion) -> None:
    answer = await region.write(
        put(SORTED, "indexed"),
        put(SORTED | {"sk": {"S": "c"}}, "indexed"),
        check({"pk": {"S": "x"}, "sk": {"S": "x"}}, "attribute_not_exists(pk)", "indexed"),
        put(key("a")),
        ReturnItemCollectionMetrics="SIZE",
    )
    assert answer == {
        "ItemCollectionMetrics": {
            "indexed": [{"ItemCollectionKey": {"pk": {"S": "a"}}, "SizeEstimateRangeGB": [0.0, 1.0]}]
        }
    }
