"""What the engine's writer is given to do, and whom it tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from region.errors import AtollError
from region.operation.context import Context

Done = Callable[[Any, AtollError | None], None]
"""Told the result of a piece of work, or its error, once."""
Work = Callable[[Context], Any]
"""A piece of work: what is run in a transaction."""


class Job:
    """A piece of work for the writer, and whom to tell. ``alone``: it wants a transaction of its own."""

    __slots__ = ("alone", "done", "request_id", "work")

    def __init__(self, work: Work, done: Done, request_id: str | None, *, alone: bool) -> None:
        self.work = work
        self.done = done
        self.request_id = request_id
        self.alone = alone


def settle(future: asyncio.Future[Any]) -> Done:
    """Return what tells a future, unless it was given up."""

    def done(result: Any, error: AtollError | None) -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    return done
