"""``atoll backups``: list the backups of a region."""

from __future__ import annotations

import json
from typing import Any

import click

from atoll.cli import archiving, options


@click.command("backups")
@click.argument("table", required=False)
@archiving.region_option
@options.cluster_option
@options.json_option
def command(table: str | None, region: str | None, cluster: str | None, as_json: bool) -> None:
    """List the backups that a region has, of TABLE or of all tables, those made by a deletion too."""
    where = archiving.place(cluster, region)
    request: dict[str, Any] = {"BackupType": "ALL"} | ({"TableName": table} if table else {})
    found: list[dict[str, Any]] = []
    while True:
        page = where.caller.call("ListBackups", request)
        found += page["BackupSummaries"]
        if "LastEvaluatedBackupArn" not in page:
            break
        request["ExclusiveStartBackupArn"] = page["LastEvaluatedBackupArn"]
    if as_json:
        click.echo(json.dumps(found))
        return
    rows = options.columns("id", "table", "name", "type", "state", "made (UTC)", "bytes", right=("bytes",))
    for it in found:
        made = archiving.moment(it["BackupCreationDateTime"])
        identity = it["BackupArn"].rpartition("/")[2]
        rows.add_row(
            *(identity, it["TableName"], it["BackupName"], it["BackupType"], it["BackupStatus"], made),
            f"{it['BackupSizeBytes']:,}",
        )
    options.console().print(rows)
