"""A session that moves between regions: it reads its own writes everywhere, and never reads backwards.

Run it with ``python examples/read_your_writes.py``; it needs boto3 and nothing else.
"""

from __future__ import annotations

from botocore.config import Config as ClientConfig
from botocore.exceptions import ClientError

from atoll import Cluster
from atoll.config import Config, SessionConfig
from atoll.session import Session

EAST, WEST = "us-east-1", "eu-west-1"
ONCE = ClientConfig(retries={"total_max_attempts": 1})
"""botocore tries a 503 again by itself; here it shall show."""
KEY = {"sku": {"S": "coconut"}}


def main() -> None:
    """Write in one region and read in the other, with and without a session, and across a cut."""
    patience = Config(session=SessionConfig(wait_ms=500))
    with Cluster(regions=(EAST, WEST), template=patience) as cluster:
        cluster.create_global_table("stock", hash_key="sku")

        session = Session()
        east = session.attach(cluster.client(EAST))
        west = session.attach(cluster.client(WEST, config=ONCE))

        stale = 0
        for left in range(100, 0, -1):
            east.put_item(TableName="stock", Item={**KEY, "left": {"N": str(left)}})
            item = west.get_item(TableName="stock", Key=KEY)["Item"]
            stale += int(item["left"]["N"]) != left
        print(f"Read 100 writes in the other region at once: {stale} were stale.")
        print(f"The token that made it so: {session.token}")

        # While nothing travels, a read that would break the promise is refused after a while, not answered wrongly.
        cluster.pause(f"{EAST}->{WEST}")
        east.put_item(TableName="stock", Item={**KEY, "left": {"N": "0"}})
        try:
            west.get_item(TableName="stock", Key=KEY)
        except ClientError as error:
            print(f"Paused: {WEST} answers {error.response['Error']['Code']} to this session.")
        session.detach(west)
        left_s = west.get_item(TableName="stock", Key=KEY)["Item"]["left"]["N"]
        print(f"Without the session it answers what it has: {left_s} left.")

        cluster.resume(f"{EAST}->{WEST}")
        session.attach(west)
        print(f"Healed: {west.get_item(TableName='stock', Key=KEY)['Item']['left']['N']} left.")


if __name__ == "__main__":
    main()
