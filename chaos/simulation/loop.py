"""An event loop in virtual time: nothing sleeps, time jumps to the next timer, and standing still is an error.

What: a subclass of asyncio's own event loop without sockets, threads and real time. When no callback is ready, the
clock is set to the next timer's moment. The rest is asyncio: the same tasks, futures, locks and time-outs that the
product uses in production run here, in the same order every time.

Invariants: the order of callbacks depends on nothing but the order of their making and their times. When nothing is
ready and no timer is set, everybody waits for somebody: :class:`DeadlockError`. When callbacks run without end and no
time passes: :class:`LivelockError`.

Hazard: what would leave the loop is refused: threads, executors, sockets, signals. Real time passes between two
callbacks, unseen.

Source: CPython, ``asyncio/base_events.py``; FoundationDB's simulator, "Flow".
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

from chaos.simulation import process

if TYPE_CHECKING:
    from collections import deque

T = TypeVar("T")

STANDSTILL_TURNS: Final = 200_000
"""So many turns of the loop without any time passing are no work any more."""
_CANCELLED_MIN: Final = 100


class DeadlockError(Exception):
    """Everybody waits, and nothing will ever happen again."""


class LivelockError(Exception):
    """The loop is busy for ever, and no time passes."""


class VirtualLoop(asyncio.BaseEventLoop):
    """The event loop of one simulation. Its time is in seconds and begins at 0."""

    # What asyncio.BaseEventLoop keeps, and its type stubs do not tell.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _timer_cancelled_count: int
    _stopping: bool

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0
        self.callbacks = 0
        self.errors: list[dict[str, Any]] = []
        """What nobody caught: contexts of asyncio's exception handler."""
        self._now = 0.0
        self._idle_turns = 0
        self.set_task_factory(process.adopt)
        self.set_exception_handler(lambda _, context: self.errors.append(context))

    def time(self) -> float:
        """Return the virtual time."""
        return self._now

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, as the world, and return its result."""
        return process.WORLD.copy().run(self.run_until_complete, coroutine)

    def _run_once(self) -> None:
        """Run what is ready; if nothing is, go to the next timer first."""
        self.turns += 1
        ready, scheduled = self._ready, self._scheduled
        self._drop_cancelled()
        if not ready and not self._stopping:
            if not scheduled:
                raise DeadlockError(f"at {self._now:.3f} s nothing is ready and no timer is set")
            if scheduled[0].when() > self._now:
                self._now = scheduled[0].when()
                self._idle_turns = 0
        self._idle_turns += 1
        if self._idle_turns > STANDSTILL_TURNS:
            raise LivelockError(f"at {self._now:.3f} s the loop is busy and no time passes")
        while scheduled and scheduled[0].when() <= self._now:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False  # type: ignore[attr-defined]  # As asyncio's own loop does it.
            ready.append(timer)
        owner_of: ContextVar[process.Process | None] = process.OWNER
        self.callbacks += len(ready)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            owner = handle._context.get(owner_of)  # type: ignore[attr-defined]  # Every handle has one.
            if owner is not None:
                if not owner.alive:
                    continue
                if owner.held is not None:
                    owner.held.append(handle)
                    continue
            handle._run()

    def _drop_cancelled(self) -> None:
        scheduled = self._scheduled
        count = self._timer_cancelled_count
        if count > _CANCELLED_MIN and count > len(scheduled) / 2:
            kept = []
            for timer in scheduled:
                if timer._cancelled:
                    timer._scheduled = False  # type: ignore[attr-defined]  # As asyncio's own loop does it.
                else:
                    kept.append(timer)
            heapq.heapify(kept)
            self._scheduled[:] = kept
            self._timer_cancelled_count = 0
            return
        while scheduled and scheduled[0]._cancelled:
            self._timer_cancelled_count -= 1
            timer = heapq.heappop(scheduled)
            timer._scheduled = False  # type: ignore[attr-defined]  # As asyncio's own loop does it.

    # What would leave the loop.

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody has to be woken."""

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]  # The stubs spell arguments with a TypeVarTuple, to no use where all are refused.
        """Refuse: a thread would make order a matter of chance."""
        raise NotImplementedError("a simulation has no threads")
