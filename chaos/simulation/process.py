"""Simulated processes: which callback of the event loop belongs to whom, so that a process can be killed or stopped.

What: everything a region does runs as a callback of the loop, and every callback carries a context. A
:class:`Process` is named in the context of what it starts, and in all that this starts in turn; the loop asks it before
it runs a callback (:class:`~chaos.simulation.loop.VirtualLoop`). A dead process's callbacks are dropped, a suspended
one's are kept, in order, until it goes on.

Invariants: killing runs not a line of the process's code, no ``finally`` and no cancellation, as ``kill -9`` does. What
it had under way is kept where it stands until :func:`bury`, at the end of the run, when nothing can be disturbed.

Hazard: closing a suspended coroutine runs its ``finally`` blocks; only :func:`bury` may do that.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

CLOSES_MAX: Final = 100
"""How often a coroutine is asked to end that waits again in its ``finally`` blocks."""


class Process:
    """One life of a simulated process."""

    __slots__ = ("_context", "_tasks", "alive", "held", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.held: list[asyncio.Handle] | None = None
        """The callbacks that wait while the process is suspended; ``None`` while it runs."""
        self._tasks: list[asyncio.Task[Any]] = []
        self._context = contextvars.Context()
        self._context.run(OWNER.set, self)

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task of this process."""
        return asyncio.get_running_loop().create_task(coroutine, context=self._context.copy())

    def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function as this process: what it starts belongs to it."""
        return self._context.copy().run(function, *args)

    def call_soon(self, function: Callable[..., Any], *args: Any) -> None:
        """Have a function called as this process, in the next turn of the loop, once it is not suspended."""
        asyncio.get_running_loop().call_soon(function, *args, context=self._context.copy())

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Remember a task, for the time when it must be put away."""
        self._tasks.append(task)
        if len(self._tasks) > 512:
            self._tasks = [each for each in self._tasks if not each.done()]

    @property
    def tasks(self) -> int:
        """How many tasks are under way."""
        self._tasks = [each for each in self._tasks if not each.done()]
        return len(self._tasks)

    def suspend(self) -> None:
        """Hold all callbacks from now on."""
        if self.alive and self.held is None:
            self.held = []

    def resume(self) -> None:
        """Go on where it was stopped."""
        held, self.held = self.held, None
        loop = asyncio.get_running_loop()
        for handle in held or ():
            if not handle.cancelled():
                loop._ready.append(handle)  # type: ignore[attr-defined]  # The queue that every event loop of asyncio has.

    def kill(self) -> None:
        """End the process at once: nothing of it runs any more."""
        self.alive = False
        self.held = None

    def bury(self) -> None:
        """Put away what a dead process had under way. Its ``finally`` blocks run now, to nobody's harm."""
        for task in self._tasks:
            if task.done():
                continue
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # That it never ended is the point.
            coroutine = task.get_coro()
            for _ in range(CLOSES_MAX):
                try:
                    coroutine.close()
                except BaseException:  # Whatever the dead still say, there is nobody to hear it.
                    continue
                break
        self._tasks.clear()


OWNER: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)
"""The process that a callback belongs to; ``None`` for the world around them."""


def adopt(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    """Make a task, and have its process remember it: the task factory of the loop."""
    context = options.pop("context", None)
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, context=context, **options)
    process = OWNER.get() if context is None else context.get(OWNER)
    if process is not None:
        process.adopt(task)
    return task


def outside(function: Callable[..., T], *args: Any) -> T:
    """Call a function as the world, not as the process that happens to be running."""
    return WORLD.copy().run(function, *args)


WORLD: Final = contextvars.Context()
"""The context of what belongs to no process: the network, the clients, the nemesis."""
