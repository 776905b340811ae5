"""Client request tokens: what a region remembers of a transaction so that a repeated request has no second effect.

Source: AWS API reference, "TransactWriteItems" (ClientRequestToken): a token is valid for ten minutes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

VALID_MS: Final = 10 * 60 * 1000


class ClientToken(NamedTuple):
    """A token that has had its effect: ``digest`` stands for the parameters it came with, until ``expires_ms``."""

    token: str
    digest: bytes
    expires_ms: int
