"""What delivery to Kinesis tells; see :mod:`region.events`."""

from __future__ import annotations

from region.events import Event


class KinesisDelivering(Event, frozen=True):
    """Changes of a table reach their stream, for the first time or again."""

    table: str
    stream: str


class KinesisFailing(Event, frozen=True):
    """They do not; it is tried again until they do. Told once for each failure of another kind."""

    table: str
    stream: str
    reason: str


class KinesisRefused(Event, frozen=True):
    """A destination could not be enabled."""

    table: str
    stream: str
    reason: str


class KinesisLost(Event, frozen=True):
    """Changes will never reach the stream: at most so many, and why."""

    table: str
    stream: str
    records: int
    reason: str
