"""Functions as triggers see them: a call, what comes of it, and what a function is, whatever runs it.

What: the port between a trigger and what it calls. The twins are a Python callable in a process of its own
(:mod:`atoll.triggers.process`) and an HTTP or Lambda-compatible endpoint (:mod:`atoll.triggers.http`).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from atoll.triggers.batch import Failed, NotInvoked


class Call(NamedTuple):
    """One call of a function: the event as JSON, and what its context says. ``trace`` is what caused the event."""

    function: str
    arn: str
    event: bytes
    request_id: str
    timeout_s: float
    trace: str | None = None


class Answer(NamedTuple):
    """The function has answered, with this payload."""

    payload: bytes


Invoked = Answer | Failed | NotInvoked


class Function(Protocol):
    """Something that can be called with an event."""

    async def invoke(self, call: Call) -> Invoked:
        """Call it, and say what came of it. Several calls may be under way at the same time."""

    async def close(self) -> None:
        """End what is under way, and give back what was held."""
