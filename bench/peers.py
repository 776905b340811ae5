"""The systems under measurement: one Atoll region, dynalite, and whatever is given by URL."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from atoll import Cluster
from bench import load

REGION: Final = "us-east-1"
CACHE: Final = Path(__file__).parent.parent / ".bench"
DYNALITE: Final = "dynalite@4.0.0"
TABLE: Final[dict[str, Any]] = {
    "TableName": "bench",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
}


class Peer(NamedTuple):
    """A running server; ``pid`` is known for those started here."""

    name: str
    url: str
    pid: int | None


def call(url: str, operation: str, body: dict[str, Any]) -> dict[str, Any]:
    """Call one operation, unsigned but well-formed."""
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": "AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/dynamodb/aws4_request, "
            f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def fill(url: str, first: int, last: int) -> None:
    """Write the items ``first`` to ``last`` (exclusive) of the bench table, 25 at a time."""
    payload = {"S": "x" * 900}
    for start in range(first, last, 25):
        puts = [
            {
                "PutRequest": {
                    "Item": {
                        "pk": {"S": f"part-{number // 10:08d}"},
                        "sk": {"S": f"item-{number % 10:02d}"},
                        "n": {"N": str(number)},
                        "payload": payload,
                        "flag": {"BOOL": True},
                    }
                }
            }
            for number in range(start, min(start + 25, last))
        ]
        call(url, "BatchWriteItem", {"RequestItems": {"bench": puts}})


def create_table(url: str) -> None:
    """Create the bench table and wait until it can be used."""
    call(url, "CreateTable", TABLE)
    while call(url, "DescribeTable", {"TableName": "bench"})["Table"]["TableStatus"] != "ACTIVE":
        time.sleep(0.05)


@contextmanager
def atoll(durability: Literal["normal", "full"] = "normal") -> Iterator[Peer]:
    """Run one region on a fresh file."""
    with Cluster(regions=(REGION,), durability=durability) as cluster:
        pid = cluster.pid(REGION)
        load.pin(pid, 0)
        yield Peer(f"atoll ({durability})", cluster.endpoint(REGION), pid)


@contextmanager
def dynalite() -> Iterator[Peer]:
    """Run dynalite in memory, installed from npm into a folder of its own."""
    program = CACHE / "node_modules" / "dynalite" / "cli.js"
    if not program.exists():
        if shutil.which("npm") is None:
            raise SystemExit("bench: npm is needed to measure dynalite beside Atoll; install Node.js and npm")
        CACHE.mkdir(exist_ok=True)
        subprocess.run(["npm", "install", "--no-save", "--no-audit", "--no-fund", DYNALITE], cwd=CACHE, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["node", str(program), "--port", str(port), "--host", "127.0.0.1", "--createTableMs", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            load.pin(process.pid, 0)
            await_port(port)
            yield Peer("dynalite", f"http://127.0.0.1:{port}", process.pid)
        finally:
            process.kill()


def await_port(port: int, seconds: float = 20.0) -> None:
    """Wait until something listens on a local port."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def by_url() -> list[Peer]:
    """Return the peers of ``ATOLL_BENCH_PEERS=name=url,…``."""
    peers = []
    for part in filter(None, os.environ.get("ATOLL_BENCH_PEERS", "").split(",")):
        name, _, url = part.partition("=")
        peers.append(Peer(name, url, None))
    return peers
