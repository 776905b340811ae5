"""``atoll restore``: make a new table of a backup, or of a table's past, and wait until it is ACTIVE."""

from __future__ import annotations

import json
from typing import Any

import click

from atoll.cli import archiving, options
from atoll.cli.archiving import Place
from atoll.failure import UsageError


@click.command("restore")
@click.argument("source", metavar="BACKUP|TABLE@TIME")
@click.argument("target")
@archiving.region_option
@options.cluster_option
@options.json_option
def command(source: str, target: str, region: str | None, cluster: str | None, as_json: bool) -> None:
    """Make a new table TARGET of BACKUP, which is an id of `atoll backups` or an ARN, or of a TABLE as it was at TIME.

    TIME is in UTC, such as 2026-11-27T05:30:00, or `now`; the table must have point-in-time recovery.
    The table is ordinary and of one region: streams, TTL, replicas, tags and auto scaling are not restored.
    """
    where = archiving.place(cluster, region)
    table_name, at, moment = source.partition("@")
    if at:
        operation, request = "RestoreTableToPointInTime", {"SourceTableName": table_name, **_past(moment)}
    else:
        operation, request = "RestoreTableFromBackup", {"BackupArn": _arn(where, source)}
    arn = where.caller.call(operation, {"TargetTableName": target, **request})["TableDescription"]["TableArn"]
    archiving.follow(where, arn, f"restoring {target}")
    table = where.caller.call("DescribeTable", {"TableName": target})["Table"]
    if as_json:
        click.echo(json.dumps(table))
        return
    click.echo(f"{target} is {table['TableStatus']} in {where.region}: {table['ItemCount']:,} items")


def _past(moment: str) -> dict[str, Any]:
    if moment == "now":
        return {"UseLatestRestorableTime": True}
    return {"RestoreDateTime": archiving.Moment().convert(moment, None, None)}


def _arn(where: Place, backup: str) -> str:
    """Return the ARN of a backup that may be named by its id alone."""
    if backup.startswith("arn:"):
        return backup
    request = {"BackupType": "ALL"}
    while True:
        page = where.caller.call("ListBackups", request)
        for it in page["BackupSummaries"]:
            if it["BackupArn"].endswith(f"/{backup}"):
                return str(it["BackupArn"])
        if "LastEvaluatedBackupArn" not in page:
            raise UsageError(f"{where.region} has no backup {backup}.", "`atoll backups` lists what there is.")
        request["ExclusiveStartBackupArn"] = page["LastEvaluatedBackupArn"]
