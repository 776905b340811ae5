"""A session store: sessions that end by themselves, and a stream that tells which ones did.

Run it with ``python examples/session_store.py``; it needs boto3. Time to live removes an item some time after the
moment in its attribute: on AWS within days, here within the region's ``ttl.sweep_ms``. So whoever reads a session looks
at the moment too, and never trusts that it is gone.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

import boto3

from atoll import Cluster
from atoll.config import Config, TtlConfig

REGION = "us-east-1"


class SessionStore:
    """Sessions by their id. ``life_s`` is for how long one lasts after its last use."""

    def __init__(self, client: Any, life_s: int) -> None:
        self._client = client
        self._life_s = life_s

    def create_table(self) -> str:
        """Make the table, and return the ARN of its stream."""
        answer = self._client.create_table(
            TableName="sessions",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self._client.update_time_to_live(
            TableName="sessions", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ends_at"}
        )
        return str(answer["TableDescription"]["LatestStreamArn"])

    def login(self, user: str) -> str:
        """Begin a session and return its id."""
        session_id = secrets.token_urlsafe(16)
        item = {"id": {"S": session_id}, "user": {"S": user}, "ends_at": self._end()}
        self._client.put_item(TableName="sessions", Item=item)
        return session_id

    def use(self, session_id: str) -> str | None:
        """Return whose session it is, and let it last longer; ``None`` where it has ended."""
        try:
            answer = self._client.update_item(
                TableName="sessions",
                Key={"id": {"S": session_id}},
                UpdateExpression="SET ends_at = :end",
                # One that has ended may still be there; without this it would come back to life.
                ConditionExpression="ends_at > :now",
                ExpressionAttributeValues={":end": self._end(), ":now": {"N": str(int(time.time()))}},
                ReturnValues="ALL_NEW",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return str(answer["Attributes"]["user"]["S"])

    def logout(self, session_id: str) -> None:
        """End a session now."""
        self._client.delete_item(TableName="sessions", Key={"id": {"S": session_id}})

    def _end(self) -> dict[str, str]:
        return {"N": str(int(time.time()) + self._life_s)}


def main() -> None:
    """Log in, come back, log out, and let a session end."""
    swift = Config(ttl=TtlConfig(sweep_ms=100))
    with Cluster(regions=(REGION,), template=swift) as cluster:
        sessions = SessionStore(cluster.client(REGION), life_s=60)
        stream = sessions.create_table()

        ada, bob = sessions.login("ada"), sessions.login("bob")
        print(f"Two sessions: {sessions.use(ada)} and {sessions.use(bob)}.")
        sessions.logout(bob)
        print(f"Bob has logged out: {sessions.use(bob)}.")
        SessionStore(cluster.client(REGION), life_s=1).use(ada)
        time.sleep(1.05)
        print(f"Ada had a second, and was away for longer: {sessions.use(ada)}.")

        for how in endings(cluster.endpoint(REGION), stream):
            print(f"The stream says: {how}")


def endings(endpoint: str, stream_arn: str) -> list[str]:
    """Read the stream until it has told of both ends, and say how each came about."""
    streams: Any = boto3.client(
        "dynamodbstreams",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="a",
        aws_secret_access_key="a",
    )
    shards = streams.describe_stream(StreamArn=stream_arn)["StreamDescription"]["Shards"]
    iterators = [
        streams.get_shard_iterator(StreamArn=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        for shard in shards
    ]
    found: list[str] = []
    while len(found) < 2:
        pages = [streams.get_records(ShardIterator=iterator) for iterator in iterators]
        iterators = [page["NextShardIterator"] for page in pages]
        for record in (record for page in pages for record in page["Records"]):
            if record["eventName"] == "REMOVE":
                user = record["dynamodb"]["OldImage"]["user"]["S"]
                expired = record.get("userIdentity", {}).get("PrincipalId") == "dynamodb.amazonaws.com"
                found.append(f"{user}'s session {'has expired' if expired else 'was ended by a logout'}.")
    return sorted(found)


if __name__ == "__main__":
    main()
