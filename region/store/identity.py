"""Which table a row of the log is about: the numbers and uids of tables, and what was separated from what.

What: a row of the log names its table by a number. A table that leaves its global table keeps its storage, and with it
its number, and gets a uid of its own; the uid that it had goes on under a new number. So a number has stood for one
uid up to a sequence of the log, and for another after it.

Invariant: every row of the log belongs to exactly one uid, and that never changes: what a replica wrote as a member
is shipped as the global table's, what it writes afterwards is its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple

_CURRENT: Final = "SELECT id, uid FROM tables"
_SEPARATIONS: Final = "SELECT number, upto, uid FROM separations ORDER BY number, upto"
SAVE_SEPARATION: Final = "INSERT INTO separations VALUES (?, ?, ?)"


class Stretch(NamedTuple):
    """Part of the log, ``after < sequence <= upto``, in which a number stands for a table."""

    number: int
    after: int
    upto: int


class Identities:
    """The identities of one open store's tables. They may run ahead of the file until :meth:`load`."""

    __slots__ = ("_execute", "_former", "_numbers", "_uids")

    def __init__(self, execute: Callable[[str], Any]) -> None:
        self._execute = execute
        self._uids: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._former: dict[int, list[tuple[int, str]]] = {}
        self.load()

    def load(self) -> None:
        """Learn from the file what there is, and forget everything else."""
        self._uids = dict(self._execute(_CURRENT).fetchall())
        self._numbers = {uid: number for number, uid in self._uids.items()}
        self._former = {}
        for number, upto, uid in self._execute(_SEPARATIONS).fetchall():
            self._former.setdefault(number, []).append((upto, uid))

    def add(self, number: int, uid: str) -> None:
        """Let a number stand for a table from now on."""
        self._uids[number] = uid
        self._numbers[uid] = number

    def separate(self, number: int, upto: int, uid: str) -> None:
        """Let a number have stood for ``uid`` up to a sequence only; :meth:`add` says what it stands for since."""
        self._former.setdefault(number, []).append((upto, uid))

    def uid(self, number: int, sequence: int) -> str:
        """Return the uid of the table that a row of the log is about."""
        if number in self._former:
            for upto, uid in self._former[number]:
                if sequence <= upto:
                    return uid
        return self._uids[number]

    def current(self, number: int) -> str | None:
        """Return the uid that a number stands for now."""
        return self._uids.get(number)

    def number(self, uid: str) -> int | None:
        """Return the number under which a table is stored now."""
        return self._numbers.get(uid)

    def stretches(self, uid: str) -> list[Stretch]:
        """Return where the rows of a table stand in the log, in order."""
        found = []
        for number, ends in self._former.items():
            after = 0
            for upto, former in ends:
                if former == uid:
                    found.append(Stretch(number, after, upto))
                after = upto
        current = self._numbers.get(uid)
        if current is not None:
            separated = self._former.get(current)
            found.append(Stretch(current, separated[-1][0] if separated else 0, sys.maxsize))
        return sorted(found, key=lambda stretch: stretch.upto)
