"""Clients over HTTP, for workloads on real regions.

What: :func:`connected` gives a function from a region to a new :class:`HttpClient`. All clients share one pool of
connections to each region, as the clients of an application do.

Invariants: a connection that was refused and a 4xx are definite; everything else that is no answer (a time-out, a
connection that broke, a 5xx) is not.

Hazard: requests are signed in form only, as Atoll's own callers do; regions that check signatures refuse them.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import orjson

from chaos.workload.client import METADATA, REQUEST_ID, SESSION_TOKEN, CallError, Client

TIMEOUT_S: Final = 10.0
TOKEN_HEADER: Final = "x-atoll-session"
STREAMS: Final = frozenset({"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"})
"""Operations of DynamoDB Streams, which have a target of their own."""
OK: Final = 200
SERVER_ERROR: Final = 500


class HttpClient:
    """A client of one region."""

    def __init__(self, region: str, endpoint: str, session: aiohttp.ClientSession) -> None:
        self._region = region
        self._endpoint = endpoint
        self._session = session
        self._headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential=atoll/20250101/{region}/dynamodb/aws4_request, "
                f"SignedHeaders=host;x-amz-date;x-amz-target, Signature={'0' * 64}"
            ),
            "X-Amz-Date": "20250101T000000Z",
        }

    @property
    def region(self) -> str:
        """The region that it calls."""
        return self._region

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run an operation of the API and return its answer, with request id and session token as metadata."""
        version = "DynamoDBStreams_20120810" if operation in STREAMS else "DynamoDB_20120810"
        headers = {**self._headers, "X-Amz-Target": f"{version}.{operation}"}
        presented = request.get(METADATA, {}).get(SESSION_TOKEN)
        if presented is not None:
            headers[TOKEN_HEADER] = presented
        body = orjson.dumps({name: value for name, value in request.items() if name != METADATA})
        try:
            async with self._session.post(self._endpoint, data=body, headers=headers) as response:
                answer: dict[str, Any] = orjson.loads(await response.read() or b"{}")
                status, answered = response.status, response.headers
        except aiohttp.ClientConnectorError as error:
            raise CallError("ConnectionRefused", str(error), definite=True) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:  # A TimeoutError is an OSError.
            raise CallError(type(error).__name__, str(error), definite=False) from error
        if status != OK:
            name = str(answer.get("__type", status)).rpartition("#")[2]
            message = str(answer.get("message") or answer.get("Message") or "")
            raise CallError(name, message, definite=status < SERVER_ERROR, item=answer.get("Item"))
        metadata = {REQUEST_ID: answered.get("x-amzn-RequestId", ""), SESSION_TOKEN: answered.get(TOKEN_HEADER, "")}
        return {**answer, METADATA: metadata}


@asynccontextmanager
async def connected(
    endpoints: Mapping[str, str], timeout_s: float = TIMEOUT_S, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Callable[[str], Client]]:
    """Open the pool of connections to the regions' endpoints; the value makes a client of a region.

    ``tls`` is how their certificates are judged, where they have some; otherwise it is as the system does.
    """
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    connector = aiohttp.TCPConnector(limit=0, ssl=tls or True)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        yield lambda region: HttpClient(region, endpoints[region], session)
