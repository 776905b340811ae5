"""Functions as triggers see them: a call, what comes of it, and what a function is, whatever runs it.

What: the port between a trigger and what it calls. The twins are a Python callable in a process of its own
(:mod:`atoll.triggers.process`) and an HTTP or Lambda-compatible endpoint (:mod:`atoll.triggers.http`).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Protocol

from atoll.triggers.batch import Failed, NotInvoked
from atoll.triggers.settings import TriggerSettings, kind_of
from region.operation.context import RegionSettings

_PLAIN: Final = re.compile(r"[^A-Za-z0-9_-]+")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


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


def function_name(settings: TriggerSettings) -> str:
    """Return what the function is called in ARNs, contexts and chains.

    Its name in ``[functions]``; otherwise the trigger's, or what is plain of its text where the trigger has but a UUID.
    """
    if kind_of(settings.function) == "name":
        return settings.function
    return _PLAIN.sub("-", settings.function).strip("-")[-64:] if _UUID.fullmatch(settings.name) else settings.name


def function_arn(region: RegionSettings, name: str) -> str:
    """Return a function's ARN in a region."""
    return f"arn:aws:lambda:{region.region}:{region.account}:function:{name}"
