"""What happens to a region's triggers, as typed events. Nothing that a client or a function wrote is part of them."""

from __future__ import annotations

from region.events import Event


class TriggerStateChanged(Event, frozen=True):
    """A trigger went from one state to another; ``reason`` says why, where that is not plain."""

    trigger: str
    before: str
    after: str
    reason: str


class TriggerHandedOver(Event, frozen=True):
    """A function has dealt with a batch: ``records`` of them, the newest ``age_ms`` after this region saw it."""

    trigger: str
    records: int
    age_ms: int
    duration_ms: int


class TriggerFailed(Event, frozen=True):
    """A call of a function failed, or could not be made; ``called``: the function was reached."""

    trigger: str
    records: int
    called: bool
    reason: str


class TriggerGaveUp(Event, frozen=True):
    """Records were given up, by AWS's ``condition``; ``kept``: the on-failure destination has them."""

    trigger: str
    records: int
    condition: str
    kept: bool


class TriggerFellBehind(Event, frozen=True):
    """Records of a trigger's stream were trimmed before it came to them: some behind ``after``, its position."""

    trigger: str
    shard: str
    after: int


class TriggerDuplicated(Event, frozen=True):
    """A function got ``records`` that another region's trigger hands to it, too; ``regions`` are all that call it."""

    trigger: str
    records: int
    regions: tuple[str, ...]


class TriggerEchoed(Event, frozen=True):
    """A function got ``records`` that it had caused itself, ``times`` over; ``chain`` is how the last one came."""

    trigger: str
    records: int
    times: int
    chain: tuple[str, ...]
