"""Simulated applications: botocore's own errors and shapes, virtual time, and claims that fail when they are false."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

import atoll
from atoll.failure import UsageError

EAST, WEST = "us-east-1", "us-west-2"


def under_one_seed(scene: Any) -> None:
    atoll.simulated(seeds=[7], regions=(EAST, WEST))(scene)()


def item(key: str, value: str = "x") -> dict[str, Any]:
    return {"pk": {"S": key}, "value": {"S": value}}


def test_operations_paginators_and_waiters_are_those_of_botocore() -> None:
    async def scene(world: Any) -> None:
        async with world.session.client("dynamodb", region_name=EAST) as client:
            await world.create_global_table("songs")
            await client.get_waiter("table_exists").wait(TableName="songs")
            for number in range(5):
                await client.put_item(TableName="songs", Item={"pk": {"S": str(number)}, "raw": {"B": b"\x00\xff"}})
            pages = [page async for page in client.get_paginator("scan").paginate(TableName="songs", Limit=2)]
            assert [len(page["Items"]) for page in pages] == [2, 2, 1]
            assert pages[0]["Items"][0]["raw"] == {"B": b"\x00\xff"}
            writes = [{"Put": {"TableName": "songs", "Item": item(key)}} for key in ("a", "b")]
            await client.transact_write_items(TransactItems=writes)
            with pytest.raises(AttributeError):
                client.sing()

    under_one_seed(scene)


def test_errors_are_botocores_own() -> None:
    async def scene(world: Any) -> None:
        client = world.client(EAST)
        with pytest.raises(ClientError) as refused:
            await client.get_item(TableName="nothing", Key={"pk": {"S": "a"}})
        assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        with pytest.raises(ParamValidationError):
            await client.get_item(TableName=7)
        await world.crash(EAST)
        with pytest.raises(EndpointConnectionError):
            await client.list_tables()

    under_one_seed(scene)


def test_a_day_of_waiting_takes_no_time() -> None:
    async def scene(world: Any) -> None:
        await asyncio.sleep(3600)

    began = time.monotonic()
    under_one_seed(scene)
    assert time.monotonic() - began < 600


def test_a_partition_holds_back_writes_and_heals() -> None:
    async def scene(world: Any) -> None:
        await world.create_global_table("songs")
        await world.partition(EAST)
        await world.client(EAST).put_item(TableName="songs", Item=item("a"))
        await asyncio.sleep(30)
        west = world.client(WEST)
        assert "Item" not in await west.get_item(TableName="songs", Key={"pk": {"S": "a"}})
        await world.assert_converges()
        assert "Item" in await west.get_item(TableName="songs", Key={"pk": {"S": "a"}})

    under_one_seed(scene)


def test_a_lost_write_is_found_even_where_both_wrote_the_same() -> None:
    async def scene(world: Any) -> None:
        await world.create_global_table("songs")
        await world.partition(EAST)
        for region in world.regions:
            await world.client(region).put_item(TableName="songs", Item=item("a"))
        with pytest.raises(AssertionError, match=r"PutItem of songs/a in \S+ lost to a concurrent write of"):
            await world.assert_no_lost_writes()

    under_one_seed(scene)


def test_a_write_that_was_replaced_knowingly_is_not_lost() -> None:
    async def scene(world: Any) -> None:
        await world.create_global_table("songs")
        await world.delay(EAST, WEST, ms=300)
        await world.client(EAST).put_item(TableName="songs", Item=item("a", "first"))
        await world.settle()
        await world.client(WEST).put_item(TableName="songs", Item=item("a", "second"))
        await world.crash(WEST, for_s=1)
        await world.assert_no_lost_writes()
        await world.assert_converges()

    under_one_seed(scene)


def test_what_fails_names_its_seed_and_how_to_run_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    @atoll.simulated(seeds=5, regions=2)
    async def unlucky(world: Any) -> None:
        seen.append(world.seed)
        assert world.seed != 3, "unlucky"

    with pytest.raises(AssertionError) as failed:
        unlucky()
    assert seen == [1, 2, 3]
    assert "ATOLL_SEEDS=3 python -m pytest" in failed.value.__notes__[0]
    assert "::unlucky" in failed.value.__notes__[0]
    monkeypatch.setenv("ATOLL_SEEDS", "2")
    unlucky()
    assert seen == [1, 2, 3, 2]


def test_a_seed_does_the_same_again() -> None:
    heard: list[list[float]] = []

    async def scene(world: Any) -> None:
        loop = asyncio.get_running_loop()
        await world.create_global_table("songs")
        moments = []
        for number in range(10):
            await world.client(EAST).put_item(TableName="songs", Item=item(str(number)))
            moments.append(loop.time())
        heard.append(moments)

    run = atoll.simulated(seeds=[4, 4, 5], regions=(EAST, WEST), nemesis="weather", for_s=2)(scene)
    run()
    assert heard[0] == heard[1]
    assert heard[0] != heard[2]


def test_a_region_or_a_kind_of_client_that_there_is_not_is_refused() -> None:
    async def scene(world: Any) -> None:
        with pytest.raises(UsageError, match="There is no region mars"):
            world.client("mars")
        with pytest.raises(UsageError, match="no s3"):
            world.session.client("s3")

    under_one_seed(scene)
