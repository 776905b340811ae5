"""The region behind a cache: DynamoDB requests over HTTP, and the schemas of its tables.

What: :meth:`Upstream.call` makes one request. :meth:`Upstream.table` describes a table, and remembers what it found for
a minute, as DAX's clients do.

Invariants: a request is sent once, never again: whether to repeat it is the client's to say. An answer that is no
success is a :class:`~atoll.dax.errors.RegionError`; no answer, an :class:`~atoll.dax.errors.UnansweredError`.

Hazard: with an access key every request is signed, which costs more than the request.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import aiohttp
import orjson

from atoll.dax.errors import RegionError, UnansweredError
from atoll.dax.item_keys import KeySchema
from clock import PhysicalClock

CONNECTIONS_MAX: Final = 128
TIMEOUT_S: Final = 60.0
CONNECT_S: Final = 5.0
SCHEMA_S: Final = 60.0
TABLES_MAX: Final = 4096
_JSON: Final = "application/x-amz-json-1.0"
_PREFIX: Final = "DynamoDB_20120810."


class Known(NamedTuple):
    """What is known of a table: which one it is, its key schema, and until when, by the stopwatch, that is believed."""

    uid: str
    schema: KeySchema
    until: float


class Upstream:
    """One region's DynamoDB endpoint. ``access_key`` is an id and its secret, for a region that checks signatures.

    ``trusted`` judges its certificate, where it has one.
    """

    def __init__(
        self,
        region: str,
        endpoint: str,
        clock: PhysicalClock,
        access_key: tuple[str, str] | None = None,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        self._trusted = trusted
        self.region = region
        self.endpoint = endpoint.rstrip("/")
        self._now = clock.monotonic
        self._access_key = access_key
        self._session: aiohttp.ClientSession | None = None
        self._tables: dict[str, Known] = {}
        self._unsigned = {
            "Content-Type": _JSON,
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential=atoll/20250101/{region}/dynamodb/aws4_request, "
                f"SignedHeaders=host;x-amz-date;x-amz-target, Signature={'0' * 64}"
            ),
            "X-Amz-Date": "20250101T000000Z",
        }

    async def start(self) -> None:
        """Be ready for calls; nothing is sent yet."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, ssl=self._trusted or True),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def stop(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make one request and return its answer.

        Raises:
            RegionError: the region answered with an error.
            UnansweredError: it did not answer, and whether the request had an effect is unknown.
        """
        assert self._session is not None
        body = orjson.dumps(request)
        target = _PREFIX + operation
        headers = self._signed(target, body) if self._access_key else {**self._unsigned, "X-Amz-Target": target}
        try:
            async with self._session.post(self.endpoint + "/", data=body, headers=headers) as response:
                content = await response.read()
                status, request_id = response.status, response.headers.get("x-amzn-RequestId")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise UnansweredError(f"{self.region} does not answer at {self.endpoint} ({reason}).") from error
        try:
            answer: dict[str, Any] = orjson.loads(content) if content else {}
        except orjson.JSONDecodeError as error:
            raise UnansweredError(f"What answers at {self.endpoint} is no DynamoDB.") from error
        if status == 200:
            return answer
        name = str(answer.pop("__type", status)).rpartition("#")[2]
        message = str(answer.pop("message", None) or answer.pop("Message", None) or "")
        raise RegionError(name, message, status, request_id, answer)

    def schema(self, table: str) -> KeySchema | None:
        """Return a table's key schema, if it is known and still believed."""
        known = self._tables.get(table)
        return known.schema if known is not None and known.until > self._now() else None

    def last_schema(self, table: str) -> KeySchema | None:
        """Return a table's key schema as it was when it was looked at last; ``None`` where it never was."""
        known = self._tables.get(table)
        return None if known is None else known.schema

    async def table(self, table: str) -> tuple[Known, bool]:
        """Describe a table, asking the region unless that is known; say whether it is another than it was before.

        While the region does not answer, what was known of it is believed further.

        Raises:
            RegionError: there is none of that name.
            UnansweredError: the region does not answer, and nothing was known.
        """
        known = self._tables.get(table)
        if known is not None and known.until > self._now():
            return known, False
        try:
            description = (await self.call("DescribeTable", {"TableName": table}))["Table"]
        except RegionError:
            if known is not None:
                self._tables[table] = known._replace(until=0.0)
            raise
        except UnansweredError:
            if known is None:
                raise
            return known, False
        types = {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}
        names = tuple(each["AttributeName"] for each in description["KeySchema"])
        schema = KeySchema(names, tuple(types[name] for name in names))
        found = Known(description["TableId"], schema, self._now() + SCHEMA_S)
        if len(self._tables) >= TABLES_MAX:
            self._tables.clear()
        self._tables[table] = found
        return found, known is not None and known.uid != found.uid

    def forget(self) -> None:
        """Ask anew about every table."""
        self._tables.clear()

    def _signed(self, target: str, body: bytes) -> dict[str, str]:
        # Loaded where a region checks signatures: it costs a tenth of a second, and most do not.
        from botocore.auth import SigV4Auth  # noqa: PLC0415
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.credentials import Credentials  # noqa: PLC0415

        assert self._access_key is not None
        headers = {"Content-Type": _JSON, "X-Amz-Target": target}
        request = AWSRequest("POST", self.endpoint + "/", headers=headers, data=body)
        SigV4Auth(Credentials(*self._access_key), "dynamodb", self.region).add_auth(request)
        return dict(request.headers)
