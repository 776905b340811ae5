"""Who a client is: the signature of its connection, for a cache in front of a region with access keys.

What: a client signs a fixed request of the service ``dax`` every few minutes and sends what it signed along with the
signature. Without access keys anybody is welcome, as at a region.

Invariants: what was signed is made anew here from its date and scope and compared, so that a signature of anything else
opens nothing; comparison takes constant time; a secret leaves this module in no message.

Source: AWS IAM user guide, "Create a signed AWS API request"; ``SigV4Gen`` of amazon-dax-client 2.1.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from atoll.dax import frames
from atoll.dax.requests import Arguments
from clock import PhysicalClock
from region.errors import InvalidSignatureError, MissingAuthenticationTokenError, UnrecognizedClientError
from region.wire.signature import SKEW_MAX_S

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_HOST: Final = "dax.amazonaws.com"
_SIGNED: Final = "host;x-amz-date"
_STAMP: Final = re.compile(r"\d{8}T\d{6}Z")
_UNKNOWN: Final = "The security token included in the request is invalid."


class Authority:
    """Knows the access keys; none means that nothing is asked of a client."""

    def __init__(self, access_keys: Mapping[str, str], clock: PhysicalClock) -> None:
        self._secrets = dict(access_keys)
        self._clock = clock

    @property
    def open(self) -> bool:
        """Whether anybody is welcome."""
        return not self._secrets

    def check(self, arguments: Arguments) -> None:
        """Return if the arguments of ``authorizeConnection`` show who the client is.

        Raises:
            UnrecognizedClientError, InvalidSignatureError: they do not.
            MalformedError: they are none.
        """
        if self.open:
            return
        access_key, signature, signed = (frames.decode(each) for each in arguments[:3])
        if not isinstance(access_key, str) or not isinstance(signature, str):
            raise MissingAuthenticationTokenError(_UNKNOWN)
        secret = self._secrets.get(access_key)
        if secret is None:
            raise UnrecognizedClientError(_UNKNOWN)
        text = signed.decode("ascii", "replace") if isinstance(signed, bytes) else str(signed)
        stamp, scope = self._read(text)
        key = f"AWS4{secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        expected = hmac.digest(key, _to_sign(stamp, scope).encode(), "sha256").hex()
        if text != _to_sign(stamp, scope) or not hmac.compare_digest(expected.encode(), signature.encode()):
            raise InvalidSignatureError(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                "Access Key and signing method. Consult the service documentation for details."
            )

    def _read(self, text: str) -> tuple[str, str]:
        """Return date and scope of what was signed, if it is of now and for DAX."""
        lines = text.split("\n")
        stamp, scope = (lines[1], lines[2]) if len(lines) == 4 else ("", "")
        parts: list[Any] = scope.split("/")
        if not _STAMP.fullmatch(stamp) or len(parts) != 4 or parts[2:] != ["dax", "aws4_request"]:
            raise InvalidSignatureError("Credential should be scoped to correct service: 'dax'. ")
        try:
            signed_ms = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp() * 1000
        except ValueError:
            signed_ms = 0.0
        if parts[0] != stamp[:8] or abs(signed_ms - self._clock.now_ms()) > SKEW_MAX_S * 1000:
            raise InvalidSignatureError(f"Signature expired or not yet current: {stamp}.")
        return stamp, scope


def _to_sign(stamp: str, scope: str) -> str:
    """Return what a client signs at a moment; there is only one such request."""
    empty = hashlib.sha256(b"").hexdigest()
    canonical = f"POST\n/\n\nhost:{_HOST}\nx-amz-date:{stamp}\n\n{_SIGNED}\n{empty}"
    return f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
