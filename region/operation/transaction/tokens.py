"""Client request tokens: a transaction that is asked for twice has one effect.

What: a token is remembered for ten minutes with a digest of the parameters it came with. The same token with the same
parameters has had its effect; with others it is an error.

Invariants: a token is saved in the transaction that it stands for, and survives what that survives. One that is
expired is as good as new. Writes run one after another, so two requests with one token never meet half-way.

Source: AWS API reference, "TransactWriteItems" and "ExecuteTransaction" (ClientRequestToken).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import msgspec

from region.errors import IdempotentParameterMismatchError
from region.model.client_token import VALID_MS, ClientToken
from region.operation.context import Context

_MISMATCH: Final = (
    "DynamoDB rejected the request because you retried a request with a different payload but with an idempotent "
    "token that was already used."
)


def token_of(context: Context, request: dict[str, Any], parameters: Any) -> ClientToken | None:
    """Return the ``ClientRequestToken`` of a request, if it has one.

    ``parameters`` are what must be the same under the same token, in canonical form: then requests that mean the same
    are the same.
    """
    text: str | None = request.get("ClientRequestToken")
    if text is None:
        return None
    digest = sha256(msgspec.json.encode(parameters, order="sorted")).digest()
    return ClientToken(text, digest, context.now_ms() + VALID_MS)


def had_its_effect(context: Context, token: ClientToken | None) -> bool:
    """Whether the same request has been done under this token within the ten minutes.

    Raises:
        IdempotentParameterMismatchError: another request has.
    """
    known = None if token is None else context.transaction.client_token(token.token)
    if token is None or known is None or known.expires_ms <= context.now_ms():
        return False
    if known.digest != token.digest:
        raise IdempotentParameterMismatchError(_MISMATCH)
    return True


def remember(context: Context, token: ClientToken | None) -> None:
    """Save a token with what it stands for."""
    if token is not None:
        context.transaction.save_client_token(token, context.now_ms())
        context.written += 1
