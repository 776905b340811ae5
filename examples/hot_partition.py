"""A hot partition: found by Contributor Insights, and spread over several.

Run it with ``python examples/hot_partition.py``; it needs boto3. Events are kept by day, so all of today's writes go to
one partition, and on AWS a partition takes no more than 1,000 write units a second. With a number behind the day they
go to as many partitions as there are numbers; who reads a day asks for all of them.
"""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

from atoll import Cluster

REGION, TODAY = "us-east-1", "2026-11-27"
SHARDS = 4


def main() -> None:
    """Write events of a day in two ways, and compare what is hot."""
    rng = random.Random(1)
    with Cluster(regions=(REGION,)) as cluster:
        client = cluster.client(REGION)
        for table in ("by_day", "by_day_and_shard"):
            cluster.create_global_table(table, hash_key="day", range_key=("number", "N"))
            client.update_contributor_insights(TableName=table, ContributorInsightsAction="ENABLE")
        for number in range(40):
            put(client, "by_day", TODAY, number)
            # Chance spreads evenly, whatever the events are about; an attribute of theirs may itself be hot.
            put(client, "by_day_and_shard", f"{TODAY}#{rng.randrange(SHARDS)}", number)
        hot(cluster, "by_day")
        hot(cluster, "by_day_and_shard")
        print(f"Reading the day finds {read(client)} events, with {SHARDS} queries.")


def put(client: Any, table: str, day: str, number: int) -> None:
    """Write an event."""
    client.put_item(TableName=table, Item={"day": {"S": day}, "number": {"N": str(number)}})


def read(client: Any) -> int:
    """Count the events of the day that is spread over partitions."""
    found = 0
    for shard in range(SHARDS):
        pages = client.get_paginator("query").paginate(
            TableName="by_day_and_shard",
            KeyConditionExpression="#day = :day",
            ExpressionAttributeNames={"#day": "day"},
            ExpressionAttributeValues={":day": {"S": f"{TODAY}#{shard}"}},
            Select="COUNT",
        )
        found += sum(page["Count"] for page in pages)
    return found


def hot(cluster: Cluster, table: str) -> None:
    """Run ``atoll hot`` as a person would."""
    command = [sys.executable, "-P", "-m", "atoll", "hot", table, "--cluster", str(cluster.data)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    print("".join(f"{line.rstrip()}\n" for line in shown.splitlines()))


if __name__ == "__main__":
    main()
