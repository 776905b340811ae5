"""Storage errors, told apart: the world's fault with what to do about it, or our own.

What: SQLite's error codes become :class:`~region.errors.StoreError` where the disk, the file or another program is at
fault, and :class:`~region.errors.DefectError` where our SQL or our use of it is.

Invariant: only a failed write to the disk during COMMIT leaves the outcome unknown (the commit record may have
reached the log file and be found by the next recovery); everything else has definitely not happened.

Source: https://sqlite.org/rescode.html; https://sqlite.org/wal.html.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

import apsw

from region.errors import AtollError, DefectError, StoreError

P = ParamSpec("P")
R = TypeVar("R")

_ADVICE: Final[tuple[tuple[type[apsw.Error], str, str], ...]] = (
    (apsw.FullError, "the disk is full", "make room and try again"),
    (apsw.IOError, "the disk failed", "look at the system's log for the device"),
    (
        apsw.CorruptError,
        "the file is damaged",
        "stop the region and restore a copy, or delete the file and let the region be filled by its peers",
    ),
    (apsw.NotADBError, "the file is no SQLite database", "choose another path"),
    (apsw.BusyError, "another program holds a lock on the file", "end that program; only this region may write here"),
    (apsw.ReadOnlyError, "the file is read-only", "give this process the right to write the file and its folder"),
    (apsw.PermissionsError, "access is denied", "give this process the right to write the file and its folder"),
    (apsw.AuthError, "access is denied", "give this process the right to write the file and its folder"),
    (apsw.CantOpenError, "the file cannot be opened", "check that its folder exists and is writable"),
    (apsw.NoLFSError, "the file system has no large files", "put the file on another file system"),
    (apsw.NoMemError, "memory ran out", "give the process more memory"),
    (apsw.TooBigError, "a value is larger than SQLite can hold", "split the value"),
    (apsw.ConnectionClosedError, "the store is closed", "open it again"),
    (apsw.CursorClosedError, "the store is closed", "open it again"),
)


def failure(error: apsw.Error, doing: str, where: str, *, committing: bool = False) -> AtollError:
    """Return the error that stands for SQLite's: what was being done, where, what is wrong and what to do."""
    for kind, reason, advice in _ADVICE:
        if isinstance(error, kind):
            definite = not (committing and isinstance(error, apsw.IOError))
            outcome = "nothing of it was kept" if definite else "whether it was kept shows after a restart"
            after = f"{outcome}; {advice}" if committing else advice
            return StoreError(f"{doing} failed in {where}: {reason} ({error}); {after}", definite=definite)
    return DefectError(f"{doing} failed in {where}: {type(error).__name__}: {error}")


class _Placed(Protocol):
    @property
    def where(self) -> str: ...


S = TypeVar("S", bound=_Placed)


def reading(doing: str) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], R]]:
    """Decorate a method that reads, so that SQLite's errors leave it as ours."""

    def decorate(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
        @wraps(method)
        def guarded(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(self, *args, **kwargs)
            except apsw.Error as error:
                raise failure(error, doing, self.where) from error

        return guarded

    return decorate


class _Breakable(_Placed, Protocol):
    def touch(self) -> None: ...

    def broken_by(self, error: BaseException) -> BaseException: ...


W = TypeVar("W", bound=_Breakable)


def writing(doing: str) -> Callable[[Callable[Concatenate[W, P], R]], Callable[Concatenate[W, P], R]]:
    """Decorate a method that writes: it refuses a broken transaction, and breaks the transaction where it fails."""

    def decorate(method: Callable[Concatenate[W, P], R]) -> Callable[Concatenate[W, P], R]:
        @wraps(method)
        def guarded(self: W, /, *args: P.args, **kwargs: P.kwargs) -> R:
            self.touch()
            try:
                return method(self, *args, **kwargs)
            except apsw.Error as error:
                raise self.broken_by(failure(error, doing, self.where)) from error
            except BaseException as error:
                self.broken_by(error)
                raise

        return guarded

    return decorate
