"""Exports laid out as AWS's, and imports of them and of other files: nothing is lost, and what is wrong is counted."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from decimal import Decimal
from hashlib import md5
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from region.archive import ion, vault
from region.errors import (
    ExportConflictError,
    ExportNotFoundError,
    ImportConflictError,
    ImportNotFoundError,
    InvalidExportTimeError,
    PointInTimeRecoveryUnavailableError,
    ResourceInUseError,
    ValidationError,
)
from region.model import image as images
from region.model import numbers, values
from tests.unit.archive.archive_region import EU, START_MS, TABLE, ArchiveRegion, running

BUCKET = "archive-bucket"
ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/Music"
PARAMETERS = {**TABLE}
PARAMETERS.pop("LocalSecondaryIndexes")
EVERY_TYPE: dict[str, Any] = {
    "artist": {"S": "ünï © 🎵"},
    "song": {"S": 'a\nnew line, "quotes" and \\ \x00'},
    "year": {"N": "1.5E-100"},
    "big": {"N": "99999999999999999999999999999999999999"},
    "huge": {"N": "-9.9E+125"},
    "zero": {"N": "0"},
    "empty": {"S": ""},
    "bytes": {"B": b64encode(bytes(range(256))).decode()},
    "no bytes": {"B": ""},
    "yes": {"BOOL": True},
    "no": {"BOOL": False},
    "nothing": {"NULL": True},
    "texts": {"SS": ["b", "a", "ß"]},
    "numbers": {"NS": ["3", "1", "-2.50"]},
    "binaries": {"BS": [b64encode(b"\xff").decode(), b64encode(b"\x00").decode()]},
    "list": {"L": [{"L": []}, {"M": {}}, {"N": "1e2"}, {"NULL": True}, {"BOOL": False}, {"SS": ["x"]}]},
    "map": {"M": {"$x": {"M": {"deep": {"B": "AA=="}}}}},
    "null": {"S": "a keyword of Ion as a name"},
}


@pytest.fixture
async def region(tmp_path: Path) -> AsyncIterator[ArchiveRegion]:
    async with running(tmp_path) as region:
        await region.call("CreateTable", **TABLE)
        yield region


async def switch_on(region: ArchiveRegion) -> None:
    specification = {"PointInTimeRecoveryEnabled": True}
    await region.call("UpdateContinuousBackups", TableName="Music", PointInTimeRecoverySpecification=specification)
    await region.idle()


async def export(region: ArchiveRegion, **request: Any) -> dict[str, Any]:
    answer = await region.call("ExportTableToPointInTime", TableArn=ARN, S3Bucket=BUCKET, **request)
    description = answer["ExportDescription"]
    assert description["ExportStatus"] == "IN_PROGRESS"
    await region.idle()
    assert region.failures() == []
    done = await region.call("DescribeExport", ExportArn=description["ExportArn"])
    return dict(done["ExportDescription"])


async def import_(region: ArchiveRegion, name: str = "Copy", **request: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "S3BucketSource": {"S3Bucket": BUCKET, "S3KeyPrefix": "AWSDynamoDB/"},
        "InputFormat": "DYNAMODB_JSON",
        "InputCompressionType": "GZIP",
        "TableCreationParameters": {**PARAMETERS, "TableName": name},
        **request,
    }
    answer = await region.call("ImportTable", **given)
    await region.idle()
    arn = answer["ImportTableDescription"]["ImportArn"]
    return dict((await region.call("DescribeImport", ImportArn=arn))["ImportTableDescription"])


def put(region: ArchiveRegion, name: str, data: bytes) -> None:
    vault.put(region.buckets.vault(BUCKET), name, data)


def names(region: ArchiveRegion, prefix: str = "") -> list[str]:
    return region.buckets.vault(BUCKET).names(prefix)


def content(region: ArchiveRegion, name: str) -> bytes:
    return vault.read(region.buckets.vault(BUCKET), name)


@pytest.mark.parametrize("form", ["DYNAMODB_JSON", "ION"])
async def test_export_then_import_is_the_identity_byte_for_byte_for_every_type(
    region: ArchiveRegion, tmp_path: Path, form: str
) -> None:
    await switch_on(region)
    await region.call("PutItem", TableName="Music", Item=json.loads(json.dumps(EVERY_TYPE)))
    await region.fill(40)
    description = await export(region, ExportFormat=form)
    assert (description["ExportStatus"], description["ItemCount"]) == ("COMPLETED", 41)
    assert (
        description["BilledSizeBytes"]
        == region.engine.reading.reader.statistics(region.engine.catalogue.by_name["Music"], None)[0 + 1]
    )
    async with running(tmp_path / EU, EU) as empty:
        empty.buckets = region.buckets
        empty.archivist.buckets = region.buckets
        imported = await import_(empty, "Music", InputFormat=form)
        assert (imported["ImportStatus"], imported["ImportedItemCount"], imported["ErrorCount"]) == ("COMPLETED", 41, 0)
        assert empty.rows("Music") == region.rows("Music")
        assert empty.entries("Music", "OfYear") == region.entries("Music", "OfYear")


scalars = st.one_of(
    st.text(max_size=20).map(lambda text: {"S": text}),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**20), max_value=10**20).map(
        lambda number: {"N": str(number)}
    ),
    st.binary(max_size=20).map(lambda raw: {"B": b64encode(raw).decode()}),
    st.booleans().map(lambda truth: {"BOOL": truth}),
    st.just({"NULL": True}),
    st.sets(st.text(max_size=5), min_size=1, max_size=3).map(lambda texts: {"SS": list(texts)}),
    st.sets(st.binary(max_size=5), min_size=1, max_size=3).map(
        lambda raws: {"BS": [b64encode(raw).decode() for raw in raws]}
    ),
    st.sets(st.integers(-(10**9), 10**9), min_size=1, max_size=3).map(lambda all_: {"NS": list(map(str, all_))}),
)
attributes = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda elements: {"L": elements}),
        st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3).map(lambda members: {"M": members}),
    ),
    max_leaves=6,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=10), attributes, min_size=1, max_size=5))
def test_an_item_goes_through_ion_and_back_unchanged(item: dict[str, Any]) -> None:
    values.normalise_item(item)
    (document,) = ion.documents(vault_stream(ion.line({"Item": ion.struct(item)}) + b"\n"))
    back = ion.item(document["Item"])
    values.normalise_item(back)
    assert images.encode(back) == images.encode(item)


def vault_stream(data: bytes) -> Any:
    memory = vault.MemoryVault()
    vault.put(memory, "x", data)
    return memory.open("x")


async def test_an_export_is_laid_out_as_aws_lays_it_out(region: ArchiveRegion) -> None:
    await switch_on(region)
    await region.fill(3)
    description = await export(region, S3Prefix="monthly/", ClientToken="once")
    identity = description["ExportArn"].rpartition("/")[2]
    folder = f"monthly/AWSDynamoDB/{identity}"
    (data,) = names(region, f"{folder}/data/")
    assert names(region) == sorted(
        [data, f"{folder}/_started"]
        + [f"{folder}/manifest-{kind}.{ending}" for kind in ("files", "summary") for ending in ("json", "checksum")]
    )
    assert description["ExportManifest"] == f"{folder}/manifest-summary.json"
    summary = json.loads(content(region, description["ExportManifest"]))
    assert summary == {
        "version": "2020-06-30",
        "exportArn": description["ExportArn"],
        "startTime": "2026-11-23T06:30:00.000Z",
        "endTime": "2026-11-23T06:30:00.000Z",
        "tableArn": ARN,
        "tableId": description["TableId"],
        "exportTime": "2026-11-23T06:30:00.000Z",
        "s3Bucket": BUCKET,
        "s3Prefix": "monthly/",
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{folder}/manifest-files.json",
        "billedSizeBytes": description["BilledSizeBytes"],
        "itemCount": 3,
        "outputFormat": "DYNAMODB_JSON",
        "exportType": "FULL_EXPORT",
    }
    (listed,) = [json.loads(line) for line in content(region, f"{folder}/manifest-files.json").splitlines()]
    packed = content(region, data)
    assert listed["dataFileS3Key"] == data
    assert listed["itemCount"] == 3
    assert b64decode(listed["md5Checksum"]) == md5(packed, usedforsecurity=False).digest()
    lines = [json.loads(line) for line in gzip.decompress(packed).splitlines()]
    assert all(set(line) == {"Item"} for line in lines)
    for kind in ("files", "summary"):
        checksum = content(region, f"{folder}/manifest-{kind}.checksum")
        expected = md5(content(region, f"{folder}/manifest-{kind}.json"), usedforsecurity=False).digest()
        assert b64decode(checksum) == expected


async def test_a_full_export_holds_the_moment_that_was_asked_for(region: ArchiveRegion) -> None:
    with pytest.raises(PointInTimeRecoveryUnavailableError):
        await export(region)
    await switch_on(region)
    await region.put("a", "first")
    region.time.advance(1000)
    await region.put("a", "second")
    description = await export(region, ExportTime=START_MS / 1000)
    assert (description["ItemCount"], description["ExportTime"]) == (1, START_MS / 1000)
    with pytest.raises(InvalidExportTimeError):
        await export(region, ExportTime=START_MS / 1000 - 1)


async def test_an_empty_table_is_exported_as_an_empty_file(region: ArchiveRegion) -> None:
    await switch_on(region)
    assert (await export(region))["ItemCount"] == 0
    (data,) = [name for name in names(region) if name.endswith(".json.gz")]
    assert gzip.decompress(content(region, data)) == b""


async def test_incremental_exports_compose_to_the_state_at_their_end(region: ArchiveRegion) -> None:
    await region.fill(12)
    await switch_on(region)
    region.time.advance(1000)
    full = await export(region)
    state = {name_of(line["Item"]): line["Item"] for line in exported(region, full)}
    edges = [region.time.now_ms()]
    for step in range(4):
        region.time.advance(1000)
        await region.put("artist 0", f"song {step}", step={"N": str(step)})
        await region.put("new", f"song new {step}")
        song = {"S": f"song {6 + step}"}
        await region.call(
            "DeleteItem", TableName="Music", Key={"artist": {"S": f"artist {2 + step // 3}"}, "song": song}
        )
        await region.put("brief", "life")
        await region.call("DeleteItem", TableName="Music", Key={"artist": {"S": "brief"}, "song": {"S": "life"}})
        if step == 1:
            await region.archivist.historian.keep_all()
        region.time.advance(1000)
        edges.append(region.time.now_ms())
    for first_ms, last_ms in pairwise(edges):
        specification = {"ExportFromTime": first_ms / 1000, "ExportToTime": last_ms / 1000}
        part = await export(region, ExportType="INCREMENTAL_EXPORT", IncrementalExportSpecification=specification)
        for line in exported(region, part):
            name = name_of(line["Keys"])
            assert line.get("OldImage") == state.get(name), "the old image is what the exports before it have led to"
            assert name != ("brief", "life")
            assert int(line["Metadata"]["WriteTimestampMicros"]["N"]) // 1000 in range(first_ms, last_ms)
            if "NewImage" in line:
                state[name] = line["NewImage"]
            else:
                del state[name]
    assert sorted(images.encode(item) for item in state.values()) == sorted(image for _, image in region.rows("Music"))


def name_of(item: dict[str, Any]) -> tuple[str, str]:
    return item["artist"]["S"], item["song"]["S"]


def exported(region: ArchiveRegion, description: dict[str, Any]) -> list[dict[str, Any]]:
    summary = json.loads(content(region, description["ExportManifest"]))
    files = [json.loads(line) for line in content(region, summary["manifestFilesS3Key"]).splitlines()]
    return [
        json.loads(line)
        for file in files
        for line in gzip.decompress(content(region, file["dataFileS3Key"])).splitlines()
    ]


async def test_an_incremental_export_of_new_images_and_in_ion(region: ArchiveRegion) -> None:
    await switch_on(region)
    region.time.advance(1000)
    await region.put("a", "b")
    region.time.advance(1000)
    specification = {"ExportFromTime": START_MS / 1000, "ExportViewType": "NEW_IMAGE"}
    request = {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": specification}
    plain = await export(region, **request)
    (line,) = exported(region, plain)
    assert set(line) == {"Metadata", "Keys", "NewImage"}
    summary = json.loads(content(region, plain["ExportManifest"]))
    assert (summary["version"], summary["outputView"]) == ("2023-08-01", "NEW_IMAGE")
    assert "exportTime" not in summary
    await export(region, ExportFormat="ION", **request)
    (data,) = (
        names(region, "AWSDynamoDB/data/")[1:]
        if ".ion" in names(region, "AWSDynamoDB/data/")[1]
        else names(region, "AWSDynamoDB/data/")[:1]
    )
    (document,) = ion.documents(vault_stream(gzip.decompress(content(region, data))))
    assert document["Record"]["NewImage"]["song"] == "b"
    assert document["Record"]["Metadata"]["WriteTimestampMicros"] == Decimal((START_MS + 1000) * 1000)


async def test_a_filter_chooses_what_a_full_export_holds(region: ArchiveRegion) -> None:
    await switch_on(region)
    await region.fill(30)
    chosen = await export(
        region,
        FilterSpecification={
            "KeyConditionExpression": "artist = :artist AND begins_with(song, :song)",
            "FilterExpression": "#y > :year",
            "ProjectionExpression": "song, #y",
            "ExpressionAttributeNames": {"#y": "year"},
            "ExpressionAttributeValues": {
                ":artist": {"S": "artist 4"},
                ":song": {"S": "song 1"},
                ":year": {"N": "1972.0"},
            },
        },
    )
    assert [line["Item"] for line in exported(region, chosen)] == [
        {"song": {"S": "song 13"}, "year": {"N": "1973"}},
        {"song": {"S": "song 14"}, "year": {"N": "1974"}},
    ]
    assert chosen["ItemCount"] == 2
    assert "KeyConditionExpression" in chosen["FilterSpecification"]


async def test_requests_that_do_not_fit_are_refused(region: ArchiveRegion) -> None:
    await switch_on(region)
    span = {"ExportFromTime": START_MS / 1000}
    for wrong in (
        {"ExportType": "INCREMENTAL_EXPORT"},
        {"IncrementalExportSpecification": span},
        {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": {}},
        {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": span},
        {"FilterSpecification": {"FilterExpression": "a = :missing"}},
        {
            "FilterSpecification": {
                "KeyConditionExpression": "song = :x",
                "ExpressionAttributeValues": {":x": {"S": "x"}},
            }
        },
        {
            "ExportType": "INCREMENTAL_EXPORT",
            "IncrementalExportSpecification": span,
            "FilterSpecification": {"ProjectionExpression": "song"},
        },
    ):
        with pytest.raises(ValidationError):
            await export(region, **wrong)
    with pytest.raises(ExportNotFoundError):
        await region.call("DescribeExport", ExportArn=f"{ARN}/export/01234567890123-a1b2c3d4")
    with pytest.raises(ImportNotFoundError):
        await region.call("DescribeImport", ImportArn=f"{ARN}/import/01234567890123-a1b2c3d4")


async def test_a_client_token_begins_one_export_and_one_import(region: ArchiveRegion) -> None:
    await switch_on(region)
    await region.fill(3)
    first = await export(region, ClientToken="t")
    again = await region.call("ExportTableToPointInTime", TableArn=ARN, S3Bucket=BUCKET, ClientToken="t")
    assert again["ExportDescription"] == first
    with pytest.raises(ExportConflictError):
        await region.call("ExportTableToPointInTime", TableArn=ARN, S3Bucket="another", ClientToken="t")
    summaries = (await region.call("ListExports", TableArn=ARN))["ExportSummaries"]
    assert summaries == [{"ExportArn": first["ExportArn"], "ExportStatus": "COMPLETED", "ExportType": "FULL_EXPORT"}]
    region.time.advance(8 * 3_600_000)
    anew = await export(region, ClientToken="t")
    assert anew["ExportArn"] != first["ExportArn"]
    page = await region.call("ListExports", MaxResults=1)
    rest = await region.call("ListExports", MaxResults=1, NextToken=page["NextToken"])
    assert [it["ExportArn"] for it in page["ExportSummaries"] + rest["ExportSummaries"]] == sorted(
        (first["ExportArn"], anew["ExportArn"])
    )
    one = await import_(region, ClientToken="i")
    assert (await import_(region, ClientToken="i")) == one
    with pytest.raises(ImportConflictError):
        await import_(region, "Other", ClientToken="i")
    with pytest.raises(ResourceInUseError, match="Table already exists: Copy"):
        await import_(region)


async def test_a_csv_file_gives_keys_their_types_and_all_else_text(region: ArchiveRegion) -> None:
    text = 'artist,song,year,note\r\na,"b, ""c""",1999,5\r\na,d,,\r\na,e,not a number,x\r\n,f,1,x\r\na,g,1,x,y\r\n'
    put(region, "csv/one.csv", text.encode())
    source = {"S3Bucket": BUCKET, "S3KeyPrefix": "csv/"}
    done = await import_(region, S3BucketSource=source, InputFormat="CSV", InputCompressionType="NONE")
    assert (done["ProcessedItemCount"], done["ImportedItemCount"], done["ErrorCount"]) == (5, 2, 3)
    assert [images.decode(image) for _, image in region.rows("Copy")] == [
        {"artist": {"S": "a"}, "song": {"S": 'b, "c"'}, "year": {"N": "1999"}, "note": {"S": "5"}},
        {"artist": {"S": "a"}, "song": {"S": "d"}},
    ]
    put(region, "tabs/one.csv", b"x;y;7\n")
    options = {"Csv": {"Delimiter": ";", "HeaderList": ["artist", "song", "year"]}}
    await import_(
        region,
        "Tabs",
        S3BucketSource={"S3Bucket": BUCKET, "S3KeyPrefix": "tabs/"},
        InputFormat="CSV",
        InputCompressionType="NONE",
        InputFormatOptions=options,
    )
    ((_, image),) = region.rows("Tabs")
    assert images.decode(image) == {"artist": {"S": "x"}, "song": {"S": "y"}, "year": {"N": "7"}}
    with pytest.raises(ValidationError, match="Csv options"):
        await import_(region, "No", InputFormatOptions=options)


