"""ImportTable, DescribeImport and ListImports.

What: a request makes a new table, which stays CREATING, and saves the job that fills it from a bucket
(:mod:`region.archive.importing`). An item that cannot be imported is counted and left out; a source that cannot be read
at all fails the import, and its table goes.

Invariants: everything is checked before the first write. A request that comes again with its ClientToken within eight
hours begins nothing new.

Source: AWS API reference, the three operations; developer guide, "DynamoDB data import from Amazon S3".
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from region.errors import ImportConflictError, ImportNotFoundError, ResourceInUseError, ValidationError
from region.model import job
from region.model.change import Response
from region.model.job import Job
from region.model.table import CREATING
from region.model.values import INVALID
from region.operation.archive import jobs
from region.operation.archive import names as archive_names
from region.operation.context import Context
from region.operation.replica import replicas
from region.operation.table import options, records, tables

UNSUPPORTED: Final = ("VectorIndexes",)
CSV: Final = "CSV"
TOKEN_DIGITS: Final = 112
"""A page's token has at least as many hexadecimal digits, and a multiple of 16, as the model demands of clients."""

_ECHOED: Final = ("ClientToken", "S3BucketSource", "InputFormat", "InputFormatOptions", "TableCreationParameters")

Request = dict[str, Any]


def import_table(context: Context, request: Request) -> Response:
    """Make a new table and begin to fill it; the answer shows the import IN_PROGRESS.

    Raises:
        ResourceInUseError: there is a table of that name.
        ImportConflictError: the ClientToken belongs to another request.
        ValidationError: a parameter is wrong.
        LimitExceededError: the region holds 2,500 tables.
    """
    known = jobs.same_request(context, job.IMPORT, request)
    if known is not None:
        if known.details["digest"] != jobs.digest_of(request):
            raise ImportConflictError(f"The ClientToken was used with another request for the import {known.arn}")
        return {"ImportTableDescription": _describe(known)}
    if (request.get("InputFormatOptions") or {}).get("Csv") and request["InputFormat"] != CSV:
        raise ValidationError(f"{INVALID}Csv options can only be specified when InputFormat is CSV")
    creation = request["TableCreationParameters"]
    options.refuse_unsupported(creation, UNSUPPORTED, "ImportTable")
    name = context.table_name(creation["TableName"])
    digest = jobs.digest_of(request)
    values = tables.shared_settings(creation)
    local = tables.local_state(context, creation)
    if name in context.catalogue.by_name:
        raise ResourceInUseError(f"Table already exists: {name}")
    table = tables.insert(context, name, values, msgspec.structs.replace(local, status=CREATING, status_until_ms=0))
    now_ms = context.now_ms()
    work = Job(
        arn=f"{archive_names.table_arn(context, name)}/import/{archive_names.new_id(context.rng, now_ms)}",
        kind=job.IMPORT,
        table_uid=table.uid,
        table_name=name,
        started_ms=now_ms,
        token=request.get("ClientToken"),
        details={
            **{member: request[member] for member in _ECHOED if request.get(member) is not None},
            "InputCompressionType": request.get("InputCompressionType") or "NONE",
            "TableArn": archive_names.table_arn(context, name),
            "TableId": table.local.table_id,
            "CloudWatchLogGroupArn": _log_group(context),
            "digest": digest,
        },
    )
    context.save_job(work, queued=True)
    jobs.forget_old(context, job.IMPORT)
    return {"ImportTableDescription": _describe(work)}


def describe_import(context: Context, request: Request) -> Response:
    """Return everything about an import, how far it has come too.

    Raises:
        ImportNotFoundError: there is none.
    """
    work = context.reader.archive.job(request["ImportArn"])
    if work is None or work.kind != job.IMPORT:
        raise ImportNotFoundError(f"Import not found: {request['ImportArn']}")
    return {"ImportTableDescription": _describe(work)}


def list_imports(context: Context, request: Request) -> Response:
    """Return a page of imports in the order of their ARNs.

    Raises:
        ValidationError: the token is none of this operation's.
    """
    token = request.get("NextToken")
    page, after = jobs.page(
        context, job.IMPORT, request.get("TableArn"), _after(token) if token else "", request.get("PageSize")
    )
    answer: Response = {"ImportSummaryList": [_summary(work) for work in page]}
    if after is not None:
        answer["NextToken"] = _token(after)
    return answer


def finish(context: Context, work: Job) -> None:
    """All items are in: the table is ACTIVE, and the job tells the counts."""
    context.save_job(msgspec.structs.replace(work, status=job.COMPLETED, ended_ms=context.now_ms()))
    replicas.replica_ready(context, work.table_uid)


def give_up(context: Context, work: Job, reason: str) -> None:
    """The source cannot be read: the table goes, and the job says why."""
    context.save_job(msgspec.structs.replace(work, status=job.FAILED, ended_ms=context.now_ms(), reason=reason))
    table = context.catalogue.by_uid.get(work.table_uid)
    if table is not None and not table.record.dropped:
        records.drop(context, table)


def _log_group(context: Context) -> str:
    """Return the ARN that AWS names here; no log is kept there."""
    return f"arn:aws:logs:{context.settings.region}:{context.settings.account}:log-group:/aws-dynamodb/imports:*"


def _token(arn: str) -> str:
    digits = arn.encode().hex()
    return digits + "0" * (max(TOKEN_DIGITS, -(-len(digits) // 16) * 16) - len(digits))


def _after(token: str) -> str:
    try:
        return bytes.fromhex(token).rstrip(b"\x00").decode()
    except ValueError as error:
        raise ValidationError("Invalid NextToken") from error


def _times(work: Job) -> dict[str, float]:
    times = {"StartTime": work.started_ms / 1000}
    if work.ended_ms is not None:
        times["EndTime"] = work.ended_ms / 1000
    return times


def _summary(work: Job) -> dict[str, Any]:
    details = work.details
    return {
        "ImportArn": work.arn,
        "ImportStatus": work.status,
        **{name: details[name] for name in ("TableArn", "S3BucketSource", "CloudWatchLogGroupArn", "InputFormat")},
        **_times(work),
    }


def _describe(work: Job) -> dict[str, Any]:
    details = work.details
    answer: dict[str, Any] = {
        "ImportArn": work.arn,
        "ImportStatus": work.status,
        **{name: details[name] for name in ("TableArn", "TableId", "CloudWatchLogGroupArn", "InputCompressionType")},
        **{name: details[name] for name in _ECHOED if name in details},
        **_times(work),
        "ProcessedItemCount": work.done,
        "ImportedItemCount": details.get("imported", 0),
        "ErrorCount": details.get("errors", 0),
        "ProcessedSizeBytes": details.get("bytes", 0),
    }
    if work.status == job.FAILED:
        answer |= {"FailureCode": details.get("FailureCode", "Failed"), "FailureMessage": work.reason}
    return answer
