"""Who may speak to a cache of a region with access keys: whoever signs as AWS's client does, and nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from amazondax.SigV4Gen import generate_signature
from botocore.credentials import Credentials

from atoll.dax import frames
from atoll.dax.authority import Authority
from clock import ManualClock
from region.errors import DynamoError, InvalidSignatureError, UnrecognizedClientError

NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)
SECRET = "secret/of+the/key"


def authority(**keys: str) -> Authority:
    return Authority(keys or {"AKID": SECRET}, ManualClock(int(NOW.timestamp() * 1000)))


def signed(secret: str = SECRET, key: str = "AKID", when: datetime = NOW) -> list[bytes]:
    """The arguments that AWS's client sends."""
    signature = generate_signature(Credentials(key, secret), "https://dax.amazonaws.com", "us-east-1", b"", when)
    text = signature.string_to_sign.encode()
    return [frames.encode(each) for each in (key, signature.signature, text, None, "agent")]


def test_the_client_with_the_secret_is_let_in() -> None:
    authority().check(signed())


def test_without_access_keys_anybody_is() -> None:
    Authority({}, ManualClock()).check([b"\xff"])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (signed(secret="guessed"), InvalidSignatureError),
        (signed(key="OTHER"), UnrecognizedClientError),
        (signed(when=NOW - timedelta(minutes=16)), InvalidSignatureError),
        (signed(when=NOW + timedelta(minutes=16)), InvalidSignatureError),
        ([*signed()[:2], frames.encode(b"AWS4-HMAC-SHA256\nx\ny\nz"), *signed()[3:]], InvalidSignatureError),
        ([signed()[0], frames.encode(5), *signed()[2:]], DynamoError),
    ],
)
def test_anybody_else_is_refused_and_no_secret_is_told(arguments: list[bytes], error: type[DynamoError]) -> None:
    with pytest.raises(error) as refused:
        authority().check(arguments)
    assert SECRET not in str(refused.value)


def test_a_signature_of_another_request_opens_nothing() -> None:
    """One that was signed with the right secret, for the right scope, but over other words."""
    import hashlib
    import hmac

    key, _, text, *rest = signed()
    other = frames.decode(text).rpartition(b"\n")[0] + b"\n" + b"0" * 64
    secret = f"AWS4{SECRET}".encode()
    for part in (b"20261127", b"us-east-1", b"dax", b"aws4_request"):
        secret = hmac.digest(secret, part, "sha256")
    forged = hmac.new(secret, other, hashlib.sha256).hexdigest()
    with pytest.raises(InvalidSignatureError):
        authority().check([key, frames.encode(forged), frames.encode(other), *rest])
