"""What replication tells the rest of the process: typed events on the region's bus, and nothing else.

Every event names the directed link it belongs to as ``source`` and ``sink`` regions. Times are in milliseconds unless
the name says otherwise.
"""

from __future__ import annotations

from region.events import Event


class LinkStateChanged(Event, frozen=True):
    """A link went from one state to another, as seen from this end of it; ``detail`` says why."""

    source: str
    sink: str
    before: str
    after: str
    detail: str


class LinkFailed(Event, frozen=True):
    """A connection of a link ended with an error, or could not be made; the sink tries again."""

    source: str
    sink: str
    reason: str


class Delivered(Event, frozen=True):
    """A sink acknowledged changes of these ``tables``: they are durable there.

    ``latency_ms`` is that of the oldest of them.
    """

    source: str
    sink: str
    changes: int
    latency_ms: int
    tables: tuple[str, ...]


class Applied(Event, frozen=True):
    """Changes of a peer became durable here, or were found to be here already.

    ``stale`` and ``skipped`` count those that changed nothing: known already, or of a table that is not held here.
    """

    source: str
    sink: str
    changes: int
    stale: int
    skipped: int
    conflicts: int
    duration_ms: float


class Conflicted(Event, frozen=True):
    """Two concurrent writes of one item met here, and the loser was recorded under ``number``.

    ``double_grant``: both were granted what one region would have granted once.
    """

    source: str
    table: str
    number: int
    winner: str
    loser: str
    margin_ms: int
    double_grant: bool


class TransactionTorn(Event, frozen=True):
    """A peer's transaction of so many ``changes`` is complete here, after a time in which only a part of it was.

    ``reads`` found an item of it meanwhile. It happens only where changes are applied item by item.
    """

    source: str
    sink: str
    changes: int
    duration_ms: float
    reads: int


class LinkParked(Event, frozen=True):
    """A change is too far ahead of this region's wall clock; its link waits for time, or for an operator."""

    source: str
    sink: str
    ahead_ms: int


class ResynchronisationNeeded(Event, frozen=True):
    """A link cannot go on from its cursor; it goes on from the source's head, and shared tables are compared."""

    source: str
    sink: str
    reason: str


class Disassociated(Event, frozen=True):
    """A replica of this region has left its global table ``uid``, and is a table of its own, ``own_uid``."""

    table: str
    uid: str
    own_uid: str


class DisassociationAbandoned(Event, frozen=True):
    """A replica could not leave its global table in time; it stays a member. ``waiting`` are those waited for."""

    table: str
    uid: str
    waiting: tuple[str, ...]


class ReplicaDetached(Event, frozen=True):
    """A region was away for too long and is no member of a global table any more; its table is its own from now on."""

    table: str
    uid: str
    region: str


class ResynchronisationFinished(Event, frozen=True):
    """Every shared table was compared with the source: ``rows`` were taken, ``removed`` had been deleted meanwhile."""

    source: str
    sink: str
    rows: int
    removed: int
    duration_ms: int


class ResynchronisationInterrupted(Event, frozen=True):
    """A comparison with the source failed; it is tried again."""

    source: str
    sink: str
    reason: str


class WritesRecovered(Event, frozen=True):
    """This region had lost writes of its own with its file, and got ``rows`` items of them back from a peer."""

    source: str
    sink: str
    rows: int


class DigestMismatch(Event, frozen=True):
    """Replicas of a table differed where both had applied everything: a defect, or a file that somebody changed.

    ``keys`` differed, and ``repaired`` of them were taken from the source.
    """

    source: str
    sink: str
    table: str
    keys: int
    repaired: int


class LogDamaged(Event, frozen=True):
    """A record of this region's change log is not what was written; peers that need it compare tables instead."""

    sequence: int
    reason: str


class BootstrapStarted(Event, frozen=True):
    """This region begins to fetch a table that it has just become a replica of."""

    table: str
    uid: str


class BootstrapProgress(Event, frozen=True):
    """A piece of the table is durable here; ``items_total`` is the donor's count when it was asked."""

    table: str
    uid: str
    donor: str
    items: int
    items_total: int


class BootstrapFinished(Event, frozen=True):
    """The table is complete here; ``pending`` names regions whose own last changes follow when they are reachable."""

    table: str
    uid: str
    items: int
    pending: tuple[str, ...]


class BootstrapInterrupted(Event, frozen=True):
    """A step of fetching a table failed; it is tried again when a link changes, or shortly."""

    table: str
    uid: str
    reason: str


class WorkInterrupted(Event, frozen=True):
    """Something that replication does by itself failed; it is tried again. ``table`` is empty where none is meant."""

    work: str
    table: str
    reason: str


class ClockOff(Event, frozen=True):
    """This region's clock is ``off_ms`` ahead (negative: behind) of most peers'; ``refusing``: writes are, too."""

    region: str
    off_ms: int
    refusing: bool


class ClockRight(Event, frozen=True):
    """This region's clock agrees with most of its peers' again."""

    region: str
