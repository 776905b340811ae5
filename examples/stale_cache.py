"""A cache in one region, a write in another: replication does not reach what a cache holds, until its time is over.

DAX holds what it has read for five minutes, and knows nothing of what other regions write. An application that reads
through a cache in one region and writes in another sees its own past. This shows it, and two ways out: a consistent
read, and Atoll's switch that DAX does not have. Run it: ``python examples/stale_cache.py`` (needs
``pip install amazon-dax-client boto3``).
"""

from __future__ import annotations

from typing import Any

from amazondax import AmazonDaxClient

from atoll import Cluster

VIRGINIA, IRELAND = "us-east-1", "eu-west-1"


def connect(cluster: Cluster, region: str, **settings: Any) -> Any:
    """Return AWS's own DAX client, for the cache of a region."""
    return AmazonDaxClient(
        endpoint_url=cluster.dax(region, **settings),
        region_name=region,
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )


def state(client: Any, **more: Any) -> str:
    """Return the state of the order, as a client sees it."""
    item = client.get_item(TableName="orders", Key={"id": {"S": "1"}}, **more)["Item"]
    return str(item["state"]["S"])


def main() -> None:
    """Read, write elsewhere, read again."""
    with Cluster((VIRGINIA, IRELAND)) as cluster:
        cluster.create_global_table("orders")
        order = {"id": {"S": "1"}, "state": {"S": "paid"}}
        with connect(cluster, VIRGINIA) as cached, connect(cluster, IRELAND, invalidate=True) as followed:
            cached.put_item(TableName="orders", Item=order)
            cluster.wait_converged("orders")
            print(f"Virginia's cache: {state(cached)}. Ireland's cache: {state(followed)}.")

            cluster.client(IRELAND).put_item(TableName="orders", Item={**order, "state": {"S": "cancelled"}})
            cluster.wait_converged("orders")
            print("Ireland cancels the order. Both regions hold that.")
            print(f"Virginia's table, read consistently: {state(cached, ConsistentRead=True)}")
            print(f"Virginia's cache: {state(cached)}, for the rest of five minutes.")
            while state(followed) != "cancelled":  # Until the news of the change is there: milliseconds.
                pass
            print(f"Ireland's cache, which follows the change log: {state(followed)}")


if __name__ == "__main__":
    main()
