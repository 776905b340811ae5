"""NextToken: where the next page of a SELECT begins.

What: the number of the range that was being read, and the key of the last item read in it, if any. A token belongs to
one statement with its parameters and is refused for any other.

Hazard: tokens are opaque, not secret: one that a client makes up is checked against the statement's ranges, like an
ExclusiveStartKey.

Source: AWS API reference, "ExecuteStatement" (NextToken).
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from region.errors import DynamoError, ValidationError
from region.model import values
from region.model.values import Item

INVALID: Final = "Invalid NextToken"
_DIGEST_BYTES: Final = 12


class _Token(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    digest: str
    range: int
    key: dict[str, dict[str, Any]] | None


class Position(NamedTuple):
    """Where a page ends: in which range, and behind which key; ``None``: before its first item."""

    range: int
    key: Item | None


def encode(request: Mapping[str, Any], position: Position) -> str:
    """Return the token of a position in the answer to a request."""
    token = _Token(_digest(request), position.range, position.key)
    return urlsafe_b64encode(msgspec.json.encode(token)).decode()


def decode(request: Mapping[str, Any], text: str) -> Position:
    """Return the position that a token stands for.

    Raises:
        ValidationError: it is no token of this request.
    """
    try:
        token = msgspec.json.decode(urlsafe_b64decode(text), type=_Token)
        if token.key is not None:
            values.normalise_item(token.key)
    except (ValueError, msgspec.MsgspecError, DynamoError):
        raise ValidationError(INVALID) from None
    if token.digest != _digest(request) or token.range < 0:
        raise ValidationError(INVALID)
    return Position(token.range, token.key)


def _digest(request: Mapping[str, Any]) -> str:
    said = msgspec.json.encode((request["Statement"], request.get("Parameters") or ()), order="sorted")
    return blake2b(said, digest_size=_DIGEST_BYTES).hexdigest()
