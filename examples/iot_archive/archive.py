"""The function behind the trigger: writes readings to an archive in hourly folders, as a data lake on S3 has them.

What: ``handler(event, context)`` is a Lambda function for a DynamoDB stream. Each batch becomes one file for each hour
that it touches: ``year=2026/month=11/day=27/hour=08/SEQUENCE.jsonl.gz``. Athena, Spark and DuckDB read such folders as
a table.

Invariants: a file has its name from the first record in it and is put in its place complete, so a batch that comes
again writes the same file again. What comes again may be cut differently, but never ends earlier than before; so a
reader that takes each ``eventID`` once finds every reading.

Source: AWS developer guide of Lambda, "Using AWS Lambda with Amazon DynamoDB" (partial batch responses).
"""

from __future__ import annotations

import gzip
import json
import os
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Archive a batch; say from which record on to try again where one cannot be archived."""
    hours: dict[str, list[tuple[str, str]]] = defaultdict(list)
    failed: list[dict[str, str]] = []
    for record in event["Records"]:
        number = record["dynamodb"]["SequenceNumber"]
        try:
            folder, line = reading(record)
        except (KeyError, ValueError) as error:
            print(f"{record['eventID']} is no reading: {error!r}")
            # What comes after it is handed out again: nothing of it may be lost, nor come before its turn.
            failed.append({"itemIdentifier": number})
            break
        hours[folder].append((number, line))
    for folder, lines in hours.items():
        write(Path(os.environ["ARCHIVE"]) / folder / f"{lines[0][0]}.jsonl.gz", [line for _, line in lines])
    return {"batchItemFailures": failed}


def reading(record: dict[str, Any]) -> tuple[str, str]:
    """Return the folder of a reading's hour, and its line."""
    image = record["dynamodb"]["NewImage"]
    at = datetime.fromisoformat(image["at"]["S"])
    line = {
        "event": record["eventID"],
        "device": image["device"]["S"],
        "at": at.isoformat(),
        "celsius": float(image["celsius"]["N"]),
    }
    return f"year={at:%Y}/month={at:%m}/day={at:%d}/hour={at:%H}", json.dumps(line)


def write(path: Path, lines: list[str]) -> None:
    """Write a file so that nobody sees it half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    growing = path.with_suffix(".part")
    growing.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    growing.replace(path)