async def test_what_is_wrong_is_counted_and_the_rest_is_imported(region: ArchiveRegion) -> None:
    good = b'{"Item":{"artist":{"S":"a"},"song":{"S":"%d"}}}\n'
    bad = [
        b"no json\n",
        b'{"item":{}}\n',
        b'{"Item":{"artist":{"S":"a"}}}\n',
        b'{"Item":{"artist":{"S":"a"},"song":{"N":"1"}}}\n',
        b'{"Item":{"artist":{"S":"a"},"song":{"S":"x"},"n":{"N":"many"}}}\n',
        b'{"Item":{"artist":{"S":"a"},"song":{"S":"x"},"n":{"N":5}}}\n',
        b'{"Item":{"artist":{"S":"a"},"song":{"S":"x"},"t":{"S":"%s"}}}\n' % (b"x" * 410_000),
    ]
    lines = b"".join(one for number, wrong in enumerate(bad) for one in (good % number, wrong))
    put(region, "mixed/1.zst", zstandard.ZstdCompressor().compress(lines))
    put(region, "mixed/2.zst", zstandard.ZstdCompressor().compress(good % 0 + good % 99)[:-7])
    put(region, "mixed/3.zst", zstandard.ZstdCompressor().compress(good % 0 + good % 100))
    done = await import_(
        region, S3BucketSource={"S3Bucket": BUCKET, "S3KeyPrefix": "mixed/"}, InputCompressionType="ZSTD"
    )
    assert done["ErrorCount"] == len(bad) + 1
    assert done["ImportedItemCount"] == len(bad) + 2
    assert len(region.rows("Copy")) == len(bad) + 1
    (work,) = region.engine.store.archive.jobs("import")
    assert work.reason is not None
    assert "mixed/1.zst: line 2 is no JSON" in work.reason


