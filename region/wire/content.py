"""Compressed request bodies, unpacked within a limit.

What: SDKs may send large bodies with ``Content-Encoding: gzip``; ``deflate`` is understood in both its readings.

Invariant: a body never unpacks to more than the limit, however small it is: decompression stops one byte after it.
"""

from __future__ import annotations

import zlib
from typing import Final

from region.errors import RequestTooLargeError, SerializationError

TOO_LARGE: Final = "Request body is too large; the limit is {} bytes"
_GZIP_BITS: Final = 31
_ZLIB_BITS: Final = 15
_RAW_BITS: Final = -15


def unpack(body: bytes, encoding: bytes, bytes_max: int) -> bytes:
    """Return a body without its content encoding.

    Raises:
        RequestTooLargeError: it unpacks to more than ``bytes_max`` bytes.
        SerializationError: it is damaged, cut short, or in an encoding that is not understood.
    """
    name = encoding.strip().lower()
    if name in (b"", b"identity"):
        return body
    try:
        if name in (b"gzip", b"x-gzip"):
            return _inflate(body, _GZIP_BITS, bytes_max)
        if name == b"deflate":
            return _inflate(body, _ZLIB_BITS if _is_zlib(body) else _RAW_BITS, bytes_max)
    except zlib.error as error:
        raise SerializationError(f"The request body is not valid {name.decode('latin-1')}: {error}") from None
    raise SerializationError(f"Unsupported Content-Encoding: {name.decode('latin-1')}")


def _inflate(body: bytes, bits: int, bytes_max: int) -> bytes:
    parts, room = [], bytes_max
    while body:
        unpacker = zlib.decompressobj(bits)
        part = unpacker.decompress(body, room + 1)
        room -= len(part)
        if room < 0:
            raise RequestTooLargeError(TOO_LARGE.format(bytes_max))
        if not unpacker.eof:
            raise SerializationError("The compressed request body is cut short")
        parts.append(part)
        body = unpacker.unused_data
    return b"".join(parts)


def _is_zlib(body: bytes) -> bool:
    """Whether a body has zlib's header, which a deflate body ought to have and some clients leave out."""
    return len(body) >= 2 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
