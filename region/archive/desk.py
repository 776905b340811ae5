"""What every kind of archive work is done with: the replica, the vault, a place for slow steps, and a progress report.

What: a step that waits for a disk, a network or a compressor runs through :meth:`Desk.beside`, which a port decides:
in a thread of its own in a region's process, at once in a simulation. What changes the replica goes through
:meth:`Desk.transact`, in small transactions like any client's.

Invariant: a step beside the event loop that has begun is waited for, also by work that is cancelled, so nobody closes
what it is using.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from clock import HybridLogicalClock, PhysicalClock
from region.archive.shelf import VaultShelf
from region.archive.vault import Vault
from region.errors import InternalServerError, OperatingError
from region.events import Events
from region.operation.context import Catalogue, Context, RegionSettings
from region.store.port import Store

T = TypeVar("T")
Beside = Callable[[Callable[[], Any]], Awaitable[Any]]
Work = Callable[[Context], Any]

RETRY_S: Final = 1.0
"""How long after a transaction that the store refused the next attempt is made."""


class Replica(Protocol):
    """What the archive needs of an engine."""

    @property
    def store(self) -> Store:
        """The replica's storage."""

    @property
    def events(self) -> Events:
        """What happens."""

    @property
    def source(self) -> PhysicalClock:
        """The region's wall clock."""

    @property
    def clock(self) -> HybridLogicalClock:
        """The region's hybrid clock."""

    @property
    def settings(self) -> RegionSettings:
        """The region's name and account."""

    @property
    def catalogue(self) -> Catalogue:
        """The tables as of the last commit."""

    async def transact(self, work: Work) -> Any:
        """Run work in a transaction of its own; return its result once it is durable."""


class Progress(NamedTuple):
    """How far a piece of work has come, in items; ``total`` is ``None`` where nobody knows."""

    done: int
    total: int | None


async def at_once(call: Callable[[], Any]) -> Any:
    """Run a step where it is asked for: what a simulation does, and a region without threads."""
    return call()


class Desk:
    """The tools of one region's archive."""

    def __init__(self, replica: Replica, vault: Vault, shelf: VaultShelf, beside: Beside) -> None:
        self.replica = replica
        self.vault = vault
        self.shelf = shelf
        self.progress: dict[str, Progress] = {}
        """By the ARN of the job that is at work."""
        self.tasks: set[asyncio.Task[None]] = set()
        """The work under way."""
        self._beside = beside
        self._locks: dict[str, asyncio.Lock] = {}

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do something in a task of its own; a defect in it reaches the event loop's handler."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            task.get_loop().call_exception_handler({"message": f"{task.get_name()} broke", "exception": error})

    async def stop(self) -> None:
        """Interrupt all work, and wait until it has let go."""
        for task in tuple(self.tasks):
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)

    def lock(self, table_uid: str) -> asyncio.Lock:
        """Return what makes those who change a table's history wait for each other."""
        return self._locks.setdefault(table_uid, asyncio.Lock())

    def report(self, arn: str, done: int, total: int | None) -> None:
        """Say how far a job has come."""
        self.progress[arn] = Progress(done, total)

    async def beside(self, step: Callable[[], T]) -> T:
        """Run a slow step beside the event loop and return its result."""
        future: asyncio.Future[T] = asyncio.ensure_future(self._beside(step))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not future.done():
                await asyncio.wait([future])
            with suppress(Exception):
                future.result()
            raise

    async def transact(self, work: Work) -> Any:
        """Run work in a transaction, again and again while the store refuses it, as on a full disk."""
        while True:
            try:
                return await self.replica.transact(work)
            except (OperatingError, InternalServerError):
                await asyncio.sleep(RETRY_S)
