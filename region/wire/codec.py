"""JSON in and out of the wire. Beside ``region.model.image`` this is the one importer of orjson.

What: request bodies become Python values, responses become bytes. A response may hold ``orjson.Fragment`` values:
item images that go out as they are stored.

Invariants: what :func:`decode` returns is made of dict, list, str, int, float, bool and ``None`` alone. JSON that
orjson refuses (a lone surrogate, NaN, invalid UTF-8) is refused here.
"""

from __future__ import annotations

from typing import Any

import orjson

from region.errors import DynamoError, SerializationError


def decode(body: bytes) -> Any:
    """Parse JSON.

    Raises:
        SerializationError: ``body`` is no JSON. AWS sends no message with it.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise SerializationError("") from None


def encode(response: Any) -> bytes:
    """Encode a response.

    Raises:
        TypeError: it holds what JSON cannot say.
    """
    return orjson.dumps(response)


def encode_error(error: DynamoError) -> bytes:
    """Encode an error as AWS does: its type, its message unless there is none, its further fields."""
    body: dict[str, Any] = {"__type": error.type}
    if error.message:
        body[error.message_key] = error.message
    body.update(error.fields)
    return orjson.dumps(body)
