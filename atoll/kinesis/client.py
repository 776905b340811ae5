"""A client of any endpoint that speaks Kinesis: PutRecords, and a look whether a stream is there.

What: JSON 1.1 over aiohttp, signed with Signature Version 4 by botocore's own signer.

Invariants: an answer that is not a success, and no answer at all, become a :class:`KinesisError` that says what
happened. Nothing is retried here.

Hazard: botocore's signer is loaded with the first request; it costs a tenth of a second.

Source: AWS API reference of Kinesis Data Streams: PutRecords, DescribeStreamSummary, common errors.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import aiohttp

from atoll.kinesis.record import Outgoing

TARGET: Final = "Kinesis_20131202."
CONTENT_TYPE: Final = "application/x-amz-json-1.1"
TIMEOUT_S: Final = 15.0
THROTTLED: Final = frozenset(
    ("ProvisionedThroughputExceededException", "LimitExceededException", "ThrottlingException", "Throttling")
)
UNKNOWN: Final = frozenset(
    ("UnknownOperationException", "UnrecognizedOperationException", "NotImplemented", "404", "501")
)
"""How an endpoint says that it does not know an operation."""


class KinesisError(Exception):
    """The endpoint refused a request, or did not answer. ``name`` is AWS's, the HTTP status, or empty for no answer."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}" if name else message)
        self.name = name

    @property
    def definite(self) -> bool:
        """Whether asking again the same would be answered the same: it is the request that is wrong."""
        name = self.name
        return bool(name) and name not in THROTTLED and not name.startswith("5") and "Internal" not in name


class Refusal(NamedTuple):
    """One record that a request's answer refuses."""

    position: int
    name: str
    message: str


class Credentials(NamedTuple):
    """Whose signature requests carry."""

    access_key_id: str
    secret_access_key: str


class KinesisClient:
    """A client of one endpoint, for one region."""

    def __init__(self, endpoint: str, region: str, credentials: Credentials) -> None:
        self.endpoint = endpoint.rstrip("/") + "/"
        self._region = region
        self._credentials = credentials
        self._session: aiohttp.ClientSession | None = None
        self._signer: Any = None

    async def put_records(self, stream_arn: str, records: Sequence[Outgoing]) -> list[Refusal]:
        """Send records; return those that were refused.

        Raises:
            KinesisError: none arrived, or it is not known whether any did.
        """
        answer = await self._call(
            "PutRecords",
            {
                "StreamARN": stream_arn,
                "StreamName": _name(stream_arn),
                "Records": [
                    {"Data": b64encode(record.data).decode(), "PartitionKey": record.partition_key}
                    for record in records
                ],
            },
        )
        results = answer.get("Records")
        if not isinstance(results, list) or len(results) != len(records):
            raise KinesisError("", f"{self.endpoint} answered PutRecords with something else than its results")
        return [
            Refusal(position, str(it["ErrorCode"]), str(it.get("ErrorMessage", "")))
            for position, it in enumerate(results)
            if it.get("ErrorCode")
        ]

    async def look_up(self, stream_arn: str) -> None:
        """Look whether there is a stream. An endpoint that cannot say is believed to have it.

        Raises:
            KinesisError: there is none, or nobody answers.
        """
        try:
            await self._call("DescribeStreamSummary", {"StreamARN": stream_arn, "StreamName": _name(stream_arn)})
        except KinesisError as error:
            if error.name not in UNKNOWN:
                raise

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(request).encode()
        headers = self._signed({"Content-Type": CONTENT_TYPE, "X-Amz-Target": TARGET + operation}, body)
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        try:
            async with self._session.post(self.endpoint, data=body, headers=headers) as response:
                content = await response.read()
                status = response.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise KinesisError("", f"{self.endpoint} does not answer ({error or type(error).__name__})") from error
        answer = _decoded(content)
        if status != 200:
            name = str(answer.get("__type", "")).rpartition("#")[2] or str(status)
            raise KinesisError(name, str(answer.get("message") or answer.get("Message") or f"HTTP status {status}"))
        return answer

    def _signed(self, headers: dict[str, str], body: bytes) -> dict[str, str]:
        # Loaded with the first request: many regions never make one, and it costs a tenth of a second.
        from botocore.auth import SigV4Auth  # noqa: PLC0415
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.credentials import Credentials as Signature  # noqa: PLC0415

        if self._signer is None:
            self._signer = SigV4Auth(Signature(*self._credentials), "kinesis", self._region)
        request = AWSRequest("POST", self.endpoint, data=body, headers=headers)
        self._signer.add_auth(request)
        return dict(request.headers.items())


def _name(stream_arn: str) -> str:
    return stream_arn.rpartition("/")[2]


def _decoded(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
