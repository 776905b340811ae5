"""The files of the archive: lines of JSON, compressed with zstd, with a digest of what is on the disk.

What: :class:`Packer` writes a file of lines into a vault and knows its digest, size and number of lines;
:func:`unpack` iterates over the lines again; :func:`digest` computes the digest of a file that is there. Tables are
stored as lines ``{"Item":…}``, which is how AWS exports them too.

Invariant: the digest is SHA-256 over the compressed bytes, so that ``sha256sum`` checks a file.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, BinaryIO, Final

import zstandard

from region.archive.envelope import Opened, Sealed
from region.archive.vault import Vault
from region.errors import ArchiveError
from region.keyring import OWNED

LEVEL: Final = 3
_CHUNK_BYTES: Final = 1 << 18

ITEM_HEAD: Final = b'{"Item":'
ITEM_TAIL: Final = b"}"


class Packed:
    """What is known of a file that was written."""

    __slots__ = ("lines", "name", "sha256", "size_bytes")

    def __init__(self, name: str, digest: str, size_bytes: int, lines: int) -> None:
        self.name = name
        self.sha256 = digest
        self.size_bytes = size_bytes
        self.lines = lines


class Packer:
    """Writes one file of lines, encrypted under a master key where the vault has a keyring."""

    def __init__(self, vault: Vault, name: str, master: str = OWNED) -> None:
        self._name = name
        self._sealed = None if vault.keyring is None else Sealed(vault.keyring, master)
        self._blob = vault.create(name)
        self._compressor = zstandard.ZstdCompressor(level=LEVEL).compressobj()
        self._digest = sha256()
        self._size = 0
        self._lines = 0

    def add(self, lines: Iterable[bytes]) -> None:
        """Append lines, each without its end."""
        text = list(lines)
        self._lines += len(text)
        if text:
            self._put(self._compressor.compress(b"\n".join(text) + b"\n"))

    def finish(self) -> Packed:
        """Let the file appear."""
        self._put(self._compressor.flush())
        if self._sealed is not None:
            self._write(self._sealed.end())
        self._blob.commit()
        return Packed(self._name, self._digest.hexdigest(), self._size, self._lines)

    def abandon(self) -> None:
        """Leave nothing behind, unless it is finished."""
        self._blob.abandon()

    def _put(self, data: bytes) -> None:
        self._write(data if self._sealed is None else self._sealed.add(data))

    def _write(self, data: bytes) -> None:
        if data:
            self._digest.update(data)
            self._size += len(data)
            self._blob.write(data)


def unpack(vault: Vault, name: str) -> Iterator[bytes]:
    """Iterate over the lines of a file.

    Raises:
        ArchiveError: it is not there, or its compression is broken.
    """
    with vault.open(name) as stream:
        opened = io.BufferedReader(Opened(stream, vault.keyring, name), _CHUNK_BYTES)
        yield from lines(opened, name)


class Unpacked(io.RawIOBase):
    """What a stream compressed with zstd holds, in whatever number of frames.

    The library's own stream ends quietly where a file was cut off; this one says so with an :class:`EOFError`.
    """

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._ready = b""

    def readable(self) -> bool:
        """It is for reading only."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill some of the buffer; 0 at the end."""
        while not self._ready:
            if self._frame.eof:
                chunk = self._frame.unused_data or self._packed.read(_CHUNK_BYTES)
                self._frame, self._begun = zstandard.ZstdDecompressor().decompressobj(), False
            else:
                chunk = self._packed.read(_CHUNK_BYTES)
            if not chunk:
                if self._begun:
                    raise EOFError("it was cut off")
                return 0
            self._begun = True
            self._ready = self._frame.decompress(chunk)
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count


def lines(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """Iterate over the lines of an open file that is compressed with zstd."""
    try:
        for line in io.BufferedReader(Unpacked(stream), _CHUNK_BYTES):
            yield line.removesuffix(b"\n")
    except (zstandard.ZstdError, EOFError) as error:
        raise ArchiveError(f"{name} is damaged: {error}") from error


def digest(vault: Vault, name: str) -> str:
    """Return the SHA-256 of a file as it is now."""
    hasher = sha256()
    with vault.open(name) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()


def item_line(image: bytes) -> bytes:
    """Return an item's image as a line."""
    return ITEM_HEAD + image + ITEM_TAIL


def image_of(line: bytes, name: str) -> bytes:
    """Return the image that a line holds, byte for byte.

    Raises:
        ArchiveError: it is no such line.
    """
    if not (line.startswith(ITEM_HEAD) and line.endswith(ITEM_TAIL)):
        raise ArchiveError(f"{name} is damaged: it has a line that holds no item: {line[:80]!r}")
    return line[len(ITEM_HEAD) : -len(ITEM_TAIL)]
