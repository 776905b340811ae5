"""A bad deploy spoils a table; its past brings it back, and an export shows what the deploy did.

Run it with ``python examples/undo_a_bad_deploy.py``; it needs boto3. Everything is an ordinary call of the DynamoDB
API: point-in-time recovery, a restore to the moment before, a full and an incremental export.
"""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from atoll import Cluster

REGION, BUCKET = "us-east-1", "archive"


def main() -> None:
    """Spoil a table, restore it, and look at the damage."""
    with Cluster(regions=(REGION,)) as cluster:
        client = cluster.client(REGION)
        create(client)
        recovery = {"PointInTimeRecoveryEnabled": True}
        client.update_continuous_backups(TableName="prices", PointInTimeRecoverySpecification=recovery)
        for fruit, price in (("coconut", 3), ("mango", 2), ("papaya", 4)):
            client.put_item(TableName="prices", Item={"fruit": {"S": fruit}, "price": {"N": str(price)}})
        print("Before the deploy:", show(client, "prices"))

        window = client.describe_continuous_backups(TableName="prices")["ContinuousBackupsDescription"]
        before: datetime = window["PointInTimeRecoveryDescription"]["LatestRestorableDateTime"] + timedelta(
            milliseconds=1
        )
        while datetime.now(UTC) <= before + timedelta(milliseconds=2):
            time.sleep(0.001)
        client.put_item(TableName="prices", Item={"fruit": {"S": "mango"}, "price": {"N": "0"}})
        client.delete_item(TableName="prices", Key={"fruit": {"S": "papaya"}})
        print("After the deploy: ", show(client, "prices"))

        client.restore_table_to_point_in_time(
            SourceTableName="prices", TargetTableName="prices-restored", RestoreDateTime=before
        )
        client.get_waiter("table_exists").wait(TableName="prices-restored", WaiterConfig={"Delay": 1})
        print("Restored:         ", show(client, "prices-restored"))

        for line in export_changes(client, Path(str(cluster.data)) / REGION / "buckets" / BUCKET, before):
            was, now = line["OldImage"]["price"]["N"], line.get("NewImage", {}).get("price", {}).get("N", "gone")
            print(f"  The deploy changed {line['Keys']['fruit']['S']}: {was} -> {now}")


def create(client: Any) -> None:
    """Make the table."""
    client.create_table(
        TableName="prices",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "fruit", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "fruit", "KeyType": "HASH"}],
    )


def show(client: Any, table: str) -> str:
    """Return a table's prices."""
    items = client.scan(TableName=table)["Items"]
    return ", ".join(sorted(f"{item['fruit']['S']} {item['price']['N']}" for item in items))


def export_changes(client: Any, bucket: Path, since: datetime) -> list[dict[str, Any]]:
    """Export what has changed since a moment, and return the lines of the export."""
    arn = client.describe_table(TableName="prices")["Table"]["TableArn"]
    begun = client.export_table_to_point_in_time(
        TableArn=arn,
        S3Bucket=BUCKET,
        ExportType="INCREMENTAL_EXPORT",
        IncrementalExportSpecification={"ExportFromTime": since},
    )["ExportDescription"]["ExportArn"]
    while (done := client.describe_export(ExportArn=begun)["ExportDescription"])["ExportStatus"] == "IN_PROGRESS":
        time.sleep(0.01)
    summary = json.loads((bucket / done["ExportManifest"]).read_text())
    files = [json.loads(line) for line in (bucket / summary["manifestFilesS3Key"]).read_text().splitlines()]
    lines = [
        line for file in files for line in gzip.decompress((bucket / file["dataFileS3Key"]).read_bytes()).splitlines()
    ]
    return sorted((json.loads(line) for line in lines), key=lambda line: line["Keys"]["fruit"]["S"])


if __name__ == "__main__":
    main()
