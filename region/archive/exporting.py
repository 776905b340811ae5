"""Writing an export into a bucket, laid out as AWS lays it out.

What::

    <prefix>/AWSDynamoDB/<id>/_started                  empty: the bucket can be written
    <prefix>/AWSDynamoDB/<id>/data/<file>.json.gz       items of a full export, a line each (or .ion.gz)
    <prefix>/AWSDynamoDB/data/<file>.json.gz            changed items of an incremental export
    <prefix>/AWSDynamoDB/<id>/manifest-files.json       a line for each data file
    <prefix>/AWSDynamoDB/<id>/manifest-summary.json     last: the export is whole
    …checksum                                           the MD5 of each manifest, in base64

Invariant: an export that was interrupted is written anew under the same names, and its summary comes last.

Source: AWS developer guide, "DynamoDB table export output format".
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import md5, sha256
from io import BytesIO
from itertools import islice
from typing import Any, Final

import msgspec

from region.archive import ion, vault
from region.archive.buckets import Buckets
from region.archive.desk import Desk
from region.archive.history import Past, Touched, open_past
from region.archive.packing import item_line
from region.archive.vault import Vault
from region.model import image as images
from region.model import values
from region.model.job import Job
from region.model.table import Table
from region.model.values import Item
from region.operation.archive import export_filter, exports
from region.operation.archive.exports import FILTER, FULL, JSON, NEW_AND_OLD

FILE_ITEMS: Final = 10_000
FILE_BYTES: Final = 8 << 20
"""How much a data file holds, before compression, whichever is reached first."""
VERSIONS: Final = {FULL: "2020-06-30", exports.INCREMENTAL: "2023-08-01"}
STARTED: Final = "_started"

_encode: Final = msgspec.json.encode
Written = tuple[bytes, int]
"""A line of an export, and the size of its item as DynamoDB counts."""


async def export(desk: Desk, buckets: Buckets, work: Job) -> int:
    """Write an export; return the number of its items.

    Raises:
        ArchiveError: the bucket cannot be written, or the history is damaged.
    """
    details = work.details
    if details["ExportFormat"] != JSON:
        ion.require_installed()
    past = await open_past(desk, details)
    try:
        layout = await desk.beside(lambda: _Layout(buckets.vault(details["S3Bucket"]), work))
        lines = _lines(past, desk.replica.catalogue.by_uid[work.table_uid], details)
        files: list[dict[str, Any]] = []
        items = size_bytes = 0
        while batch := await desk.beside(lambda: _take(lines)):
            number = len(files)
            files.append(await desk.beside(lambda: layout.put_data(number, batch)))  # noqa: B023 - awaited at once.
            items += len(batch)
            size_bytes += sum(size for _, size in batch)
            desk.report(work.arn, items, None)
        if not files:
            files.append(await desk.beside(lambda: layout.put_data(0, [])))
    finally:
        past.close()
    ended_ms = desk.replica.source.now_ms()
    manifest = await desk.beside(lambda: layout.put_manifests(files, items, size_bytes, ended_ms))
    told = {**details, "ExportManifest": manifest, "ItemCount": items, "BilledSizeBytes": size_bytes}
    done = msgspec.structs.replace(work, done=items, details=told)
    await desk.transact(lambda context: exports.completed(context, done))
    return items


class _Layout:
    """The names of one export in its bucket, and the files under them."""

    def __init__(self, store: Vault, work: Job) -> None:
        self._vault = store
        self._work = work
        self._json = work.details["ExportFormat"] == JSON
        self._id = work.arn.rpartition("/")[2]
        prefix = str(work.details.get("S3Prefix", "")).strip("/")
        home = f"{prefix}/AWSDynamoDB" if prefix else "AWSDynamoDB"
        self._folder = f"{home}/{self._id}"
        self._data = f"{self._folder}/data" if work.details["ExportType"] == FULL else f"{home}/data"
        vault.put(store, f"{self._folder}/{STARTED}", b"")

    def put_data(self, number: int, batch: list[Written]) -> dict[str, Any]:
        """Write a data file; return its line of the manifest."""
        stem = b64encode(sha256(f"{self._id}-{number}".encode()).digest()[:20], altchars=b"ab").decode().rstrip("=")
        name = f"{self._data}/{stem.lower()}.{'json' if self._json else 'ion'}.gz"
        packed = BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream:
            stream.write(b"".join(line + b"\n" for line, _ in batch))
        data = packed.getvalue()
        vault.put(self._vault, name, data)
        digest = md5(data, usedforsecurity=False)
        return {
            "itemCount": len(batch),
            "md5Checksum": b64encode(digest.digest()).decode(),
            "etag": digest.hexdigest(),
            "dataFileS3Key": name,
        }

    def put_manifests(self, files: list[dict[str, Any]], items: int, size_bytes: int, ended_ms: int) -> str:
        """Write both manifests with their checksums, the summary last; return the summary's name."""
        listed = f"{self._folder}/manifest-files.json"
        self._put_summed(listed, b"".join(_encode(file) + b"\n" for file in files))
        details = self._work.details
        summary = {
            "version": VERSIONS[details["ExportType"]],
            "exportArn": self._work.arn,
            "startTime": _iso(self._work.started_ms),
            "endTime": _iso(ended_ms),
            "tableArn": details["TableArn"],
            "tableId": details["TableId"],
            **self._span(),
            "s3Bucket": details["S3Bucket"],
            "s3Prefix": details.get("S3Prefix"),
            "s3SseAlgorithm": details.get("S3SseAlgorithm", "AES256"),
            "s3SseKmsKeyId": details.get("S3SseKmsKeyId"),
            "manifestFilesS3Key": listed,
            "billedSizeBytes": size_bytes,
            "itemCount": items,
            "outputFormat": details["ExportFormat"],
            "exportType": details["ExportType"],
        }
        if details["ExportType"] != FULL:
            summary["outputView"] = details["ExportViewType"]
        name = f"{self._folder}/manifest-summary.json"
        self._put_summed(name, msgspec.json.format(_encode(summary), indent=2))
        return name

    def _span(self) -> dict[str, str]:
        details = self._work.details
        if details["ExportType"] == FULL:
            return {"exportTime": _iso(details["ExportTimeMs"])}
        return {
            "exportFromTime": _iso(details["ExportFromTimeMs"]),
            "exportToTime": _iso(details["ExportToTimeMs"]),
        }

    def _put_summed(self, name: str, data: bytes) -> None:
        checksum = b64encode(md5(data, usedforsecurity=False).digest())
        vault.put(self._vault, name.replace(".json", ".checksum"), checksum)
        vault.put(self._vault, name, data)


