"""Files of the archive that are encrypted: a data key a file, wrapped by a master key, and sealed chunks behind it.

What: :class:`Sealed` turns the bytes of a file into those of an encrypted one; :class:`Opened` reads either kind. One
begins with :data:`MAGIC`, the length of a head (2 bytes) and the head, JSON that names the master key and holds the
wrapped data key; so it carries all that a region with the same keyring needs, on whatever machine. Each chunk is its
length (4 bytes) and AES-256-GCM's ciphertext and tag, under the number of the chunk and whether it is the last.

Invariants: a chunk that is changed, moved, left out or missing at the end is an :class:`~region.errors.ArchiveError`.
The digest of a file is that of what is on the disk, so that it tells damage without any key.

Source: Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance"
(2015), the construction STREAM.
"""

from __future__ import annotations

import base64
import io
from typing import Any, BinaryIO, Final

import msgspec

from region.errors import ArchiveError, KeyUnavailableError
from region.keyring import Keyring

MAGIC: Final = b"atoll-sealed-1\n"
CHUNK_BYTES: Final = 1 << 16
_CONTEXT: Final = b"atoll archive"
_TAG_BYTES: Final = 16


class _Head(msgspec.Struct, frozen=True):
    master: str
    wrapped: str


class Sealed:
    """Seals one file, a chunk at a time."""

    def __init__(self, keyring: Keyring, master: str) -> None:
        # Loaded on first use: regions without encryption do not pay for it.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        key_id = keyring.resolve(master)
        secret = AESGCM.generate_key(256)
        self._cipher = AESGCM(secret)
        self._number = 0
        self._waiting = b""
        wrapped = keyring.wrap(key_id, secret, _CONTEXT)
        head = msgspec.json.encode(_Head(key_id, base64.b64encode(wrapped).decode()))
        self._head = MAGIC + len(head).to_bytes(2, "big") + head

    def add(self, data: bytes) -> bytes:
        """Return what stands in the file for some more bytes; the last of them wait for what follows."""
        self._waiting += data
        out, self._head = [self._head], b""
        while len(self._waiting) > CHUNK_BYTES:
            out.append(self._chunk(self._waiting[:CHUNK_BYTES], last=False))
            self._waiting = self._waiting[CHUNK_BYTES:]
        return b"".join(out)

    def end(self) -> bytes:
        """Return the end of the file."""
        out, self._head = self._head, b""
        return out + self._chunk(self._waiting, last=True)

    def _chunk(self, data: bytes, *, last: bool) -> bytes:
        sealed: bytes = self._cipher.encrypt(_nonce(self._number, last=last), data, None)
        self._number += 1
        return len(sealed).to_bytes(4, "big") + sealed


class Opened(io.RawIOBase):
    """What a file holds, encrypted or not. Reading one whose master key cannot be used is an :class:`ArchiveError`."""

    def __init__(self, stream: BinaryIO, keyring: Keyring | None, name: str) -> None:
        self._stream = stream
        self._name = name
        self._number = 0
        self._cipher: Any = None
        self._ready = stream.read(len(MAGIC))
        self._ended = False
        if self._ready == MAGIC:
            self._cipher = self._unlock(keyring)
            self._ready = b""

    def readable(self) -> bool:
        """It is for reading only."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill some of the buffer; 0 at the end."""
        if not self._ready:
            self._ready = self._next() if self._cipher is not None else self._stream.read(CHUNK_BYTES)
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def _unlock(self, keyring: Keyring | None) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  As above.

        if keyring is None:
            raise ArchiveError(f"{self._name} is encrypted, and this region has no keyring (encryption.keyring)")
        try:
            length = int.from_bytes(self._exactly(2), "big")
            head = msgspec.json.decode(self._exactly(length), type=_Head)
            return AESGCM(keyring.unwrap(head.master, base64.b64decode(head.wrapped), _CONTEXT))
        except KeyUnavailableError as error:
            raise ArchiveError(f"{self._name} cannot be read: {error.message}") from error
        except (msgspec.DecodeError, ValueError) as error:
            raise ArchiveError(f"{self._name} is damaged: {error}") from error

    def _next(self) -> bytes:
        if self._ended:
            return b""
        length = int.from_bytes(self._exactly(4), "big")
        if not _TAG_BYTES <= length <= CHUNK_BYTES + _TAG_BYTES:
            raise ArchiveError(f"{self._name} is damaged: it has a chunk of {length} bytes")
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  As above.

        sealed = self._exactly(length)
        for last in (False, True):
            try:
                opened: bytes = self._cipher.decrypt(_nonce(self._number, last=last), sealed, None)
            except InvalidTag:  # Not this chunk, or not in this place.
                continue
            self._number += 1
            self._ended = last
            return opened or self._next()
        raise ArchiveError(f"{self._name} is damaged: chunk {self._number} is not what was encrypted there")

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise ArchiveError(f"{self._name} is damaged: it was cut off")
        return data


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
