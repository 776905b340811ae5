"""Domain events: what happened in a region, as typed values for whoever listens.

The code emits these and nothing else; one module turns them into logs, metrics, event streams and traces. Times are
in milliseconds unless the name says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Event(msgspec.Struct, frozen=True, tag=True):
    """The root of all events."""


class Committed(Event, frozen=True):
    """A group of local writes, applied changes or both became durable; ``head`` is the last sequence of the log."""

    head: int
    changes: int


class TableChanged(Event, frozen=True):
    """A table was ``created``, ``changed`` or ``dropped`` in this region, by a request or by a peer."""

    uid: str
    name: str
    change: str


class BackfillFinished(Event, frozen=True):
    """An index has caught up with its table and is ACTIVE."""

    table: str
    index: str
    items: int


class ArchiveQueued(Event, frozen=True):
    """A backup, restore, export or import was asked for; ``kind`` and ``arn`` are those of its job."""

    kind: str
    arn: str


class ArchiveFinished(Event, frozen=True):
    """Such a job is done; ``items`` is how many items it has dealt with."""

    kind: str
    arn: str
    items: int


class ArchiveFailed(Event, frozen=True):
    """Such a job has failed for good, or a file of the archive is damaged; ``reason`` says which and how."""

    kind: str
    arn: str
    reason: str


class StoreFailed(Event, frozen=True):
    """Storage refused a transaction; nothing of it was kept."""

    reason: str
    requests: int


class AccessDenied(Event, frozen=True):
    """A principal was refused an action on a resource, or one statement of a batch; ``reason`` names what decided."""

    principal: str
    action: str
    resource: str
    reason: str


Listener = Callable[[Event], None]


class Events:
    """A bus with synchronous delivery in the order of subscription. A listener must not raise and must not block."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; return the function that takes it away again."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def emit(self, event: Event) -> None:
        """Tell every listener."""
        for listener in tuple(self._listeners):
            listener(event)