async def test_an_import_of_nothing_fails_and_leaves_no_table(region: ArchiveRegion) -> None:
    done = await import_(region, S3BucketSource={"S3Bucket": BUCKET, "S3KeyPrefix": "nowhere/"})
    assert done["ImportStatus"] == "FAILED"
    assert "no object whose name begins with 'nowhere/'" in done["FailureMessage"]
    assert "Copy" not in region.engine.catalogue.by_name


async def test_an_import_that_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    lines = [b'{"Item":{"artist":{"S":"a"},"song":{"S":"%05d"}}}\n' % number for number in range(700)]
    lines[3] = b"wrong\n"
    async with running(tmp_path) as region:
        put(region, "many", b"".join(lines))
        given = {"S3BucketSource": {"S3Bucket": BUCKET}, "InputFormat": "DYNAMODB_JSON"}
        parameters = {**PARAMETERS, "TableName": "Copy"}
        answer = await region.call("ImportTable", TableCreationParameters=parameters, **given)
        arn = answer["ImportTableDescription"]["ImportArn"]
        await region.stop_after_batches(2)
        buckets = region.buckets
        half = (await region.call("DescribeImport", ImportArn=arn))["ImportTableDescription"]
        assert (half["ImportStatus"], half["ProcessedItemCount"]) == ("IN_PROGRESS", 128)
    async with running(tmp_path, buckets=buckets) as region:
        await region.idle()
        done = (await region.call("DescribeImport", ImportArn=arn))["ImportTableDescription"]
        assert (done["ImportStatus"], done["ProcessedItemCount"]) == ("COMPLETED", 700)
        assert (done["ImportedItemCount"], done["ErrorCount"]) == (699, 1)
        assert len(region.rows("Copy")) == 699


