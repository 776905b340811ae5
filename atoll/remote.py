"""Talking to a running region from outside: its admin address, and the few DynamoDB calls that Atoll makes itself.

What: small synchronous clients on the standard library, because commands and :class:`~atoll.cluster.Cluster` must
start at once and work in any program, with or without an event loop. Applications use boto3 or any other SDK.

Hazard: a :class:`DynamoCaller` without a key signs nothing, and talks only to regions that accept any credentials.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from atoll.comparisons import PeerComparison, RepairRequest
from atoll.failure import RemedyError, UnreachableError
from atoll.findings import ConflictPage, Inspection
from atoll.hot_keys import HotKeysReport
from atoll.report import (
    ArchiveJob,
    Coverage,
    Digest,
    DumpRecord,
    ExposedWrite,
    ExposedWrites,
    ForceRequest,
    Health,
    KinesisReport,
    PauseRequest,
    RpoReport,
    Status,
)
from atoll.triggers.report import Delivery, DeliveryPage, TriggerChange, TriggerReport
from atoll.triggers.settings import TriggerSettings
from atoll.trust import SYSTEM, Trust, connect

if TYPE_CHECKING:
    from chaos.live.fleet import Condition, Disturbance
    from chaos.stage import Sample

T = TypeVar("T")
ADMIN_TIMEOUT_S: Final = 10.0
COMPARISON_TIMEOUT_S: Final = 600.0
"""A comparison reads what differs, which may be everything."""
TRIGGER_TIMEOUT_S: Final = 910.0
"""A trigger changes once its calls have ended, which may take as long as a function may."""


class RequestError(RemedyError):
    """A region answered, and refused. ``name`` is AWS's name of the error, or the HTTP status."""

    def __init__(self, name: str, message: str, where: str) -> None:
        super().__init__(f"{where} answered {name}: {message}", "")
        self.name = name
        self.message = message


