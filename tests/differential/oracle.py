"""The oracle of the differential run: DynamoDB Local, found at an address or fetched with Maven and started.

``ATOLL_ORACLE_URL`` names one that runs already. Otherwise Maven copies it, with its native SQLite library, into the
ignored folder ``.oracle`` (once), and java runs it in memory on a free port of the loopback address until the run ends.

Hazard: DynamoDB Local is AWS's own, but it is not DynamoDB. Where it differs from AWS's documents, the documents are
right, and ``explanations.toml`` says so.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
POM: Final = Path(__file__).with_name("oracle.xml")
FOLDER: Final = ROOT / ".oracle"
MAIN: Final = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"
START_S: Final = 60.0
POLL_S: Final = 0.2
ADDRESS: Final = "127.0.0.1"


@contextmanager
def oracle() -> Iterator[str]:
    """Yield the URL of an oracle, which ends with the block when it was started here."""
    given = os.environ.get("ATOLL_ORACLE_URL")
    if given:
        yield given
        return
    fetch()
    port = _free_port()
    command = ["java", f"-Djava.library.path={FOLDER}", "-Xmx512m", "-cp", f"{FOLDER}/*", MAIN]
    process = subprocess.Popen(
        [*command, "-inMemory", "-port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=FOLDER
    )
    try:
        _wait(process, port)
        yield f"http://{ADDRESS}:{port}"
    finally:
        process.kill()
        process.communicate()


def fetch() -> None:
    """Copy the oracle and all that it needs into the ignored folder, unless it is there."""
    if any(FOLDER.glob("DynamoDBLocal-*.jar")):
        return
    for tool in ("mvn", "java"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: install it, or name a running DynamoDB Local in ATOLL_ORACLE_URL")
    print(f"differential: DynamoDB Local from Maven into {FOLDER.name} (once)", flush=True)
    copy = ["dependency:copy-dependencies", f"-DoutputDirectory={FOLDER}", "-DincludeScope=runtime"]
    subprocess.run(["mvn", "--batch-mode", "--quiet", "--file", str(POM), *copy], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the oracle listens.

    Raises:
        SystemExit: it ended, or took longer than :data:`START_S`.
    """
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((ADDRESS, port)) == 0:
                return
        time.sleep(POLL_S)
    process.kill()
    raise SystemExit(f"DynamoDB Local did not start: {process.communicate()[1].decode(errors='replace')[-2000:]}")
