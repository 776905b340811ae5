"""A vault in anything that fsspec reaches: a bucket of S3 or of a store that speaks like it, above all.

What: a blob is an object, which a store shows when its upload is complete: that is what the port asks for.

Source: https://filesystem-spec.readthedocs.io/.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from region.errors import ArchiveError


class RemoteVault:
    """Blobs as objects under ``root`` of an fsspec file system. What such a system raises is its library's affair."""

    keyring = None
    """What is exported is for others to read; the object store encrypts as it is told to."""

    def __init__(self, filesystem: Any, root: str) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")

    def create(self, name: str) -> RemoteBlob:
        """Begin to write an object."""
        return RemoteBlob(self._filesystem, self._path(name))

    def open(self, name: str) -> BinaryIO:
        """Open an object for reading."""
        path = self._path(name)
        if self.stamp(name) is None:
            raise ArchiveError(f"{path} is not there")
        try:
            stream: BinaryIO = self._filesystem.open(path, "rb")
        except Exception as error:  # See the class.
            raise _failed(path, "read", error) from error
        return stream

    def names(self, prefix: str) -> list[str]:
        """Return the names of the objects that begin with ``prefix``, sorted."""
        folder = self._path(prefix.rpartition("/")[0])
        try:
            found = [str(path).lstrip("/") for path in self._filesystem.find(folder)]
        except FileNotFoundError:
            return []
        except Exception as error:  # See the class.
            raise _failed(folder, "listed", error) from error
        skipped = len(self._root.lstrip("/")) + 1
        return sorted(path[skipped:] for path in found if path[skipped:].startswith(prefix))

    def stamp(self, name: str) -> str | None:
        """Return the size of an object and what tells its versions apart."""
        try:
            info = self._filesystem.info(self._path(name))
        except FileNotFoundError:
            return None
        except Exception as error:  # See the class.
            raise _failed(self._path(name), "looked at", error) from error
        return f"{info['size']}-{info.get('e_tag') or info.get('ETag') or info.get('last_modified')}"

    def delete(self, name: str) -> None:
        """Delete an object."""
        try:
            self._filesystem.rm_file(self._path(name))
        except FileNotFoundError:
            return
        except Exception as error:  # See the class.
            raise _failed(self._path(name), "deleted", error) from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root


class RemoteBlob:
    """An object that is held in memory until it is whole, and then put in one piece.

    What exports write is some megabytes at most; and some libraries complete a stream that is let go of half-way.
    """

    def __init__(self, filesystem: Any, path: str) -> None:
        self._filesystem = filesystem
        self._path = path
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._parts.append(bytes(data))

    def commit(self) -> None:
        """Put the object."""
        try:
            self._filesystem.pipe_file(self._path, b"".join(self._parts))
        except Exception as error:  # See :class:`RemoteVault`.
            raise _failed(self._path, "written", error) from error

    def abandon(self) -> None:
        """Forget what was written."""
        self._parts = []


def _failed(path: str, what: str, error: Exception) -> ArchiveError:
    return ArchiveError(f"{path} cannot be {what}: {type(error).__name__}: {error}")
