"""The child's side of a tether: reporting to the parent, and stopping when told to.

What: :func:`watch` arranges that SIGTERM, SIGINT and, for a tethered process, the end of its standard input stop it
cleanly. :func:`report` writes the one line that the parent waits for; see :mod:`atoll.child`. :func:`run` and
:class:`Until` are the life of a process that serves one thing: a gateway, a page, a proxy.

Invariant: a second signal ends the process at once, however long its stopping takes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from atoll.child import Ready, Refused, Serving
from atoll.failure import RemedyError

Stop = Callable[[int], None]


def watch(stop: Stop, *, tethered: bool) -> None:
    """Call ``stop(0)`` when this process is told to stop, by a signal or by the end of its tether."""
    loop = asyncio.get_running_loop()
    signals = 0

    def on_signal() -> None:
        nonlocal signals
        signals += 1
        if signals > 1:
            os._exit(128 + signal.SIGTERM)
        stop(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    if tethered:
        loop.add_reader(sys.stdin.fileno(), _at_end_of_tether, loop, stop)


def _at_end_of_tether(loop: asyncio.AbstractEventLoop, stop: Stop) -> None:
    """Stop when the standard input ends: the parent has let go, or is no more."""
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        stop(0)


class Until:
    """The time until this process is told to stop; made before anything is started."""

    def __init__(self, *, tethered: bool) -> None:
        self._tethered = tethered
        self._stopped = asyncio.Event()
        watch(lambda _: self._stopped.set(), tethered=tethered)

    async def told(self, url: str, words: str) -> None:
        """Say what is served, to the parent as its URL, to a person in words; return when told to stop."""
        if self._tethered:
            report(Serving(url=url))
        else:
            sys.stdout.write(f"{words}\n")
            sys.stdout.flush()
        await self._stopped.wait()


def run(serve: Callable[[], Coroutine[Any, Any, None]], *, tethered: bool) -> int:
    """Serve until told to stop; return the exit code of the process.

    Raises:
        RemedyError: it could not start, and is not tethered; a tethered one reports to its parent instead.
    """
    try:
        asyncio.run(serve())
    except RemedyError as error:
        if not tethered:
            raise
        report_refusal(error)
        return error.exit_code
    return 0


def report(line: Ready | Serving | Refused) -> None:
    """Write the line that the parent of a tethered process waits for."""
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


def report_refusal(error: RemedyError) -> None:
    """Tell the parent why this process does not start."""
    report(Refused(problem=error.problem, remedy=error.remedy))
