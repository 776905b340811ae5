"""One kept HTTP connection, that sends any JSON as a request, so that malformed requests go out as they are."""

from __future__ import annotations

import http.client
import json
import os
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

DEADLINE_S: Final = 60.0
STREAMS: Final = frozenset({"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"})
# DynamoDB Local keeps the tables of each access key apart, so that two runs do not meet.
AUTHORIZATION: Final = (
    f"AWS4-HMAC-SHA256 Credential=differential{os.getpid()}/20260101/us-east-1/dynamodb/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
)


class Reply(NamedTuple):
    """An answer: of success, or an error's name and message with its further fields."""

    error: str
    message: str
    body: dict[str, Any]


class Connection:
    """A connection to an endpoint of the DynamoDB API."""

    def __init__(self, url: str) -> None:
        host = urlsplit(url).netloc
        self._connection = http.client.HTTPConnection(host, timeout=DEADLINE_S)

    def ask(self, operation: str, request: Any) -> Reply:
        """Send a request and return what comes back, errors included."""
        version = "DynamoDBStreams_20120810" if operation in STREAMS else "DynamoDB_20120810"
        headers = {
            "X-Amz-Target": f"{version}.{operation}",
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": AUTHORIZATION,
            "X-Amz-Date": "20260101T000000Z",
        }
        self._connection.request("POST", "/", json.dumps(request).encode(), headers)
        response = self._connection.getresponse()
        raw = response.read()
        body = json.loads(raw) if raw else {}
        if response.status == 200:
            return Reply("", "", body)
        error = str(body.pop("__type", response.status)).rpartition("#")[2]
        message = str(body.pop("message", body.pop("Message", "")))
        return Reply(error, message, body)
