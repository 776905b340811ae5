"""DynamoDB Streams: ListStreams, DescribeStream, GetShardIterator and GetRecords.

What: reads of the change log, one table and one shard at a time. Everything that was applied here appears, whether it
was written here or came from a peer, in the order in which it was committed here.

A replicated table has a second stream, of its conflicts (``region.operation.stream.conflicts``). Who lists the streams
of that table finds it last; who lists all streams does not, and reads what AWS would have shown.

Invariants: none of these needs the writer. What a shard holds is the business of its tape: the change log, or the
conflict feed.

Source: AWS API reference of DynamoDB Streams; messages as AWS and DynamoDB Local send them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from region.errors import ExpiredIteratorError, ResourceNotFoundError, TrimmedDataAccessError, ValidationError
from region.model import stream as streams
from region.model.change import Response
from region.model.stream import Shard, Stream
from region.model.table import Table
from region.model.values import INVALID
from region.operation.capacity.usage import Usage
from region.operation.context import Context, arn
from region.operation.stream import conflicts as stream_conflicts
from region.operation.stream import iterators as stream_iterators
from region.operation.stream.conflicts import ConflictTape
from region.operation.stream.iterators import ShardIterator
from region.operation.stream.log import TRIMMED, LogTape

_ARN: Final = re.compile(r"arn:[^:]+:dynamodb:([^:]*):([^:]*):table/([^/]+)/stream/([^/]+)")
_SEQUENCE_NUMBER: Final = re.compile(r"\d{1,40}", re.ASCII)

Request = dict[str, Any]
Tape = LogTape | ConflictTape


def list_streams(context: Context, request: Request) -> Response:
    """Return a page of the streams that can be read, of all tables or of one, ordered by table and age."""
    limit = _limit(request, streams.STREAMS_PAGE_MAX, "Limit cannot be greater than the maximum allowed size: ")
    after = request.get("ExclusiveStartStreamArn")
    start = _parse(after)[2:] if after is not None else None
    name, now_ms = request.get("TableName"), context.now_ms()
    found = sorted(
        (table.name, stream.label)
        for table in context.catalogue.by_uid.values()
        if name is None or table.name == name
        for stream in table.local.streams
        if not stream.expired(now_ms)
    )
    if name is not None and (table := context.catalogue.by_name.get(name)) is not None and table.replicated:
        found.append((name, stream_conflicts.label_of(table)))
    rest = [each for each in found if start is None or each > start]
    page = [
        {"StreamArn": _stream_arn(context, table, label), "TableName": table, "StreamLabel": label}
        for table, label in rest[:limit]
    ]
    answer: Response = {"Streams": page}
    if len(page) < len(rest):
        answer["LastEvaluatedStreamArn"] = page[-1]["StreamArn"]
    return answer


def describe_stream(context: Context, request: Request) -> Response:
    """Return a stream and a page of its shards, oldest first; a filter asks for the children of one shard.

    Raises:
        ValidationError: a parameter is wrong.
        ResourceNotFoundError: there is no such stream, or no longer.
    """
    limit = _limit(request, streams.SHARDS_PAGE_MAX, "Limit cannot be greater than the maximum: ")
    parent = _parent(request.get("ShardFilter"))
    name = request["StreamArn"]
    table, stream = _find(context, name, f"Stream: {name} not found")
    after = request.get("ExclusiveStartShardId")
    shards = [
        shard
        for shard in stream.readable(context.now_ms())
        if (after is None or shard.id > after) and (parent is None or shard.parent == parent)
    ]
    description: Response = {
        "StreamArn": _stream_arn(context, table.name, stream.label),
        "StreamLabel": stream.label,
        "StreamStatus": "ENABLED" if stream.enabled else "DISABLED",
        "StreamViewType": stream.view_type,
        "CreationRequestDateTime": stream.created_ms / 1000,
        "TableName": table.name,
        "KeySchema": [
            {"AttributeName": attribute, "KeyType": kind}
            for attribute, kind in zip(table.keys.names, ("HASH", "RANGE"), strict=False)
        ],
        "Shards": [_describe_shard(shard) for shard in shards[:limit]],
    }
    if len(shards) > limit:
        description["LastEvaluatedShardId"] = shards[limit - 1].id
    return {"StreamDescription": description}


def get_shard_iterator(context: Context, request: Request) -> Response:
    """Return an iterator of a shard, for fifteen minutes.

    Raises:
        ValidationError: a parameter is wrong, or the sequence number is not the shard's.
        ResourceNotFoundError: there is no such stream or shard, or no longer.
        TrimmedDataAccessError: the sequence number is past the retention.
    """
    table, stream = _find(context, request["StreamArn"], "Stream does not exist")
    now_ms, name = context.now_ms(), request["ShardId"]
    shard = next((each for each in stream.readable(now_ms) if each.id == name), None)
    if shard is None:
        raise ResourceNotFoundError("Requested resource not found: Shard does not exist")
    kind = request["ShardIteratorType"]
    _check_position(request, kind)
    tape = _tape(context, table, stream)
    iterator = ShardIterator(_stream_arn(context, table.name, stream.label), shard.number, shard.after, now_ms)
    if kind == "TRIM_HORIZON":
        iterator = iterator._replace(from_horizon=True)
    elif kind == "LATEST":
        iterator = iterator._replace(after=tape.end(shard))
    elif kind == "AT_TIMESTAMP":
        iterator = iterator._replace(from_horizon=True, from_ms=_from_ms(request["Timestamp"], now_ms))
    else:
        iterator = iterator._replace(after=_after(tape, shard, kind, request["SequenceNumber"]))
        tape.read(shard, iterator, now_ms, limit=1)
    return {"ShardIterator": stream_iterators.encode(iterator)}


def get_records(context: Context, request: Request) -> Response:
    """Return the records behind an iterator, and the next iterator unless the shard has come to its end.

    Raises:
        ValidationError: a parameter is wrong.
        ResourceNotFoundError: there is no such stream or shard.
        ExpiredIteratorError: the iterator is older than 15 minutes.
        TrimmedDataAccessError: what it points to is past the retention.
    """
    limit = _limit(request, streams.RECORDS_MAX, f"{INVALID}Limit should be less than or equal to ")
    iterator, now_ms = stream_iterators.decode(request["ShardIterator"]), context.now_ms()
    if now_ms - iterator.issued_ms > streams.ITERATOR_LIFE_MS:
        raise ExpiredIteratorError("The provided iterator exceeds the maximum age allowed.")
    table, stream = _find(context, iterator.arn, "Stream does not exist")
    shard = _shard_of(stream, iterator, now_ms)
    records, following = _tape(context, table, stream).read(shard, iterator, now_ms, limit=limit)
    _count(context.usages[table.name], stream, records)
    answer: Response = {"Records": records}
    if shard.upto is None or following.after < shard.upto:
        answer["NextShardIterator"] = stream_iterators.encode(following)
    return answer


def _count(usage: Usage, stream: Stream, records: list[dict[str, Any]]) -> None:
    usage.records[stream.label].add(len(records))
    usage.record_bytes[stream.label].add(sum(record["dynamodb"]["SizeBytes"] for record in records))


# Finding.


def _parse(name: str) -> tuple[str, str, str, str]:
    """Return region, account, table name and label of a stream's ARN."""
    match = _ARN.fullmatch(name)
    if match is None:
        raise ValidationError("Invalid StreamArn")
    region, account, table, label = match.groups()
    return region, account, table, label


