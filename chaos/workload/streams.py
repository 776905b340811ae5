"""Streams: consumers that read a table's stream as applications do, beside clients that write to it.

What: in each region, the first session is a consumer: it finds the stream, follows its shards from the oldest on,
parents before children, and records each batch as an event ``consume`` with ``[key, event name, tag]`` of every
record. The other sessions write.

What it is good for: a stream holds every winning version of an item once, in order, over roll-overs and restarts. A
consumer whose read failed reads again from where it was, as a consumer with a checkpoint does.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from chaos.history import key_text
from chaos.workload.session import Answer, Session, Step, delete, put, tag_in
from chaos.workload.workload import Ground, Workload, chance
from region.randomness import Rng

BATCH: Final = 25


class _Consumer:
    """Where a consumer stands: its stream, an iterator for each shard under way, the shards that are done."""

    def __init__(self) -> None:
        self.arn = ""
        self.iterators: dict[str, str] = {}
        self.after: dict[str, str] = {}
        self.done: set[str] = set()
        self.parents: dict[str, str] = {}


class Streams(Workload):
    """Writes, deletions, and a consumer of the stream in every region."""

    name: ClassVar[str] = "streams"

    def __init__(self, **fields: Any) -> None:
        # Iterators belong to one region, and so does a consumer.
        super().__init__(**{**fields, "carries_token": False})
        self._consumers: dict[Session, _Consumer] = {}
        self._consumed: set[str] = set()

    async def act(self, session: Session, ground: Ground, rng: Rng) -> None:
        """Read what is new in the stream, or write."""
        if session not in self._consumers and session.region not in self._consumed:
            self._consumed.add(session.region)
            self._consumers[session] = _Consumer()
        consumer = self._consumers.get(session)
        if consumer is not None and chance(rng, 0.7):
            await self._consume(session, consumer)
        elif chance(rng, 0.8):
            await session.perform(put(ground.recorder, self.table, self.any_key(rng)))
        else:
            await session.perform(delete(ground.recorder, self.table, self.any_key(rng)))

    async def _consume(self, session: Session, consumer: _Consumer) -> None:
        if not consumer.arn:
            answer = await session.perform(Step("find-stream", "DescribeTable", {"TableName": self.table}, ()))
            if answer is not None:
                consumer.arn = str(answer["Table"].get("LatestStreamArn", ""))
            return
        await self._look_for_shards(session, consumer)
        for shard in list(consumer.iterators):
            await self._read(session, consumer, shard)

    async def _look_for_shards(self, session: Session, consumer: _Consumer) -> None:
        request = {"StreamArn": consumer.arn}
        answer = await session.perform(Step("find-shards", "DescribeStream", request, ()))
        if answer is None:
            return
        shards = answer["StreamDescription"]["Shards"]
        consumer.parents |= {it["ShardId"]: it.get("ParentShardId", "") for it in shards}
        for shard, parent in consumer.parents.items():
            waits = parent in consumer.parents and parent not in consumer.done
            if shard in consumer.done or shard in consumer.iterators or waits:
                continue
            await self._begin(session, consumer, shard)

    async def _begin(self, session: Session, consumer: _Consumer, shard: str) -> None:
        request = {"StreamArn": consumer.arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        if shard in consumer.after:
            request |= {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": consumer.after[shard]}
        answer = await session.perform(Step("begin-shard", "GetShardIterator", request, ()))
        if answer is not None:
            consumer.iterators[shard] = answer["ShardIterator"]

    async def _read(self, session: Session, consumer: _Consumer, shard: str) -> None:
        request = {"ShardIterator": consumer.iterators[shard], "Limit": BATCH}
        step = Step("consume", "GetRecords", request, (), told=changes, table=self.table)
        answer = await session.perform(step)
        if answer is None:
            # The iterator may have expired with the region's life; the position has not.
            del consumer.iterators[shard]
            return
        if answer["Records"]:
            consumer.after[shard] = answer["Records"][-1]["dynamodb"]["SequenceNumber"]
        following = answer.get("NextShardIterator")
        if following is None:
            del consumer.iterators[shard]
            consumer.done.add(shard)
        else:
            consumer.iterators[shard] = following


def changes(answer: Answer) -> list[list[str | None]]:
    """Return key, event name and tag of each record of an answer."""
    return [
        [key_text(it["dynamodb"]["Keys"]), it["eventName"], tag_in(it["dynamodb"].get("NewImage"))]
        for it in answer["Records"]
    ]