async def test_imports_are_listed_by_pages_whose_tokens_fit_the_model(region: ArchiveRegion) -> None:
    put(region, "one", b'{"Item":{"artist":{"S":"a"},"song":{"S":"b"}}}\n')
    for name in ("First", "Second"):
        await import_(region, name, S3BucketSource={"S3Bucket": BUCKET}, InputCompressionType="NONE")
    page = await region.call("ListImports", PageSize=1)
    token = page["NextToken"]
    assert len(token) >= 112
    assert len(token) % 16 == 0
    rest = await region.call("ListImports", PageSize=1, NextToken=token)
    assert "NextToken" not in rest
    arns = [it["TableArn"] for it in page["ImportSummaryList"] + rest["ImportSummaryList"]]
    assert [arn.rpartition("/")[2] for arn in arns] == ["First", "Second"]


def test_numbers_of_ion_become_numbers_of_dynamodb() -> None:
    (document,) = ion.documents(vault_stream(b"$ion_1_0 {Item:{a:6d2,b:103.,c:5,d:1.50}}\n"))
    assert ion.item(document["Item"]) == {"a": {"N": "600"}, "b": {"N": "103"}, "c": {"N": "5"}, "d": {"N": "1.5"}}
    assert numbers.canonical("600") == "600"


BOOK = {
    "Authors": {"SS": ["Author1", "Author2"]},
    "Dimensions": {"S": "8.5 x 11.0 x 1.5"},
    "ISBN": {"S": "333-3333333333"},
    "Id": {"N": "103"},
    "InPublication": {"BOOL": False},
    "PageCount": {"N": "600"},
    "Price": {"N": "2000"},
    "ProductCategory": {"S": "Book"},
    "Title": {"S": "Book 103 Title"},
}
BOOK_IN_ION = (
    '$ion_1_0 {Item:{Authors:$dynamodb_SS::["Author1","Author2"],Dimensions:"8.5 x 11.0 x 1.5",ISBN:"333-3333333333",'
    'Id:103.,InPublication:false,PageCount:6d2,Price:2d3,ProductCategory:"Book",Title:"Book 103 Title"}}\n'
)


