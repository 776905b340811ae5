"""ExportTableToPointInTime, DescribeExport and ListExports.

What: a request saves a job that names a past state of the table, or a span of its past; the archivist writes it into a
bucket, laid out as AWS lays it out (:mod:`region.archive.exporting`).

Invariants: a request that comes again with its ClientToken within eight hours begins nothing new. What an export holds
is settled when it is answered, however long it takes.

Source: AWS API reference, the three operations; developer guide, "DynamoDB data export to Amazon S3"; messages as AWS
sends them where they are public.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from region.errors import (
    ExportConflictError,
    ExportNotFoundError,
    InvalidExportTimeError,
    ValidationError,
)
from region.model import job
from region.model.change import Response
from region.model.job import Job
from region.model.table import Table
from region.model.values import INVALID
from region.operation.archive import export_filter, jobs
from region.operation.archive import names as archive_names
from region.operation.archive.continuous_backups import past, reachable
from region.operation.context import Context

FILTER: Final = "FilterSpecification"
FULL: Final = "FULL_EXPORT"
INCREMENTAL: Final = "INCREMENTAL_EXPORT"
JSON: Final = "DYNAMODB_JSON"
NEW_AND_OLD: Final = "NEW_AND_OLD_IMAGES"
SPAN_MAX_MS: Final = 24 * 60 * 60 * 1000

_ECHOED: Final = ("ClientToken", "S3Bucket", "S3BucketOwner", "S3Prefix", "S3SseAlgorithm", "S3SseKmsKeyId", FILTER)

Request = dict[str, Any]


def export_table_to_point_in_time(context: Context, request: Request) -> Response:
    """Begin an export of a table as it was at a moment, or of what changed in a span of time.

    Raises:
        TableNotFoundError: there is no such table.
        TableInUseError: it is being created or deleted.
        PointInTimeRecoveryUnavailableError: it has no point-in-time recovery.
        InvalidExportTimeError: a moment is outside of what can be restored.
        ExportConflictError: the ClientToken belongs to another request.
        ValidationError: parameters do not fit each other.
    """
    known = jobs.same_request(context, job.EXPORT, request)
    if known is not None:
        if known.details["digest"] != jobs.digest_of(request):
            raise ExportConflictError(f"The ClientToken was used with another request for the export {known.arn}")
        return {"ExportDescription": _describe(known)}
    table = archive_names.source_table(context, request["TableArn"])
    span = _span(context, table, request)
    digest = jobs.digest_of(request)
    if request.get(FILTER) is not None:
        export_filter.parse(request[FILTER], table)
    now_ms = context.now_ms()
    work = Job(
        arn=f"{archive_names.table_arn(context, table.name)}/export/{archive_names.new_id(context.rng, now_ms)}",
        kind=job.EXPORT,
        table_uid=table.uid,
        table_name=table.name,
        started_ms=now_ms,
        token=request.get("ClientToken"),
        details={
            **past(
                context, table, span["ExportFromTimeMs"] - 1 if "ExportFromTimeMs" in span else span["ExportTimeMs"]
            ),
            **span,
            **{name: request[name] for name in _ECHOED if request.get(name) is not None},
            "ExportFormat": request.get("ExportFormat") or JSON,
            "TableArn": archive_names.table_arn(context, table.name),
            "TableId": table.local.table_id,
            "digest": digest,
        },
    )
    context.save_job(work, queued=True)
    jobs.forget_old(context, job.EXPORT)
    return {"ExportDescription": _describe(work)}


def describe_export(context: Context, request: Request) -> Response:
    """Return everything about an export.

    Raises:
        ExportNotFoundError: there is none.
    """
    work = context.reader.archive.job(request["ExportArn"])
    if work is None or work.kind != job.EXPORT:
        raise ExportNotFoundError(f"Export not found: {request['ExportArn']}")
    return {"ExportDescription": _describe(work)}


def list_exports(context: Context, request: Request) -> Response:
    """Return a page of exports in the order of their ARNs."""
    page, after = jobs.page(
        context, job.EXPORT, request.get("TableArn"), request.get("NextToken") or "", request.get("MaxResults")
    )
    answer: Response = {
        "ExportSummaries": [
            {"ExportArn": work.arn, "ExportStatus": work.status, "ExportType": work.details["ExportType"]}
            for work in page
        ]
    }
    if after is not None:
        answer["NextToken"] = after
    return answer


def completed(context: Context, work: Job) -> None:
    """An export is done: keep what is to be told of it."""
    context.save_job(msgspec.structs.replace(work, status=job.COMPLETED, ended_ms=context.now_ms()))


def _span(context: Context, table: Table, request: Request) -> dict[str, Any]:
    """Return what is exported, as members of the job."""
    kind = request.get("ExportType") or FULL
    specification = request.get("IncrementalExportSpecification")
    if (kind == INCREMENTAL) != (specification is not None):
        raise ValidationError(
            f"{INVALID}IncrementalExportSpecification must be specified for ExportType {INCREMENTAL}, and for no other"
        )
    if specification is not None and request.get(FILTER) is not None:
        raise ValidationError(f"{INVALID}{FILTER} can only be specified for ExportType {FULL}")
    now_ms = context.now_ms()
    if specification is None:
        at_ms = reachable(context, table, _ms(request.get("ExportTime"), now_ms))
        if at_ms is None:
            raise InvalidExportTimeError("The specified ExportTime is outside of the point in time recovery window.")
        return {"ExportType": kind, "ExportTimeMs": at_ms}
    if request.get("ExportTime") is not None:
        raise ValidationError(f"{INVALID}ExportTime cannot be specified for ExportType {INCREMENTAL}")
    if specification.get("ExportFromTime") is None:
        raise ValidationError(f"{INVALID}ExportFromTime must be specified for ExportType {INCREMENTAL}")
    from_ms = reachable(context, table, _ms(specification["ExportFromTime"], 0))
    to_ms = reachable(context, table, _ms(specification.get("ExportToTime"), now_ms))
    if from_ms is None or to_ms is None:
        raise InvalidExportTimeError(
            "The specified ExportFromTime or ExportToTime is outside of the point in time recovery window."
        )
    if from_ms >= to_ms or to_ms - from_ms > SPAN_MAX_MS:
        raise ValidationError(f"{INVALID}ExportToTime must be after ExportFromTime, by 24 hours at most")
    return {
        "ExportType": kind,
        "ExportFromTimeMs": from_ms,
        "ExportToTimeMs": to_ms,
        "ExportViewType": specification.get("ExportViewType") or NEW_AND_OLD,
    }


def _ms(seconds: float | None, default: int) -> int:
    return default if seconds is None else round(seconds * 1000)


def _describe(work: Job) -> dict[str, Any]:
    details = work.details
    answer: dict[str, Any] = {
        "ExportArn": work.arn,
        "ExportStatus": work.status,
        "StartTime": work.started_ms / 1000,
        "TableArn": details["TableArn"],
        "TableId": details["TableId"],
        **{name: details[name] for name in _ECHOED if name in details},
        "ExportFormat": details["ExportFormat"],
        "ExportType": details["ExportType"],
    }
    if details["ExportType"] == FULL:
        answer["ExportTime"] = details["ExportTimeMs"] / 1000
    else:
        answer["IncrementalExportSpecification"] = {
            "ExportFromTime": details["ExportFromTimeMs"] / 1000,
            "ExportToTime": details["ExportToTimeMs"] / 1000,
            "ExportViewType": details["ExportViewType"],
        }
    if work.ended_ms is not None:
        answer["EndTime"] = work.ended_ms / 1000
    for name in ("ExportManifest", "ItemCount", "BilledSizeBytes"):
        if name in details:
            answer[name] = details[name]
    if work.status == job.FAILED:
        answer |= {"FailureCode": details.get("FailureCode", "Failed"), "FailureMessage": work.reason}
    return answer
