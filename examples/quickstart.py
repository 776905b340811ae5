"""Three regions, one global table: write in one region, read in another.

Run it with ``python examples/quickstart.py``; it needs boto3 and nothing else: no account, no Docker, no Java.
"""

from __future__ import annotations

import time
from typing import Any

from atoll import Cluster


def main() -> None:
    """Start three regions, make a table global, and watch a write travel."""
    with Cluster(regions=("us-east-1", "eu-west-1", "ap-northeast-1")) as cluster:
        virginia = cluster.client("us-east-1")
        ireland = cluster.client("eu-west-1")

        # A table is born in one region...
        virginia.create_table(
            TableName="orders",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        virginia.get_waiter("table_exists").wait(TableName="orders", WaiterConfig={"Delay": 1})
        print("Created the table orders in us-east-1.")

        # ...and becomes global one replica at a time, exactly as on AWS.
        for region in ("eu-west-1", "ap-northeast-1"):
            virginia.update_table(TableName="orders", ReplicaUpdates=[{"Create": {"RegionName": region}}])
            while not is_active(virginia, region):
                time.sleep(0.01)
            print(f"Added a replica in {region}.")

        virginia.put_item(TableName="orders", Item={"id": {"S": "1"}, "item": {"S": "a coconut"}})
        written = time.perf_counter()
        print("Wrote order 1 in us-east-1.")

        # Replication is asynchronous: a reader elsewhere sees the write a moment later.
        while "Item" not in (answer := ireland.get_item(TableName="orders", Key={"id": {"S": "1"}})):
            time.sleep(0.001)
        elapsed_ms = (time.perf_counter() - written) * 1000
        print(f"Read it in eu-west-1 {elapsed_ms:.0f} ms later: {answer['Item']['item']['S']}.")

        # Every replica takes writes.
        ireland.update_item(
            TableName="orders",
            Key={"id": {"S": "1"}},
            UpdateExpression="SET #s = :s",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":s": {"S": "shipped"}},
        )
        cluster.wait_converged("orders")
        for region in cluster.regions:
            item = cluster.client(region).get_item(TableName="orders", Key={"id": {"S": "1"}})["Item"]
            print(f"{region:<16}{item['item']['S']}, {item['status']['S']}")


def is_active(client: Any, region: str) -> bool:
    """Whether the replica in the region is ACTIVE, as the client's region sees it."""
    table = client.describe_table(TableName="orders")["Table"]
    replicas = {replica["RegionName"]: replica["ReplicaStatus"] for replica in table.get("Replicas", [])}
    return table["TableStatus"] == "ACTIVE" and replicas.get(region) == "ACTIVE"


if __name__ == "__main__":
    main()