def _find(context: Context, name: str, problem: str) -> tuple[Table, Stream]:
    """Return the stream of an ARN and its table, which may be gone."""
    region, account, table_name, label = _parse(name)
    if (region, account) == (context.settings.region, context.settings.account):
        now_ms = context.now_ms()
        for table in _named(context, table_name):
            if table.replicated and label == stream_conflicts.label_of(table):
                return table, stream_conflicts.stream_of(context, table)
            for stream in table.local.streams:
                if stream.label == label and not stream.expired(now_ms):
                    return table, stream
    raise ResourceNotFoundError(f"Requested resource not found: {problem}")


def _tape(context: Context, table: Table, stream: Stream) -> Tape:
    """Return what the records of a stream are read from."""
    name = _stream_arn(context, table.name, stream.label)
    if stream_conflicts.is_label(stream.label):
        return ConflictTape(context, table, name)
    return LogTape(context, table, stream, name)


def _named(context: Context, name: str) -> Iterable[Table]:
    """Return every table of that name, the present one first: it is nearly always the one that is meant."""
    present = context.catalogue.by_name.get(name)
    if present is not None:
        yield present
    for table in context.catalogue.by_uid.values():
        if table.name == name and table is not present:
            yield table


def _shard_of(stream: Stream, iterator: ShardIterator, now_ms: int) -> Shard:
    shard = next((each for each in stream.readable(now_ms) if each.number == iterator.number), None)
    if shard is None:
        if iterator.number <= stream.shards[-1].number:
            raise TrimmedDataAccessError(TRIMMED)
        raise ResourceNotFoundError("Invalid ShardId in ShardIterator")
    if iterator.after < shard.after:
        raise ValidationError("Invalid ShardIterator")
    return shard


