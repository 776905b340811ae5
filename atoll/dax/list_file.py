"""The attribute lists that clients were told of, in a file: a client goes on after its cache was started anew.

What: a line a list, its names in JSON. A list's number is made from its names, so one file serves any number of caches,
of whatever regions, one after the other and at the same time: each only ever adds lines.

Invariants: a line that is none is passed over; a file that cannot be written costs no request its answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

_DECODER = msgspec.json.Decoder(tuple[str, ...])


def usual(environment: Mapping[str, str]) -> Path:
    """Return where the file is unless one is named: in the user's cache."""
    folder = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "atoll" / "attribute-lists.jsonl"


class ListFile:
    """One such file; it is made when the first list is added."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[tuple[str, ...]]:
        """Return the lists that are in the file, each once."""
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return []
        found: dict[tuple[str, ...], None] = {}
        for line in lines:
            with contextlib.suppress(msgspec.DecodeError):
                found[_DECODER.decode(line)] = None
        return list(found)

    def add(self, names: tuple[str, ...]) -> None:
        """Add a list."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                # The line break comes first: what a process that died has left half written spoils no other line.
                file.write(b"\n" + msgspec.json.encode(names))
