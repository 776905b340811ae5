"""What a transaction keeps of client request tokens: which request a token stood for, and until when.

Invariant: a token that has expired may still be found; whoever asks looks at its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from region.model.client_token import ClientToken

_CLIENT_TOKEN: Final = "SELECT token, digest, expires_ms FROM client_tokens WHERE token = ?"
_SAVE_CLIENT_TOKEN: Final = (
    "INSERT INTO client_tokens VALUES (?, ?, ?) ON CONFLICT (token) DO UPDATE "
    "SET digest = excluded.digest, expires_ms = excluded.expires_ms"
)
_FORGET_CLIENT_TOKENS: Final = (
    "DELETE FROM client_tokens WHERE token IN "
    "(SELECT token FROM client_tokens WHERE expires_ms <= ? ORDER BY expires_ms LIMIT 8)"
)
"""A few for each that is saved: nobody waits for a purge, and the table stays bounded."""


class ClientTokens:
    """Client request tokens over the cursor of the open transaction."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Callable[[str, tuple[Any, ...]], Any]) -> None:
        self._execute = execute

    def get(self, token: str) -> ClientToken | None:
        """Return what is remembered of a token, expired or not."""
        row: tuple[Any, ...] | None = self._execute(_CLIENT_TOKEN, (token,)).fetchone()
        return None if row is None else ClientToken(*row)

    def save(self, client_token: ClientToken, now_ms: int) -> None:
        """Remember a token, in place of what it stood for before; forget some that have expired."""
        self._execute(_SAVE_CLIENT_TOKEN, tuple(client_token))
        self._execute(_FORGET_CLIENT_TOKENS, (now_ms,))
