"""Filling a table from a bucket: objects of lines, a batch at a time.

What: every object under the prefix is read in the order of the names: DynamoDB JSON (``{"Item":…}`` a line), Ion (a
struct with ``Item``), or CSV, whose key attributes have the types of the table's definitions and all else is text.
Manifests and marks of an export that lie under the prefix are passed over, so a whole export can be named.

Invariants: what cannot become an item is counted and left out; an object that breaks off, or is no such thing, counts
once and is left at that point. How many items were seen is saved with those that went in, so an import that was
interrupted goes on behind its last batch. Items of the same key replace each other.

Source: AWS developer guide, "Amazon S3 import formats for DynamoDB", "Import format quotas and validation".
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader, TextIOWrapper
from itertools import islice
from typing import BinaryIO, Final, NamedTuple, cast

import msgspec
import orjson
import zstandard

from region.archive import ion
from region.archive.buckets import Buckets
from region.archive.desk import Desk
from region.archive.packing import Unpacked
from region.archive.restoring import BATCH_BYTES, BATCH_ITEMS, Loaded, insert
from region.archive.vault import Vault
from region.errors import ArchiveError, DynamoError
from region.model import image as images
from region.model import limits, values
from region.model.job import Job
from region.model.table import Table
from region.model.values import Item
from region.operation.archive import imports
from region.operation.context import Context, size_limit

NO_OBJECTS: Final = "S3NoSuchKey"
PASSED_OVER: Final = ("/_started", "/manifest-files.json", "/manifest-summary.json", ".checksum")


class Seen(NamedTuple):
    """What was read: an item ready to be written or the reason why there is none, and the bytes of its text."""

    loaded: Loaded | None
    problem: str | None
    size_bytes: int


async def import_(desk: Desk, buckets: Buckets, work: Job) -> int:
    """Fill a table; return the number of items that were imported.

    Raises:
        ArchiveError: the bucket cannot be read, or there is nothing under the prefix.
    """
    source = work.details["S3BucketSource"]
    if work.details["InputFormat"] == "ION":
        ion.require_installed()
    table = desk.replica.catalogue.by_uid[work.table_uid]
    store = await desk.beside(lambda: buckets.vault(source["S3Bucket"]))
    names = await desk.beside(lambda: _objects(store, source.get("S3KeyPrefix", "")))
    seen = islice(_read(store, names, table, work), work.done, None)
    while batch := await desk.beside(lambda: _take(seen)):
        reached = work = _counted(work, batch)
        await desk.transact(lambda context: _write(context, reached, batch))  # noqa: B023 - awaited at once.
        desk.report(work.arn, work.done, None)
    ended = work
    await desk.transact(lambda context: imports.finish(context, ended))
    return int(work.details.get("imported", 0))


def _objects(store: Vault, prefix: str) -> list[str]:
    names = [name for name in store.names(prefix) if not f"/{name}".endswith(PASSED_OVER)]
    if not names:
        raise ArchiveError(f"there is no object whose name begins with {prefix!r}")
    return names


def _counted(work: Job, batch: list[Seen]) -> Job:
    details = dict(work.details)
    problems = [seen.problem for seen in batch if seen.problem is not None]
    details["errors"] = details.get("errors", 0) + len(problems)
    details["imported"] = details.get("imported", 0) + len(batch) - len(problems)
    details["bytes"] = details.get("bytes", 0) + sum(seen.size_bytes for seen in batch)
    reason = work.reason or (problems[0] if problems else None)
    return msgspec.structs.replace(work, done=work.done + len(batch), reason=reason, details=details)


def _write(context: Context, work: Job, batch: list[Seen]) -> None:
    table = context.catalogue.by_uid[work.table_uid]
    for seen in batch:
        if seen.loaded is not None:
            insert(context, table, seen.loaded)
    context.save_job(work)


def _take(seen: Iterator[Seen]) -> list[Seen]:
    batch: list[Seen] = []
    total = 0
    for one in islice(seen, BATCH_ITEMS):
        batch.append(one)
        total += one.size_bytes
        if total >= BATCH_BYTES:
            break
    return batch


def _read(store: Vault, names: list[str], table: Table, work: Job) -> Iterator[Seen]:
    """Iterate over all that is in the objects, in order."""
    parse = _PARSERS[work.details["InputFormat"]]
    for name in names:
        with store.open(name) as raw:
            try:
                for item, size_bytes in parse(_unpacked(raw, work), table, work):
                    yield _checked(item, size_bytes, table, name)
            except (ValueError, OSError, EOFError, zlib.error, zstandard.ZstdError, csv.Error) as error:
                yield Seen(None, f"{name}: {error}", 0)


def _checked(item: Item | ValueError, size_bytes: int, table: Table, name: str) -> Seen:
    """Return an item in canonical form, or what is wrong with it."""
    if isinstance(item, ValueError):
        return Seen(None, f"{name}: {item}", size_bytes)
    try:
        size = values.normalise_item(item)
        size_limit(size)
        table.check_item_keys(item)
    except DynamoError as error:
        return Seen(None, f"{name}: {error.message}", size_bytes)
    return Seen((images.encode(item), item, size), None, size_bytes)


def _unpacked(raw: BinaryIO, work: Job) -> BinaryIO:
    kind = work.details["InputCompressionType"]
    if kind == "GZIP":
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    if kind == "ZSTD":
        return cast(BinaryIO, BufferedReader(Unpacked(raw)))
    return raw


Parsed = Iterator[tuple[Item | ValueError, int]]


def _json(stream: BinaryIO, table: Table, work: Job) -> Parsed:
    for number, line in enumerate(TextIOWrapper(stream, "utf-8", newline="\n"), start=1):
        text = line.strip()
        if not text:
            continue
        size_bytes = len(line.encode())
        try:
            document = orjson.loads(text)
        except ValueError as error:
            yield ValueError(f"line {number} is no JSON: {error}"), size_bytes
            continue
        item = document.get("Item") if isinstance(document, dict) else None
        if not isinstance(item, dict):
            yield ValueError(f"line {number} has no Item"), size_bytes
        else:
            yield item, size_bytes


def _ion(stream: BinaryIO, table: Table, work: Job) -> Parsed:
    for number, document in enumerate(ion.documents(stream), start=1):
        values_ = document.get("Item") if hasattr(document, "get") else None
        if values_ is None:
            yield ValueError(f"value {number} has no Item"), 0
            continue
        try:
            item = ion.item(values_)
            yield item, len(images.encode(item))
        except (ValueError, DynamoError) as error:
            yield ValueError(f"value {number}: {error}"), 0


def _csv(stream: BinaryIO, table: Table, work: Job) -> Parsed:
    given = (work.details.get("InputFormatOptions") or {}).get("Csv") or {}
    rows = csv.reader(TextIOWrapper(stream, "utf-8", newline=""), delimiter=given.get("Delimiter", ","), strict=True)
    header = given.get("HeaderList") or next(rows, [])
    csv.field_size_limit(limits.ITEM_BYTES_MAX)
    for number, row in enumerate(rows, start=1):
        size_bytes = sum(map(len, row)) + len(row)
        if len(row) > len(header):
            yield ValueError(f"row {number} has {len(row)} columns and the header {len(header)}"), size_bytes
            continue
        yield (
            {name: {table.types.get(name, "S"): text} for name, text in zip(header, row, strict=False) if text},
            size_bytes,
        )


_PARSERS: Final[dict[str, Callable[[BinaryIO, Table, Job], Parsed]]] = {
    "DYNAMODB_JSON": _json,
    "ION": _ion,
    "CSV": _csv,
}