def _stream_arn(context: Context, table_name: str, label: str) -> str:
    return f"{arn(context.settings, table_name)}/stream/{label}"


# Parameters.


def _limit(request: Request, most: int, problem: str) -> int:
    limit: int = request.get("Limit") or most
    if limit > most:
        raise ValidationError(f"{problem}{most}")
    return limit


def _parent(shard_filter: Request | None) -> str | None:
    """Return the shard whose children a ShardFilter asks for."""
    if not shard_filter:
        return None
    if "Type" not in shard_filter or "ShardId" not in shard_filter:
        raise ValidationError(f"{INVALID}ShardFilter must have both Type and ShardId")
    parent: str = shard_filter["ShardId"]
    return parent


def _check_position(request: Request, kind: str) -> None:
    """Check that exactly the position is given that the iterator's type needs."""
    by_number = kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
    number = request.get("SequenceNumber")
    if number is not None and not by_number:
        raise ValidationError(f"{INVALID}SequenceNumber should not be passed for this iterator type")
    if by_number and (number is None or not _SEQUENCE_NUMBER.fullmatch(number)):
        raise ValidationError(f"{INVALID}Invalid SequenceNumber")
    given = request.get("Timestamp") is not None
    if given and kind != "AT_TIMESTAMP":
        raise ValidationError(f"{INVALID}Timestamp should not be passed for this iterator type")
    if kind == "AT_TIMESTAMP" and not given:
        raise ValidationError(f"{INVALID}Invalid Timestamp")


def _after(tape: Tape, shard: Shard, kind: str, number: str) -> int:
    """Return the position of a sequence number, which must be one that the shard holds or could have held."""
    sequence = int(number)
    if not shard.starting <= sequence <= max(tape.end(shard), shard.starting):
        raise ValidationError("Invalid SequenceNumber for the shard")
    return sequence if kind == "AFTER_SEQUENCE_NUMBER" else sequence - 1


def _from_ms(timestamp: float, now_ms: int) -> int:
    if timestamp * 1000 > now_ms:
        raise ValidationError(f"{INVALID}Timestamp cannot be in the future")
    return round(max(timestamp, 0) * 1000)


def _describe_shard(shard: Shard) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": streams.sequence_number(shard.starting)}
    if shard.ending is not None:
        numbers["EndingSequenceNumber"] = streams.sequence_number(shard.ending)
    description: dict[str, Any] = {"ShardId": shard.id, "SequenceNumberRange": numbers}
    if shard.parent is not None:
        description["ParentShardId"] = shard.parent
    return description
