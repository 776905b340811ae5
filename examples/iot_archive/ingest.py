"""Devices send readings; a trigger archives them by the hour, and puts aside what is no reading.

Run it with ``python examples/iot_archive/ingest.py``; it needs boto3. The region dies once on the way: the trigger goes
on where it was, and no reading is missing from the archive.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from atoll import Cluster

REGION = "us-east-1"
FUNCTION = Path(__file__).parent / "archive.py"
MORNING = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)


def main() -> None:
    """Send readings, lose the region on the way, and read the archive."""
    with tempfile.TemporaryDirectory() as folder:
        archive, aside = Path(folder) / "archive", Path(folder) / "aside"
        # The function finds its settings in its environment, as in Lambda.
        os.environ["ARCHIVE"] = str(archive)
        with Cluster(regions=(REGION,)) as cluster:
            client = cluster.client(REGION)
            create(client)
            cluster.trigger(
                "readings",
                f"{FUNCTION}:handler",
                batch_size=50,
                filters=[json.dumps({"eventName": ["INSERT"]})],
                report_batch_item_failures=True,
                retry_attempts=1,
                backoff_min_ms=10,
                on_failure=str(aside),
            )
            send(client, [(f"sensor-{n % 5}", MORNING + timedelta(minutes=n), "21.5") for n in range(100)])
            cluster.kill(REGION)
            cluster.restart(REGION)
            print("100 readings were sent, and the region died and came back.")

            send(client, [(f"sensor-{n % 5}", MORNING + timedelta(minutes=n), "22") for n in range(100, 150)])
            send(client, [("sensor-9", MORNING, None)])
            cluster.wait_triggered()
            print("50 more, and one without a temperature.")

        for hour, events in sorted(hours(archive).items()):
            print(f"  {hour}: {len(events)} readings")
        given_up = [path for path in aside.rglob("*") if path.is_file()]
        print(f"Put aside: {len(given_up)} batch, {reason(given_up[0])}")


def create(client: Any) -> None:
    """Make the table, with a stream."""
    client.create_table(
        TableName="readings",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "device", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "device", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )


def send(client: Any, readings: list[tuple[str, datetime, str | None]]) -> None:
    """Write readings, 25 a request."""
    requests = []
    for device, at, celsius in readings:
        item: dict[str, Any] = {"device": {"S": device}, "at": {"S": at.isoformat()}}
        if celsius is not None:
            item["celsius"] = {"N": celsius}
        requests.append({"PutRequest": {"Item": item}})
    while requests:
        answer = client.batch_write_item(RequestItems={"readings": requests[:25]})
        requests = answer["UnprocessedItems"].get("readings", []) + requests[25:]


def hours(archive: Path) -> dict[str, set[str]]:
    """Return the readings of each hour of an archive, by their events: one that was archived twice counts once."""
    found: dict[str, set[str]] = {}
    for path in archive.rglob("*.jsonl.gz"):
        lines = gzip.decompress(path.read_bytes()).splitlines()
        hour = str(path.parent.relative_to(archive))
        found.setdefault(hour, set()).update(json.loads(line)["event"] for line in lines)
    return found


def reason(path: Path) -> str:
    """Return why a batch was given up."""
    condition: str = json.loads(path.read_text())["requestContext"]["condition"]
    return condition


if __name__ == "__main__":
    main()
