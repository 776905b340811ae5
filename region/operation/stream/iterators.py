"""Shard iterators: a position in a shard as an opaque text that a client hands back.

What: an iterator holds all that GetRecords needs, so the region remembers nothing of its readers, and an iterator
outlives a restart. It looks like AWS's: the stream's ARN, a version, and a code.

Invariant: a consumer that goes on with the iterators it is given never reads the same part of the log twice: the
position is how far the log was searched, not the last record found.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, NamedTuple

from region.errors import ValidationError

_VERSION: Final = "1"
_FIELDS: Final = 5
_FIELD_MAX: Final = 1 << 62
"""Beyond it a number is not one of ours, and would not fit into the store's 64 bits."""


class ShardIterator(NamedTuple):
    """A position: behind the log sequence ``after``, in the shard ``number`` of the stream ``arn``."""

    arn: str
    number: int
    after: int
    issued_ms: int
    from_horizon: bool = False
    """Whether records past their retention are passed over, because the oldest that is left was asked for."""
    from_ms: int = 0
    """The time before which records are passed over until the first that is not; 0 when that is done."""


def encode(iterator: ShardIterator) -> str:
    """Return the iterator's text, well below the 2,048 characters that the model allows."""
    fields = (iterator.number, iterator.after, iterator.issued_ms, int(iterator.from_horizon), iterator.from_ms)
    code = urlsafe_b64encode(",".join(map(str, fields)).encode()).decode()
    return f"{iterator.arn}|{_VERSION}|{code}"


def decode(text: str) -> ShardIterator:
    """Return the iterator of a text.

    Raises:
        ValidationError: :func:`encode` cannot have made it.
    """
    try:
        arn, version, code = text.split("|")
        fields = [int(field) for field in urlsafe_b64decode(code).decode().split(",")]
    except ValueError:
        raise ValidationError("Invalid ShardIterator") from None
    if version != _VERSION or len(fields) != _FIELDS or min(fields) < 0 or max(fields) > _FIELD_MAX:
        raise ValidationError("Invalid ShardIterator")
    number, after, issued_ms, from_horizon, from_ms = fields
    return ShardIterator(arn, number, after, issued_ms, bool(from_horizon), from_ms)