def _lines(past: Past, table: Table, details: Any) -> Iterator[Written]:
    as_json = details["ExportFormat"] == JSON
    if details["ExportType"] == FULL:
        for image, item in _chosen(past.at(details["ExportTimeMs"]), table, details):
            yield (item_line(image) if as_json else ion.line({"Item": ion.struct(item)})), values.item_size(item)
        return
    both = details["ExportViewType"] == NEW_AND_OLD
    for touched in past.between(details["ExportFromTimeMs"], details["ExportToTimeMs"]):
        size = sum(values.item_size(images.decode(it)) for it in (touched.old, touched.new) if it is not None)
        yield (_json_change if as_json else _ion_change)(touched, table, both=both), size


def _chosen(stored: Iterator[bytes], table: Table, details: Any) -> Iterator[tuple[bytes, Item]]:
    """Iterate over the items of a full export, each as an image too; without a filter that is the stored one."""
    filter_ = export_filter.parse(details[FILTER], table) if FILTER in details else None
    for image in stored:
        item = images.decode(image)
        if filter_ is None:
            yield image, item
        elif (chosen := filter_.chosen(item)) is not None:
            yield images.encode(chosen), chosen


def _json_change(touched: Touched, table: Table, *, both: bool) -> bytes:
    """Return a changed item as a line of DynamoDB JSON, its images spliced as they are stored."""
    keys = table.key_attributes(images.decode(touched.new or touched.old or b""))
    micros = str((touched.hlc >> 16) * 1000)
    line: dict[str, Any] = {"Metadata": {"WriteTimestampMicros": {"N": micros}}, "Keys": keys}
    if both and touched.old is not None:
        line["OldImage"] = msgspec.Raw(touched.old)
    if touched.new is not None:
        line["NewImage"] = msgspec.Raw(touched.new)
    return _encode(line)


def _ion_change(touched: Touched, table: Table, *, both: bool) -> bytes:
    keys = table.key_attributes(images.decode(touched.new or touched.old or b""))
    record: dict[str, Any] = {
        "Metadata": ion.struct({"WriteTimestampMicros": {"N": str((touched.hlc >> 16) * 1000)}}),
        "Keys": ion.struct(keys),
    }
    if both and touched.old is not None:
        record["OldImage"] = ion.struct(images.decode(touched.old))
    if touched.new is not None:
        record["NewImage"] = ion.struct(images.decode(touched.new))
    return ion.line({"Record": record})


def _take(lines: Iterator[Written]) -> list[Written]:
    batch: list[Written] = []
    total = 0
    for written in islice(lines, FILE_ITEMS):
        batch.append(written)
        total += len(written[0])
        if total >= FILE_BYTES:
            break
    return batch


def _iso(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
