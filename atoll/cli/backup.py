"""``atoll backup``: make a backup of a table, and wait until it is there."""

from __future__ import annotations

import json

import click

from atoll.cli import archiving, options


@click.command("backup")
@click.argument("table")
@click.option(
    "--name",
    default="backup",
    show_default=True,
    help="A name for people: 3 to 255 letters, digits, hyphens, dots and underscores.",
)
@archiving.region_option
@options.cluster_option
@options.json_option
def command(table: str, name: str, region: str | None, cluster: str | None, as_json: bool) -> None:
    """Make a backup of TABLE, as it is in one region now. Clients go on meanwhile.

    It is a folder of its own, backups/ID/ in the region's data folder, and can be copied to another region's.
    """
    where = archiving.place(cluster, region)
    details = where.caller.call("CreateBackup", {"TableName": table, "BackupName": name})["BackupDetails"]
    archiving.follow(where, details["BackupArn"], f"backing up {table}")
    answer = where.caller.call("DescribeBackup", {"BackupArn": details["BackupArn"]})["BackupDescription"]
    if as_json:
        click.echo(json.dumps(answer))
        return
    source = answer["SourceTableDetails"]
    click.echo(f"{details['BackupArn']}\n{source['ItemCount']:,} items, {source['TableSizeBytes']:,} bytes")
