"""What exports and imports have in common: jobs that are asked for once, listed in pages, and forgotten in time.

Source: AWS API reference, "ExportTableToPointInTime" and "ImportTable" (ClientToken), "ListExports", "ListImports".
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import msgspec

from region.model import job
from region.model.job import Job
from region.operation.context import Context

TOKEN_MS: Final = 8 * 60 * 60 * 1000
LIST_LIMIT: Final = 25

Request = dict[str, Any]


def digest_of(request: Request) -> str:
    """Return what tells two requests apart."""
    return sha256(msgspec.json.encode(request, order="sorted")).hexdigest()


def same_request(context: Context, kind: str, request: Request) -> Job | None:
    """Return the job that a request's ClientToken stands for, if it still does."""
    token = request.get("ClientToken")
    if token is None:
        return None
    for work in context.reader.archive.jobs(kind):
        if work.token == token and (work.ended_ms is None or context.now_ms() - work.ended_ms < TOKEN_MS):
            return work
    return None


def forget_old(context: Context, kind: str) -> None:
    """Forget jobs that ended 90 days ago."""
    for work in context.reader.archive.jobs(kind):
        if work.ended_ms is not None and context.now_ms() - work.ended_ms > job.KEPT_MS:
            context.delete_job(work.arn)


def page(
    context: Context, kind: str, table_arn: str | None, after: str, limit: int | None
) -> tuple[list[Job], str | None]:
    """Return jobs in the order of their ARNs, and the ARN behind which the next page begins, if there is one.

    ``table_arn`` limits them to one table, ``after`` is the ARN behind which this page begins.
    """
    found = [
        work
        for work in context.reader.archive.jobs(kind)
        if work.arn > after and table_arn in (None, work.details["TableArn"])
    ]
    shown = found[: limit or LIST_LIMIT]
    return shown, shown[-1].arn if len(shown) < len(found) else None
