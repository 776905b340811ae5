"""Verifying AWS Signature Version 4, for regions that are configured with access keys.

What: the request is written in canonical form, hashed, and signed with the key that the secret, the date, the region
and the service make; the result must be the signature that came along, and its date must be near the clock.

Invariants: comparison takes constant time; signing keys and dates are cached, in a bounded number; a secret
leaves this module in no message. Whoever signs as a principal signs the host, the operation and the region as well, so
that what somebody has overheard does nothing else and nowhere else.

Hazard: where a header came twice, only its last value is known here, so a request that signs a repeated header does
not verify. SDKs send none.

Source: AWS IAM user guide, "Create a signed AWS API request"; messages as the service sends them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final, NamedTuple, Protocol
from urllib.parse import parse_qsl, quote

from region.access import Principal
from region.authorization import Credential
from region.errors import (
    ExpiredTokenError,
    IncompleteSignatureError,
    InvalidSignatureError,
    UnrecognizedClientError,
)
from region.wire.identity import ALGORITHM, Claim, Identity, claim, parse_credential

SKEW_MAX_S: Final = 900
EXPIRY_S_MAX: Final = 604_800
KEYS_CACHED_MAX: Final = 1024
SERVICE: Final = "dynamodb"

_ISO: Final = "%Y%m%dT%H%M%SZ"
_UNKNOWN_CLIENT: Final = "The security token included in the request is invalid."
_EXPIRED: Final = "The security token included in the request is expired"
_TOKEN: Final = b"x-amz-security-token"
_TOKEN_PARAMETER: Final = "X-Amz-Security-Token"
_SIGNED: Final = {"host": "Host", "x-amz-target": "X-Amz-Target", "x-amz-security-token": "X-Amz-Security-Token"}
"""The headers that a principal has to sign, where the request has them."""
_MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)


class Signed(Protocol):
    """What is signed of a request: the path is decoded, the body as it came, before decompression."""

    method: bytes
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    body: bytes


class Verifier:
    """Checks signatures against a set of credentials, by access key id; ``region``: that of the endpoint."""

    def __init__(self, credentials: Mapping[str, Credential], region: str = "") -> None:
        self._credentials = dict(credentials)
        self._region = region
        self._signing_keys: dict[Identity, bytes] = {}

    def owner(self, identity: Identity) -> Principal | None:
        """Return whose signature it is that was verified; ``None``: nobody's in particular."""
        return self._credentials[identity.access_key].principal

    def verify(self, request: Signed, now_ms: float, service: str = SERVICE) -> Identity:
        """Return who sends a request to a service, once its signature holds; ``now_ms`` is the wall clock.

        Raises:
            UnrecognizedClientError: the access key is not known, or its session token is another.
            ExpiredTokenError: it was for a time that is over.
            InvalidSignatureError: the signature is wrong, expired, or of the future.
            MissingAuthenticationTokenError, IncompleteSignatureError: there is nothing to verify.
        """
        claimed = claim(request.headers, request.query)
        identity = parse_credential(claimed.credential)
        credential = self._credentials.get(identity.access_key)
        if credential is None:
            raise UnrecognizedClientError(_UNKNOWN_CLIENT)
        signed = _parse_time(claimed.timestamp)
        _check_scope(identity, signed, service)
        if credential.principal is not None:
            self._check_coverage(request, claimed, identity)
        _check_age(signed, now_ms, _expiry(request.query) if claimed.query else SKEW_MAX_S)
        canonical = _canonical_request(request, claimed)
        scope = f"{identity.date}/{identity.region}/{identity.service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"{ALGORITHM}\n{signed.text}\n{scope}\n{digest}"
        expected = hmac.digest(self._signing_key(identity, credential.secret), to_sign.encode(), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), claimed.signature.encode()):
            raise InvalidSignatureError(
                f"{_MISMATCH}\n\nThe Canonical String for this request should have been\n'{canonical}'\n\n"
                f"The String-to-Sign should have been\n'{to_sign}'\n"
            )
        if credential.principal is not None:
            _check_token(request, credential, now_ms)
        return identity

    def _check_coverage(self, request: Signed, claimed: Claim, identity: Identity) -> None:
        """Refuse a signature that somebody could move to another operation or to another region."""
        covered = claimed.signed_headers.split(";")
        for name, shown in _SIGNED.items():
            if name not in covered and name.encode() in request.headers:
                raise InvalidSignatureError(f"'{shown}' must be a 'SignedHeader' in the AWS Authorization.")
        if identity.region != self._region:
            raise InvalidSignatureError(f"Credential should be scoped to a valid region, not '{identity.region}'. ")

    def _signing_key(self, identity: Identity, secret: str) -> bytes:
        key = self._signing_keys.get(identity)
        if key is None:
            key = f"AWS4{secret}".encode()
            for part in (identity.date, identity.region, identity.service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            if len(self._signing_keys) >= KEYS_CACHED_MAX:
                self._signing_keys.clear()
            self._signing_keys[identity] = key
        return key


def _check_token(request: Signed, credential: Credential, now_ms: float) -> None:
    given: str | None = None
    if _TOKEN in request.headers:
        given = request.headers[_TOKEN].decode("latin-1")
    elif request.query:
        given = dict(parse_qsl(request.query.decode("latin-1"))).get(_TOKEN_PARAMETER)
    expected = credential.token
    if (given is None) != (expected is None) or not hmac.compare_digest(
        (given or "").encode(), (expected or "").encode()
    ):
        raise UnrecognizedClientError(_UNKNOWN_CLIENT)
    if credential.expires_ms is not None and now_ms >= credential.expires_ms:
        raise ExpiredTokenError(_EXPIRED)


class Moment(NamedTuple):
    """The date of a signature: milliseconds since the epoch, its ISO 8601 basic form, and its day."""

    ms: float
    text: str
    day: str


@lru_cache(KEYS_CACHED_MAX)
def _parse_time(text: str) -> Moment:
    """Read the date of a signature: ISO 8601 basic format, or the form of the HTTP Date header."""
    try:
        moment = datetime.strptime(text, _ISO).replace(tzinfo=UTC)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text).astimezone(UTC)
        except (ValueError, TypeError, OverflowError):
            raise IncompleteSignatureError(f"Date must be in ISO-8601 'basic format'. Got '{text}'.") from None
    return Moment(moment.timestamp() * 1000, moment.strftime(_ISO), moment.strftime("%Y%m%d"))


