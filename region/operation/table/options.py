"""Stream, encryption and unsupported parameters: checks that CreateTable and UpdateTable share.

What is not built is refused with a ValidationException that says so, never ignored.

Source: AWS API reference, StreamSpecification and SSESpecification; messages as AWS sends them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from region.errors import ValidationError
from region.model.values import INVALID


class Encryption(NamedTuple):
    """What an SSESpecification asks for: the shared value (``None``: AWS owned key), and this region's own key."""

    shared: dict[str, Any] | None
    key: str | None


def refuse_unsupported(request: Mapping[str, Any], names: Iterable[str], operation: str) -> None:
    """Refuse the parameters of ``names`` that the request has: this version does not build them."""
    for name in names:
        if request.get(name) not in (None, []):
            raise ValidationError(f"{INVALID}{name} of {operation} is not supported by Atoll")


def stream_value(specification: Mapping[str, Any] | None, *, creating: bool) -> dict[str, Any] | None:
    """Return the ``stream`` register that a StreamSpecification asks for; ``None``: no stream."""
    if specification is None:
        return None
    view = specification.get("StreamViewType")
    if not specification["StreamEnabled"]:
        if view is not None:
            raise ValidationError(
                f"{INVALID}Table is being created with a stream disabled, UpdateViewType should not be specified"
                if creating
                else f"{INVALID}If stream is being disabled, then UpdateViewType must not be specified"
            )
        return None
    if view is None:
        raise ValidationError(
            f"{INVALID}Table is being created with a stream enabled, UpdateViewType should be specified"
            if creating
            else f"{INVALID}If stream is being enabled, then UpdateViewType must be specified"
        )
    return {"StreamEnabled": True, "StreamViewType": view}


def encryption(specification: Mapping[str, Any]) -> Encryption:
    """Return what an SSESpecification asks for."""
    kind, key = specification.get("SSEType"), specification.get("KMSMasterKeyId")
    if kind == "AES256":
        raise ValidationError(f"{INVALID}SSEType AES256 is not supported")
    if specification.get("Enabled"):
        return Encryption({"SSEType": "KMS"}, key)
    for name, value in (("SSEType", kind), ("KMSMasterKeyId", key)):
        if value is not None:
            raise ValidationError(f"{INVALID}{name} should not be specified when server-side encryption is disabled")
    return Encryption(None, None)
