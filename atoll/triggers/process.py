"""Functions that are Python callables: called in processes of their own, so that nothing they do holds up the region.

What: :class:`CallableFunction` keeps a few worker processes (:mod:`atoll.triggers.worker`), one for each call under way
at the same time. A worker that takes too long, or whose answer makes no sense, is killed, and the call has failed.

Invariants: a worker never outlives its region: its standard input closes with it. It is in a session of its own, so a
Ctrl-C of a terminal reaches the region alone. What a function prints goes to a file of its own in the region's data
folder, or to the region's standard error where nothing is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Any, Final

import orjson

from atoll.triggers import worker
from atoll.triggers.batch import Failed, NotInvoked
from atoll.triggers.function import Answer, Call, Invoked

PROGRAM: Final = (sys.executable, "-P", worker.__file__)
ANSWER_BYTES_MAX: Final = 8 << 20
END_S: Final = 2.0


class CallableFunction:
    """A callable, called in worker processes; ``log`` is where its output goes, ``None`` for standard error."""

    def __init__(self, name: str, target: str, log: Path | None) -> None:
        self._name = name
        self._target = target
        self._log = log
        self._idle: list[asyncio.subprocess.Process] = []
        self._busy: set[asyncio.subprocess.Process] = set()

    async def invoke(self, call: Call) -> Invoked:
        """Call the function, in a process that is idle or new."""
        process = self._idle.pop() if self._idle else None
        if process is None or process.returncode is not None:
            try:
                process = await self._start()
            except OSError as error:
                return NotInvoked(f"its process could not be started: {error}")
        self._busy.add(process)
        try:
            async with asyncio.timeout(call.timeout_s):
                answer = await _talk(process, call)
        except TimeoutError:
            await self._end(process)
            return Failed(error=f"Task timed out after {call.timeout_s:.2f} seconds")
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            await self._end(process)
            return Failed(error=f"Runtime exited: {error or type(error).__name__}")
        except BaseException:
            # Whatever stops the call, nobody may go on with this process in the middle of it.
            process.kill()
            self._busy.discard(process)
            raise
        self._busy.discard(process)
        self._idle.append(process)
        return answer

    async def close(self) -> None:
        """End all worker processes."""
        idle, self._idle = self._idle, []
        for process in (*idle, *self._busy):
            await self._end(process)

    async def _start(self) -> asyncio.subprocess.Process:
        with contextlib.ExitStack() as opened:
            log: Any = None
            if self._log is not None:
                self._log.parent.mkdir(parents=True, exist_ok=True)
                log = opened.enter_context(self._log.open("ab"))
            return await asyncio.create_subprocess_exec(
                *PROGRAM,
                self._target,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, "AWS_LAMBDA_FUNCTION_NAME": self._name, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
                limit=ANSWER_BYTES_MAX,
            )

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        self._busy.discard(process)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_S):
                    await process.wait()


async def _talk(process: asyncio.subprocess.Process, call: Call) -> Answer | Failed:
    assert process.stdin is not None
    assert process.stdout is not None
    head = {
        "function": call.function,
        "arn": call.arn,
        "request_id": call.request_id,
        "timeout_s": call.timeout_s,
        "trace": call.trace,
        "bytes": len(call.event),
    }
    process.stdin.write(orjson.dumps(head) + b"\n" + call.event)
    await process.stdin.drain()
    line = await process.stdout.readline()
    if not line:
        raise ValueError(f"the process of {call.function} ended")
    told = orjson.loads(line)
    payload = await process.stdout.readexactly(told["bytes"])
    if told["succeeded"]:
        return Answer(payload)
    return Failed(error=error_text(payload))


def error_text(payload: bytes) -> str:
    """Return the words of a function's error, as Lambda's answers have them."""
    try:
        told = orjson.loads(payload)
        return f"{told['errorType']}: {told['errorMessage']}"[:500]
    except (ValueError, KeyError, TypeError):
        return "Unhandled"