def _check_scope(identity: Identity, signed: Moment, service: str) -> None:
    if identity.service != service:
        raise InvalidSignatureError(f"Credential should be scoped to correct service: '{service}'. ")
    if identity.date != signed.day:
        raise InvalidSignatureError(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{identity.date}' != '{signed.day}', from '{signed.text}'."
        )


def _check_age(signed: Moment, now_ms: float, age_max_s: int) -> None:
    if signed.ms < now_ms - age_max_s * 1000:
        raise InvalidSignatureError(
            f"Signature expired: {signed.text} is now earlier than {_iso(now_ms - age_max_s * 1000)} "
            f"({_iso(now_ms)} - {age_max_s // 60} min.)"
        )
    if signed.ms > now_ms + SKEW_MAX_S * 1000:
        raise InvalidSignatureError(
            f"Signature not yet current: {signed.text} is still later than {_iso(now_ms + SKEW_MAX_S * 1000)} "
            f"({_iso(now_ms)} + {SKEW_MAX_S // 60} min.)"
        )


def _iso(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(_ISO)


def _expiry(query: bytes) -> int:
    """Return how long a presigned request is good for, from ``X-Amz-Expires``; AWS's default is 15 minutes."""
    text = dict(parse_qsl(query.decode("latin-1"))).get("X-Amz-Expires")
    if text is None:
        return SKEW_MAX_S
    if not text.isdecimal() or len(text) > 6 or not 0 < int(text) <= EXPIRY_S_MAX:
        raise IncompleteSignatureError(f"X-Amz-Expires must be between 1 and {EXPIRY_S_MAX} seconds, got '{text}'")
    return int(text)


def _canonical_request(request: Signed, claimed: Claim) -> str:
    names = claimed.signed_headers.split(";")
    lines = [f"{name}:{_canonical_value(request.headers.get(name.encode(), b''))}\n" for name in names]
    parameters = sorted(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in (parse_qsl(request.query.decode("latin-1"), keep_blank_values=True) if request.query else ())
        if name != "X-Amz-Signature"
    )
    digest = hashlib.sha256(request.body).hexdigest()
    method = request.method.decode("latin-1")
    return "\n".join(
        (
            method,
            quote(request.path, safe="/-_.~"),
            "&".join(parameters),
            "".join(lines),
            claimed.signed_headers,
            digest,
        )
    )


def _canonical_value(value: bytes) -> str:
    return " ".join(value.decode("latin-1").split())
