"""``atoll export``: write a table, or what changed in it, into a bucket, and wait until it is there."""

from __future__ import annotations

import json
from typing import Any

import click

from atoll.cli import archiving, options
from atoll.cli.archiving import Moment

FORMATS = {"json": "DYNAMODB_JSON", "ion": "ION"}


@click.command("export")
@click.argument("table")
@click.option("--bucket", required=True, help="The S3 bucket, or what the region's configuration makes of that name.")
@click.option("--prefix", help="What the names in the bucket begin with.")
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="json", show_default=True, help="Of the items."
)
@click.option("--at", type=Moment(), metavar="TIME", help="The moment to export, in UTC.  [default: now]")
@click.option("--since", type=Moment(), metavar="TIME", help="Export only what has changed since, up to --until.")
@click.option("--until", type=Moment(), metavar="TIME", help="With --since.  [default: now]")
@archiving.region_option
@options.cluster_option
@options.json_option
def command(
    table: str,
    bucket: str,
    prefix: str | None,
    form: str,
    at: float | None,
    since: float | None,
    until: float | None,
    region: str | None,
    cluster: str | None,
    as_json: bool,
) -> None:
    """Export TABLE into a bucket, laid out as AWS's exports are. It must have point-in-time recovery.

    TIME is written as 2026-11-27T05:30:00. Clients of the table go on meanwhile.
    """
    if since is None and until is not None:
        raise click.UsageError("--until needs --since.")
    if since is not None and at is not None:
        raise click.UsageError("Give --at or --since, not both.")
    where = archiving.place(cluster, region)
    description = where.caller.call("DescribeTable", {"TableName": table})["Table"]
    request: dict[str, Any] = {
        "TableArn": description["TableArn"],
        "S3Bucket": bucket,
        "ExportFormat": FORMATS[form],
        "S3Prefix": prefix,
        "ExportTime": at,
    }
    if since is not None:
        span = {"ExportFromTime": since, "ExportToTime": until}
        request |= {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": span}
    arn = where.caller.call("ExportTableToPointInTime", request)["ExportDescription"]["ExportArn"]
    archiving.follow(where, arn, f"exporting {table}")
    answer = where.caller.call("DescribeExport", {"ExportArn": arn})["ExportDescription"]
    if as_json:
        click.echo(json.dumps(answer))
        return
    click.echo(f"{answer['ExportManifest']}\n{answer['ItemCount']:,} items, {answer['BilledSizeBytes']:,} bytes")