@pytest.mark.parametrize("form", ["DYNAMODB_JSON", "ION"])
async def test_what_aws_has_exported_is_imported_as_it_lies_there(region: ArchiveRegion, form: str) -> None:
    folder = "2020-Nov/AWSDynamoDB/01345678901234-abc12345"
    text = json.dumps({"Item": BOOK}) + "\n" if form == "DYNAMODB_JSON" else BOOK_IN_ION
    ending = "json" if form == "DYNAMODB_JSON" else "ion"
    put(region, f"{folder}/data/asdl123dasas.{ending}.gz", gzip.compress(text.encode()))
    put(region, f"{folder}/data/empty.{ending}.gz", gzip.compress(b""))
    put(region, f"{folder}/_started", b"")
    for name in (
        "manifest-summary.json",
        "manifest-summary.checksum",
        "manifest-files.json",
        "manifest-files.checksum",
    ):
        put(region, f"{folder}/{name}", b"{}")
    parameters = {
        "TableName": "Books",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "Id", "AttributeType": "N"}],
        "KeySchema": [{"AttributeName": "Id", "KeyType": "HASH"}],
    }
    source = {"S3Bucket": BUCKET, "S3KeyPrefix": f"{folder}/"}
    done = await import_(region, S3BucketSource=source, InputFormat=form, TableCreationParameters=parameters)
    assert (done["ImportStatus"], done["ImportedItemCount"], done["ErrorCount"]) == ("COMPLETED", 1, 0)
    ((_, image),) = region.rows("Books")
    assert images.decode(image) == BOOK
