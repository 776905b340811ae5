"""A partition, conflicting writes on both sides, and what is left when it heals.

Run it with ``python examples/partition_and_heal.py``; it needs boto3. What it shows is what DynamoDB global tables do:
both sides stay writable, and when the link is back the last writer wins, item by item. What AWS does not show, Atoll
does: the write that lost is on record.
"""

from __future__ import annotations

from typing import Any

from atoll import Cluster

EAST, WEST = "us-east-1", "eu-west-1"


def main() -> None:
    """Cut two regions apart, write on both sides, heal, and compare."""
    with Cluster(regions=(EAST, WEST)) as cluster:
        cluster.create_global_table("stock", hash_key="sku")
        east, west = cluster.client(EAST), cluster.client(WEST)
        east.put_item(TableName="stock", Item={"sku": {"S": "coconut"}, "left": {"N": "10"}})
        cluster.wait_converged("stock")
        print(f"Before: both regions have {left(east)} coconuts.")

        cluster.pause(EAST)
        print("Paused: nothing goes into or out of us-east-1. Both sides stay writable:")

        sell(east, 3)
        print(f"  us-east-1 sells 3 and has {left(east)} left.")
        sell(west, 4)
        print(f"  eu-west-1 sells 4 and has {left(west)} left.")

        lag = next(link for link in cluster.admin(EAST).status().links if link.sink == WEST)
        print(f"  The link us-east-1->eu-west-1 is {lag.state}, {lag.records_behind} change behind.")

        cluster.resume(EAST)
        cluster.wait_converged("stock")
        print(f"Healed: both regions have {left(east)} coconuts ({left(west)} in eu-west-1).")
        print("Seven were sold, but the last writer won and one sale is lost: 3 is what 10 - 7 would be.")

        # Each region records the conflicts that it settled; both saw this one.
        conflict = cluster.admin(WEST).conflicts()[0]
        winner, loser = conflict["winner"], conflict["loser"]
        print(f"On record: {winner['origin']} won over {loser['origin']} by {conflict['margin_ms']} ms;")
        print(f"  lost: {loser['image']}")


def sell(client: Any, count: int) -> None:
    """Take coconuts from the stock, if there are enough: the condition is judged by the region that is asked."""
    client.update_item(
        TableName="stock",
        Key={"sku": {"S": "coconut"}},
        UpdateExpression="SET #left = #left - :count",
        ConditionExpression="#left >= :count",
        ExpressionAttributeNames={"#left": "left"},
        ExpressionAttributeValues={":count": {"N": str(count)}},
    )


def left(client: Any) -> int:
    """Return how many coconuts a region believes to have."""
    key = {"sku": {"S": "coconut"}}
    answer = client.get_item(TableName="stock", Key=key)
    return int(answer["Item"]["left"]["N"])


if __name__ == "__main__":
    main()
