"""What a client signs with."""

from __future__ import annotations

from typing import NamedTuple

from region.access import Principal


class Credential(NamedTuple):
    """The secret of an access key, and whose it is; its text shows neither secret nor token."""

    secret: str
    principal: Principal | None = None
    """Whose it is; ``None``: nobody's in particular, and everything is allowed."""
    token: str | None = None
    """The session token that must come along, for temporary credentials."""
    expires_ms: int | None = None
    """When it expires, in milliseconds since 1970; ``None``: never."""

    def __repr__(self) -> str:
        return f"Credential(principal={self.principal and self.principal.arn})"
