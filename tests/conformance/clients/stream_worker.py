"""A consumer of streams as the Kinesis Client Library is one: a lease per shard, parents before children, checkpoints.

What it takes from DynamoDB Streams is what the library takes from it: the lineage in DescribeStream, iterators by
TRIM_HORIZON and AFTER_SEQUENCE_NUMBER, the end of a shard in GetRecords. A record counts as consumed together with its
checkpoint, so that a record that comes twice, or never, is the stream's fault.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

SHARD_END = "SHARD_END"


class Worker:
    """Consumes one stream; ``leases`` may be those of a worker that is gone, whose place this one takes."""

    def __init__(self, streams: Any, arn: str, leases: dict[str, str | None] | None = None) -> None:
        self.streams = streams
        self.arn = arn
        self.leases: dict[str, str | None] = leases if leases is not None else {}
        """The checkpoint of each shard: ``None``, a sequence number, or SHARD_END."""
        self.records: list[dict[str, Any]] = []
        self.parents: dict[str, str | None] = {}
        self.failures = 0
        self._iterators: dict[str, str] = {}

    def round(self) -> int:
        """Look for shards and read one page of each that may be read; return how many records came."""
        before = len(self.records)
        try:
            self._discover()
            for shard in [shard for shard in self.leases if self._may_read(shard)]:
                self._read(shard)
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                raise
            # The region is away. Iterators may have been lost with the answer that carried them.
            self.failures += 1
            self._iterators.clear()
        return len(self.records) - before

    def by_item(self, name: str) -> dict[str, list[dict[str, Any]]]:
        """Return the changes in the order of their consumption by the value of a key attribute."""
        found: dict[str, list[dict[str, Any]]] = {}
        for record in self.records:
            found.setdefault(record["dynamodb"]["Keys"][name]["S"], []).append(record["dynamodb"])
        return found

    def _discover(self) -> None:
        more: dict[str, str] = {}
        while True:
            description = self.streams.describe_stream(StreamArn=self.arn, Limit=10, **more)["StreamDescription"]
            for shard in description["Shards"]:
                self.parents[shard["ShardId"]] = shard.get("ParentShardId")
                self.leases.setdefault(shard["ShardId"], None)
            if "LastEvaluatedShardId" not in description:
                return
            more = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}

    def _may_read(self, shard: str) -> bool:
        parent = self.parents[shard]
        return self.leases[shard] != SHARD_END and (parent is None or self.leases.get(parent, SHARD_END) == SHARD_END)

    def _read(self, shard: str) -> None:
        answer = self.streams.get_records(
            ShardIterator=self._iterators.pop(shard, None) or self._begin(shard), Limit=25
        )
        records = answer["Records"]
        self.records += records
        if records:
            self.leases[shard] = records[-1]["dynamodb"]["SequenceNumber"]
        following = answer.get("NextShardIterator")
        if following is None:
            self.leases[shard] = SHARD_END
        else:
            self._iterators[shard] = following

    def _begin(self, shard: str) -> str:
        checkpoint = self.leases[shard]
        position: dict[str, str] = {"ShardIteratorType": "TRIM_HORIZON"}
        if checkpoint is not None:
            position = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": checkpoint}
        iterator: str = self.streams.get_shard_iterator(StreamArn=self.arn, ShardId=shard, **position)["ShardIterator"]
        return iterator
