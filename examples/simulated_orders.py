"""An application under simulation: the same asynchronous code, a hundred bad days, in a few seconds.

Two shops on two coasts sell from one stock. ``naive_sale`` takes from what all regions share; ``reserved_sale`` takes
from a share of its own region, which no other region writes to. The simulation shows which of them loses sales.

Run it with ``python examples/simulated_orders.py``, or let pytest collect it: ``pytest examples/simulated_orders.py``.
"""

from __future__ import annotations

import asyncio
from typing import Any

import atoll

EAST, WEST = "us-east-1", "us-west-2"


async def naive_sale(client: Any, sku: str) -> None:
    """Take one from the stock that everybody shares."""
    await client.update_item(
        TableName="stock",
        Key={"pk": {"S": sku}},
        UpdateExpression="SET #left = #left - :one",
        ConditionExpression="#left >= :one",
        ExpressionAttributeNames={"#left": "left"},
        ExpressionAttributeValues={":one": {"N": "1"}},
    )


async def reserved_sale(client: Any, sku: str) -> None:
    """Take one from the share of this region."""
    await naive_sale(client, f"{sku}@{client.region}")


async def stock(world: Any, *skus: str) -> None:
    """Make the global table, and put ten of everything on the shelf."""
    await world.create_global_table("stock")
    for sku in skus:
        item = {"pk": {"S": sku}, "left": {"N": "10"}}
        await world.client(EAST).put_item(TableName="stock", Item=item)
    await world.settle()


@atoll.simulated(seeds=5, regions=(EAST, WEST))
async def test_a_shared_stock_loses_sales(world: Any) -> None:
    """Sell in both regions while they do not hear each other: one sale is forgotten."""
    await stock(world, "coconut")
    await world.partition(EAST)
    for region in world.regions:
        await naive_sale(world.client(region), "coconut")
    try:
        await world.assert_no_lost_writes()
    except AssertionError as error:
        print(f"seed {world.seed}: {error}")
    else:
        raise AssertionError("two sales of one stock in a partition, and nothing was lost?")


@atoll.simulated(seeds=20, regions=(EAST, WEST), nemesis=("swizzle", "weather"), for_s=20)
async def test_reserved_shares_lose_nothing(world: Any) -> None:
    """Sell from shares for twenty seconds of cuts, delays and broken connections: every sale counts."""
    await stock(world, *(f"coconut@{region}" for region in world.regions))
    for _ in range(8):
        for region in world.regions:
            await reserved_sale(world.client(region), "coconut")
        await asyncio.sleep(world.rng.uniform(0, 2))
    await world.assert_no_lost_writes()
    await world.assert_converges()
    for region in world.regions:
        for sku in (f"coconut@{EAST}", f"coconut@{WEST}"):
            answer = await world.client(region).get_item(TableName="stock", Key={"pk": {"S": sku}})
            assert answer["Item"]["left"] == {"N": "2"}


def main() -> None:
    """Run both, and say what came out."""
    test_a_shared_stock_loses_sales()
    print("A shared stock lost a sale under every seed.")
    test_reserved_shares_lose_nothing()
    print("Reserved shares lost nothing under twenty seeds.")


if __name__ == "__main__":
    main()
