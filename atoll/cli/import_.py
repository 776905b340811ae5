"""``atoll import``: make a new table of what is in a bucket, and wait until it is ACTIVE."""

from __future__ import annotations

import json
from typing import Any

import click

from atoll.cli import archiving, options
from atoll.failure import EXIT_FAILED

FORMATS = {"json": "DYNAMODB_JSON", "ion": "ION", "csv": "CSV"}


class KeyType(click.ParamType[tuple[str, str]]):
    """A key attribute such as ``id`` or ``year:N``."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return the name and the type."""
        if isinstance(value, tuple):
            return value
        name, _, kind = str(value).rpartition(":") if str(value)[-2:] in (":S", ":N", ":B") else (str(value), "", "S")
        if not name:
            self.fail(f"{value!r} names no attribute. Write id, or year:N for a number.", param, ctx)
        return name, kind


@click.command("import")
@click.argument("target")
@click.option("--bucket", required=True, help="The S3 bucket, or what the region's configuration makes of that name.")
@click.option("--prefix", default="", help="What the names of the objects begin with.")
@click.option("--hash-key", type=KeyType(), required=True, metavar="NAME[:S|N|B]", help="The partition key.")
@click.option("--range-key", type=KeyType(), metavar="NAME[:S|N|B]", help="The sort key.")
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="json", show_default=True, help="Of the items."
)
@click.option(
    "--compression",
    type=click.Choice(("gzip", "zstd", "none")),
    default="gzip",
    show_default=True,
    help="Of the files.",
)
@archiving.region_option
@options.cluster_option
@options.json_option
def command(
    target: str,
    bucket: str,
    prefix: str,
    hash_key: tuple[str, str],
    range_key: tuple[str, str] | None,
    form: str,
    compression: str,
    region: str | None,
    cluster: str | None,
    as_json: bool,
) -> int:
    """Make a new table TARGET of the objects under a prefix. Exit code 1 if something in them was left out.

    An export of AWS or of Atoll is imported as it is: name its folder AWSDynamoDB/ID/ as the prefix.
    """
    where = archiving.place(cluster, region)
    keys = [(hash_key, "HASH"), *([(range_key, "RANGE")] if range_key else [])]
    request = {
        "S3BucketSource": {"S3Bucket": bucket, "S3KeyPrefix": prefix},
        "InputFormat": FORMATS[form],
        "InputCompressionType": compression.upper(),
        "TableCreationParameters": {
            "TableName": target,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for (name, kind), _ in keys],
            "KeySchema": [{"AttributeName": name, "KeyType": role} for (name, _), role in keys],
        },
    }
    arn = where.caller.call("ImportTable", request)["ImportTableDescription"]["ImportArn"]
    job = archiving.follow(where, arn, f"importing {target}")
    answer = where.caller.call("DescribeImport", {"ImportArn": arn})["ImportTableDescription"]
    if as_json:
        click.echo(json.dumps(answer))
    else:
        click.echo(
            f"{target} in {where.region}: {answer['ImportedItemCount']:,} items, {answer['ErrorCount']:,} errors"
        )
        if job is not None and job.reason:
            click.echo(f"The first error: {job.reason}")
    return EXIT_FAILED if answer["ErrorCount"] else 0
