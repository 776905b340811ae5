"""Any Toxiproxy client breaks connections through Atoll's proxy: here ``toxiproxy-python``.

Run it with ``python examples/toxiproxy_client.py``; it needs boto3 and toxiproxy-python. A region stands behind a
proxy, as a database would in the tests of an application: first slow by 150 ms, and then down.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from toxiproxy import Toxiproxy

from atoll import Cluster
from atoll.child import ServingChild


def main() -> None:
    """Put a proxy before a region, slow it down, take it down, bring it back."""
    with Cluster(regions=("us-east-1",)) as cluster, TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        server = ServingChild(["proxy", "--port=0"], Path(folder))  # The same as `atoll proxy` in a terminal.
        stack.callback(server.stop)
        server.launch()
        api = urlsplit(server.wait_ready(timeout_s=30))

        toxiproxy = Toxiproxy()
        toxiproxy.update_api_consumer(api.hostname, api.port)
        proxy = toxiproxy.create(name="dynamodb", upstream=urlsplit(cluster.endpoint("us-east-1")).netloc)
        client = connect(f"http://{proxy.listen}")
        print(f"The proxy answers: {client.list_tables()['TableNames']}")

        proxy.add_toxic(type="latency", attributes={"latency": 150})
        print(f"With 150 ms of latency an answer takes at least 150 ms: {timed(client) >= 0.15}")
        proxy.destroy_toxic("latency_downstream")

        with proxy.down():
            try:
                client.list_tables()
            except BotoCoreError:
                print("While it is down: no answer")
        print(f"And back: {client.list_tables()['TableNames']}")


def connect(endpoint: str) -> Any:
    """Return a DynamoDB client that does not try again."""
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )


def timed(client: Any) -> float:
    """Return how many seconds an answer takes."""
    started = time.monotonic()
    client.list_tables()
    return time.monotonic() - started


if __name__ == "__main__":
    main()
