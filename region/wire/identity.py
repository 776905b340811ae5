"""Who sends a request: the credentials of AWS Signature Version 4, from the Authorization header or the query string.

What: a request must carry credentials, and they must be well-formed; whose they are is not asked, as users of a local
endpoint expect. When access keys are configured, ``region.wire.signature`` also verifies the signature.

Invariants: the parse of a credential is cached, since a client sends the same one all day; the cache is bounded and
holds no secret.

Hazards: this runs once per request; the common path is a few searches in one header. Header names are lower-case.

Source: AWS IAM user guide, "Signature Version 4 for API requests"; messages as the service sends them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from region.errors import IncompleteSignatureError, InvalidSignatureError, MissingAuthenticationTokenError

ALGORITHM: Final = "AWS4-HMAC-SHA256"
CREDENTIALS_CACHED_MAX: Final = 4096

Headers = Mapping[bytes, bytes]

_SCHEME: Final = b"AWS4-"
_PREFIX: Final = ALGORITHM.encode() + b" Credential="
_QUERY_PARAMETERS: Final = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "X-Amz-Date",
)


class Identity(NamedTuple):
    """The owner of a request: the access key id, and the rest of the credential's scope.

    ``region`` is the region that the client believes to speak to.
    """

    access_key: str
    date: str
    region: str
    service: str


class Claim(NamedTuple):
    """All that a request says about its signature; ``query`` tells whether it stands in the query string."""

    credential: str
    signed_headers: str
    signature: str
    timestamp: str
    query: bool


_identities: dict[bytes, Identity] = {}


def identify(headers: Headers, query: bytes) -> Identity:
    """Return who sends a request, without verifying it.

    Raises:
        MissingAuthenticationTokenError: there are no credentials.
        IncompleteSignatureError: a part of them is missing or malformed.
        InvalidSignatureError: they stand in two places.
    """
    authorization = headers.get(b"authorization")
    if authorization is not None and not query and authorization.startswith(_PREFIX):
        end = authorization.find(b",", 29)
        identity = _identities.get(authorization[28:end])
        if (
            identity is not None
            and b"SignedHeaders=" in authorization
            and b"Signature=" in authorization
            and (b"x-amz-date" in headers or b"date" in headers)
        ):
            return identity
    credential = claim(headers, query).credential
    identity = parse_credential(credential)
    if len(_identities) >= CREDENTIALS_CACHED_MAX:
        _identities.clear()
    _identities[credential.encode()] = identity
    return identity


def claim(headers: Headers, query: bytes) -> Claim:
    """Return what a request says about its signature.

    Raises:
        MissingAuthenticationTokenError, IncompleteSignatureError, InvalidSignatureError: see :func:`identify`.
    """
    authorization = headers.get(b"authorization")
    parameters = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if b"X-Amz-" in query else {}
    presigned = any(name in parameters for name in _QUERY_PARAMETERS)
    if presigned and authorization is not None:
        raise InvalidSignatureError(
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
        )
    if presigned:
        return _query_claim(parameters)
    if authorization is None or not authorization.startswith(_SCHEME):
        raise MissingAuthenticationTokenError("Request is missing Authentication Token")
    return _header_claim(authorization.decode("latin-1"), headers)


def parse_credential(credential: str) -> Identity:
    """Take a credential apart: ``<access key id>/<date>/<region>/<service>/aws4_request``.

    Raises:
        IncompleteSignatureError: it does not have these five parts.
    """
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request" or not all(parts):
        raise IncompleteSignatureError(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential}'"
        )
    return Identity(*parts[:4])


def _header_claim(authorization: str, headers: Headers) -> Claim:
    parts = dict(
        part.strip().partition("=")[::2] for part in authorization.partition(" ")[2].replace(" ", ",").split(",")
    )
    timestamp = headers.get(b"x-amz-date") or headers.get(b"date") or b""
    missing = [
        f"Authorization header requires '{name}' parameter. "
        for name in ("Credential", "Signature", "SignedHeaders")
        if not parts.get(name)
    ]
    if not timestamp:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
    if missing:
        raise IncompleteSignatureError(f"{''.join(missing)}Authorization={authorization}")
    if not authorization.startswith(ALGORITHM + " "):
        raise IncompleteSignatureError(f"Unsupported AWS 'algorithm': '{authorization.partition(' ')[0]}'")
    return Claim(parts["Credential"], parts["SignedHeaders"], parts["Signature"], timestamp.decode("latin-1"), False)


def _query_claim(parameters: Mapping[str, str]) -> Claim:
    missing = [
        f"AWS query-string parameters must include '{name}'. " for name in _QUERY_PARAMETERS if not parameters.get(name)
    ]
    if missing:
        raise IncompleteSignatureError(f"{''.join(missing)}Re-examine the query-string parameters.")
    algorithm, credential, signature, signed_headers, timestamp = (parameters[name] for name in _QUERY_PARAMETERS)
    if algorithm != ALGORITHM:
        raise IncompleteSignatureError(f"Unsupported AWS 'algorithm': '{algorithm}'")
    return Claim(credential, signed_headers, signature, timestamp, True)