class AdminClient:
    """The admin address of one region."""

    def __init__(self, url: str, timeout_s: float = ADMIN_TIMEOUT_S, trust: Trust = SYSTEM) -> None:
        self.url = url.rstrip("/")
        self.trust = trust
        """Whom it trusts where the URL is one of TLS."""
        self._timeout_s = timeout_s
        self._address = urlsplit(self.url)

    def __str__(self) -> str:
        return self.url

    def health(self) -> Health:
        """Return whether the region works."""
        return self._get("/health", Health)

    def status(self) -> Status:
        """Return everything about the region."""
        return self._get("/status", Status)

    def metrics(self) -> str:
        """Return the metrics in Prometheus's text format."""
        return self._request("GET", "/metrics").decode()

    def digest(self, table: str) -> Digest:
        """Return the digest of a table's items and tombstones."""
        return self._get(f"/digest/{quote(table)}", Digest)

    def dump(self, table: str) -> Iterator[DumpRecord]:
        """Iterate over the items and tombstones of a table in key order."""
        decode = msgspec.json.Decoder(DumpRecord).decode
        for line in self._request("GET", f"/dump/{quote(table)}").splitlines():
            yield decode(line)

    def conflicts(self, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
        """Return recorded conflicts with numbers above ``after``, oldest first, as plain values."""
        found: list[dict[str, Any]] = self._get(f"/conflicts?after={after}&limit={limit}", dict[str, Any])["conflicts"]
        return found

    def conflict_page(self, after: int = 0, limit: int = 1000, **parameters: str) -> ConflictPage:
        """Return a page of the conflict feed; ``parameters`` are ``table``, ``key``, ``since`` and ``wait_ms``."""
        query = urlencode({"after": after, "limit": limit, **parameters})
        return self._get(f"/conflicts?{query}", ConflictPage)

    def inspect(self, table: str, key: str, **parameters: str) -> Inspection:
        """Return what the region holds of an item; ``parameters`` are ``at``, ``limit`` and ``search``."""
        query = urlencode({"key": key, **parameters})
        return self._get(f"/inspect/{quote(table)}?{query}", Inspection)

    def hot_keys(self, table: str, **parameters: str | int) -> HotKeysReport:
        """Return what Contributor Insights have counted; ``parameters`` are ``index``, ``minutes`` and ``limit``."""
        return self._get(f"/hot/{quote(table)}?{urlencode(parameters)}", HotKeysReport)

    def kinesis(self) -> list[KinesisReport]:
        """Return how far the delivery to each Kinesis stream is."""
        return self._get("/kinesis", list[KinesisReport])

    def archive(self) -> list[ArchiveJob]:
        """Return the archive's jobs under way, and those that are remembered."""
        return self._get("/archive", list[ArchiveJob])

    def triggers(self) -> list[TriggerReport]:
        """Return the region's triggers, and how they do."""
        return self._get("/triggers", list[TriggerReport])

    def trigger_deliveries(self, **parameters: str) -> Iterator[Delivery]:
        """Iterate over the writes that the region's triggers have had; ``parameters`` are ``table`` and ``since``."""
        after, head = 0, 1
        while after < head:
            page = self._get(f"/triggers/deliveries?{urlencode({'after': after, **parameters})}", DeliveryPage)
            yield from page.deliveries
            after, head = page.next, page.head

    def add_trigger(self, settings: TriggerSettings) -> TriggerReport:
        """Add a trigger to the region."""
        return self._trigger("POST", "/triggers", settings)

    def pause_trigger(self, name: str, *, paused: bool) -> TriggerReport:
        """Pause a trigger once its calls have ended, or let it go on."""
        return self._trigger("POST", f"/triggers/{quote(name)}", TriggerChange(paused=paused))

    def remove_trigger(self, name: str) -> TriggerReport:
        """Remove a trigger once its calls have ended; return what it was."""
        return self._trigger("DELETE", f"/triggers/{quote(name)}", None)

    def _trigger(self, method: str, path: str, asked: TriggerSettings | TriggerChange | None) -> TriggerReport:
        body = None if asked is None else msgspec.json.encode(asked)
        return msgspec.json.decode(self._request(method, path, body, timeout_s=TRIGGER_TIMEOUT_S), type=TriggerReport)

    def compare(self, table: str, *, recount: bool = False) -> list[PeerComparison]:
        """Return the keys under which the region's replica of a table and those of its peers differ.

        ``recount`` has the region make its digest anew from its rows first.
        """
        path = f"/compare/{quote(table)}?recount={int(recount)}"
        answer = self._request("GET", path, timeout_s=COMPARISON_TIMEOUT_S)
        return msgspec.json.decode(answer, type=list[PeerComparison])

    def repair(self, request: RepairRequest) -> list[PeerComparison]:
        """Have the region compare one table or all with its peers, and take what it lacks."""
        answer = self._request("POST", "/repair", msgspec.json.encode(request), timeout_s=COMPARISON_TIMEOUT_S)
        return msgspec.json.decode(answer, type=list[PeerComparison])

    def pause(self, request: PauseRequest) -> list[str]:
        """Pause links of the region; return those that it touched, as ``source->sink``."""
        return msgspec.json.decode(self._request("POST", "/pause", msgspec.json.encode(request)), type=list[str])

    def resume(self, request: PauseRequest) -> list[str]:
        """Resume links of the region; return those that it touched, as ``source->sink``."""
        return msgspec.json.decode(self._request("POST", "/resume", msgspec.json.encode(request)), type=list[str])

    def disturb(self, disturbance: Disturbance) -> Condition:
        """Replace what is wrong with the region on purpose; it must have been started with ``chaos``."""
        from chaos.live.fleet import Condition  # noqa: PLC0415  Loaded on first use, as in ``atoll.layout``.

        return msgspec.json.decode(self._request("POST", "/chaos", msgspec.json.encode(disturbance)), type=Condition)

    def condition(self) -> Condition:
        """Return what is wrong with the region on purpose, and how it does."""
        from chaos.live.fleet import Condition  # noqa: PLC0415  Loaded on first use, as in ``atoll.layout``.

        return self._get("/chaos", Condition)

    def force(self, peer: str) -> list[str]:
        """Let the parked changes of a peer pass into the region; return the link, as ``source->sink``."""
        body = msgspec.json.encode(ForceRequest(peer=peer))
        return msgspec.json.decode(self._request("POST", "/force", body), type=list[str])

    def rpo(self) -> RpoReport:
        """Return which acknowledged writes would be lost with the region now, counted."""
        return self._get("/rpo", RpoReport)

    def exposed(self) -> Iterator[ExposedWrite]:
        """Iterate over the acknowledged writes that not every replica has, in the order of the log."""
        after: int | None = 0
        while after is not None:
            page = self._get(f"/rpo/writes?after={after}&limit=1000", ExposedWrites)
            yield from page.writes
            after = page.after

    def wait(self, token: str, for_ms: int) -> Coverage:
        """Wait, for 5 s at most, until the region has caught up with a session token; return what it still lacks."""
        return self._get(f"/wait?token={quote(token)}&for_ms={for_ms}", Coverage)

    def events(self, last_id: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Follow the region: ``(id, name, data)`` of each event, until the connection ends.

        It begins with a snapshot, or after the event with ``last_id``.
        """
        connection = connect(self._address, self._timeout_s, self.trust)
        try:
            connection.request("GET", f"{self._address.path}/events", headers={"Last-Event-ID": last_id})
            response = connection.getresponse()
            fields: dict[str, str] = {}
            while line := response.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "data" in fields:
                    yield fields["id"], fields["event"], json.loads(fields["data"])
                    fields = {}
        finally:
            connection.close()

    def sample(self) -> Sample:
        """Return what checkers want to know of the region at this moment; it must have been started with ``chaos``."""
        from chaos.stage import Sample  # noqa: PLC0415  Loaded on first use, as in ``atoll.layout``.

        return self._get("/chaos/sample", Sample)

    def _get(self, path: str, kind: type[T]) -> T:
        return msgspec.json.decode(self._request("GET", path), type=kind)

    def _request(self, method: str, path: str, body: bytes | None = None, timeout_s: float | None = None) -> bytes:
        connection = connect(self._address, timeout_s or self._timeout_s, self.trust)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, f"{self._address.path}{path}", body, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"No region answers at {self.url} ({error}).", _remedy(error)) from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise RequestError(str(response.status), _reason(answer), self.url)
        return answer


def _remedy(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "ATOLL_TLS_AUTHORITIES names whom to trust; see docs/reference/security.md."
    return "Is it running? `atoll status` shows what is."


def _reason(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return answer.decode(errors="replace")[:200]


class AccessKey(NamedTuple):
    """What a caller signs with; its text shows no secret."""

    id: str
    secret: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"AccessKey(id={self.id!r})"


def access_key(environment: Mapping[str, str]) -> AccessKey | None:
    """Return the access key that the variables of every AWS SDK hold, if they hold one."""
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    return AccessKey(key, secret, environment.get("AWS_SESSION_TOKEN")) if key and secret else None


class DynamoCaller:
    """A few DynamoDB calls to one region over one connection. Not for use from several threads at once.

    With a ``key`` every call is signed; without one it works where any credentials are accepted.
    """

    def __init__(
        self,
        endpoint: str,
        region: str,
        timeout_s: float = 30.0,
        trust: Trust = SYSTEM,
        key: AccessKey | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.region = region
        self._key = key
        self._connection = connect(urlsplit(endpoint), timeout_s, trust)
        self._headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential=atoll/20250101/{region}/dynamodb/aws4_request, "
                f"SignedHeaders=host;x-amz-date;x-amz-target, Signature={'0' * 64}"
            ),
            "X-Amz-Date": "20250101T000000Z",
        }

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Make one call and return its response.

        Raises:
            RequestError: the region answered with an error of the DynamoDB API.
            UnreachableError: there was no answer, and whether the call had an effect is unknown.
        """
        self.send(operation, request)
        return self.receive()

    def send(self, operation: str, request: dict[str, Any]) -> None:
        """Send a call; :meth:`receive` must follow. Two callers can thus have calls under way at the same time."""
        body = json.dumps(request).encode()
        headers = {**self._headers, "X-Amz-Target": f"DynamoDB_20120810.{operation}"}
        if self._key is not None:
            headers = self._signed(self._key, headers, body)
        try:
            self._connection.request("POST", "/", body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def receive(self) -> dict[str, Any]:
        """Return the response of the call that was sent."""
        try:
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        answer: dict[str, Any] = json.loads(body) if body else {}
        if response.status != http.HTTPStatus.OK:
            name = str(answer.get("__type", response.status)).rpartition("#")[2]
            raise RequestError(name, str(answer.get("message") or answer.get("Message") or ""), self.region)
        return answer

    def _signed(self, key: AccessKey, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        # Loaded where somebody signs: it costs a tenth of a second, and most do not.
        from botocore.auth import SigV4Auth  # noqa: PLC0415
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.credentials import Credentials  # noqa: PLC0415

        unsigned = {name: headers[name] for name in ("Content-Type", "X-Amz-Target")}
        request = AWSRequest("POST", self.endpoint.rstrip("/") + "/", headers=unsigned, data=body)
        SigV4Auth(Credentials(*key), "dynamodb", self.region).add_auth(request)
        return dict(request.headers.items())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        self._connection.close()

    def _unreachable(self, error: Exception) -> UnreachableError:
        self._connection.close()
        return UnreachableError(f"{self.region} does not answer at {self.endpoint} ({error}).", "Is it running?")
