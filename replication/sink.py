"""The sink of one link, without I/O: from where to subscribe, what to apply next, and what to answer.

What: a :class:`Sink` takes the frames of one origin as they arrive, checks that none is missing, keeps them in order
until they are applied, and holds them back while the link is paused or parked. The driver asks :meth:`Sink.take` for
work, applies it with its cursor in one transaction, and reports :meth:`Sink.applied`.

Invariants: work is handed out in log order without gaps; the cursor given with it is that of its last record; what
is parked or paused stays queued and is never dropped; acknowledgements name only what is durable. The changes of one
transaction of the API, a group, are never handed out apart, unless the region is set to take items one by one. The
queue is bounded by the window that the sink asked for: a source that overruns it is refused.

Hazards: parking is judged with the wall clock of the moment; :meth:`Sink.take` must be asked again as time passes.

Source: the project's design, sections 3 and 4.
"""

from __future__ import annotations

from collections import deque
from itertools import takewhile
from typing import Final, NamedTuple

from region.errors import ReplicationError
from region.model.change import Cursor
from replication.lag import LIVE_WITHIN_MS, LinkState
from replication.message import Ack, Batch, Heartbeat, Shipped, Subscribe, Welcome
from replication.parking import Parking
from replication.source import RECORD_OVERHEAD_BYTES

QUEUE_SLACK_BYTES: Final = 16 << 20
"""How far a source may overrun the window: it looks at the window before a batch, not within."""


Place = tuple[str, bytes]
"""An item: the uid of its table, and its key."""


class Piece(NamedTuple):
    """Records of one batch that are applied together with their tables, ``(uid, name)`` each."""

    tables: list[tuple[str, str]]
    changes: list[Shipped]


class Part(NamedTuple):
    """One change of a group that is applied apart: the items of it and of those that follow, and how many do."""

    group: str
    places: tuple[Place, ...]
    rest: int


class Work(NamedTuple):
    """What to apply in one transaction: changes in order, and the cursor that holds once they are durable.

    ``part``: the first change is one of a group that is not kept together.
    """

    pieces: list[Piece]
    cursor: Cursor
    frames: int
    bytes: int
    part: Part | None = None


class _Queued(NamedTuple):
    upto: int
    watermark: int
    piece: Piece
    bytes: int


class Sink:
    """One origin's stream as it arrives here, from one Subscribe to the end of its connection.

    ``parking`` judges how far timestamps are ahead of this region's wall clock. ``whole_groups``: what was written
    together is handed out together; otherwise every change of a group is work of its own.
    """

    def __init__(
        self,
        *,
        region: str,
        origin: str,
        cursor: Cursor | None,
        window_bytes: int,
        parking: Parking,
        whole_groups: bool = True,
    ) -> None:
        self.region = region
        self.origin = origin
        self.cursor = cursor or Cursor(origin, "", 0, 0)
        self.position = self.cursor.sequence
        self.head = self.position
        self.watermark = self.cursor.watermark
        self.paused = False
        self.parked_ms = 0
        self.incomplete = False
        """Whether tables are still to be compared because of changes that the stream does not bring any more."""
        self.source_behind = 0
        self.source_oldest_ms = 0
        self.source_paused = False
        self.skew_ms = 0
        self.applied_ms = 0
        self.complete_ms = 0
        """Up to when, by the source's wall clock, all that it had committed is applied here."""
        self._goal = (0, 0)
        self._welcomed = False
        self._window_bytes = window_bytes
        self._parking = parking
        self._whole_groups = whole_groups
        self._queue: deque[_Queued] = deque()
        self._queued_bytes = 0
        self._taken = False
        self._echo_ms = 0
        self._echo_at_ms = 0

    def subscribe(self) -> Subscribe:
        """Return the first frame of the link."""
        cursor = self.cursor
        return Subscribe(self.region, self.origin, cursor.epoch, cursor.sequence, self._window_bytes, cursor.watermark)

    def welcome(self, frame: Welcome) -> None:
        """Take the answer to it.

        Raises:
            ReplicationError: the peer is another region, or starts elsewhere than asked.
        """
        if frame.origin != self.origin:
            raise ReplicationError(f"the peer at the address of {self.origin} says that it is {frame.origin}")
        if frame.after != self.cursor.sequence:
            raise ReplicationError(f"{self.origin} starts after {frame.after} and not after {self.cursor.sequence}")
        self.cursor = self.cursor._replace(epoch=frame.epoch)
        self.head = max(frame.head, self.position)
        self._welcomed = True

    def batch(self, frame: Batch, now_ms: int) -> None:
        """Queue a batch.

        Raises:
            ReplicationError: one is missing before it, or the source overruns the window.
        """
        self._echo_ms, self._echo_at_ms = frame.sent_ms, now_ms
        if not self._in_order(frame.after, frame.upto):
            return
        changes = frame.changes
        if not changes or changes[0].sequence <= frame.after or changes[-1].sequence > frame.upto:
            raise ReplicationError(f"{self.origin} sent a batch that does not hold what it says")
        size = sum(len(c.key) + len(c.image or b"") + RECORD_OVERHEAD_BYTES for c in changes)
        if self._queued_bytes > self._window_bytes + QUEUE_SLACK_BYTES:
            raise ReplicationError(f"{self.origin} overruns the window of {self._window_bytes} bytes")
        self.position = frame.upto
        self.head = max(self.head, frame.upto)
        self._queue.append(_Queued(frame.upto, frame.watermark, Piece(frame.tables, changes), size))
        self._queued_bytes += size

    def heartbeat(self, frame: Heartbeat, now_ms: int) -> None:
        """Take the source's numbers, and its position where nothing is queued before it.

        Raises:
            ReplicationError: a batch is missing before it.
        """
        self._echo_ms, self._echo_at_ms = frame.sent_ms, now_ms
        self.head = max(self.head, frame.head)
        self.source_behind, self.source_oldest_ms = frame.behind, frame.oldest_ms
        self.source_paused, self.skew_ms = frame.paused, -frame.skew_ms
        if not self._in_order(frame.after, frame.upto):
            return
        self.position = frame.upto
        if self._queue:
            last = self._queue.pop()
            self._queue.append(last._replace(upto=frame.upto, watermark=max(last.watermark, frame.watermark)))
        elif not self._taken:
            self.watermark = max(self.watermark, frame.watermark)
            self.cursor = self.cursor._replace(sequence=frame.upto, watermark=self.watermark)
        if not self._goal[1]:
            self._goal = (frame.head, frame.sent_ms)
        self._look_at_goal()

    def _look_at_goal(self) -> None:
        """See whether what the source had committed at some moment is applied by now."""
        head, sent_ms = self._goal
        if sent_ms and self.cursor.sequence >= head:
            self.complete_ms, self._goal = sent_ms, (0, 0)

    def take(self, records_max: int) -> Work | None:
        """Return what to apply next: up to ``records_max`` records of the queued batches, or one group if it is larger.

        ``None`` when there is nothing, while paused, while work is out, or when the next change is parked: then
        ``parked_ms`` says for how long, at least.
        """
        if self._taken or self.paused or not self._queue:
            return None
        pieces: list[Piece] = []
        cursor = self.cursor
        records = frames = size = 0
        for queued in self._queue:
            if pieces and records + len(queued.piece.changes) > records_max:
                break
            clear = self._clear(queued.piece.changes)
            if not self._whole_groups:
                clear = min(clear, _apart(queued.piece.changes, first=not pieces))
            elif clear > records_max:
                clear = _upto(queued.piece.changes, records_max)
            if clear < len(queued.piece.changes):
                if clear:
                    pieces.append(Piece(queued.piece.tables, queued.piece.changes[:clear]))
                    last = queued.piece.changes[clear - 1]
                    cursor = cursor._replace(sequence=last.sequence, watermark=max(cursor.watermark, last.hlc))
                break
            pieces.append(queued.piece)
            cursor = cursor._replace(sequence=queued.upto, watermark=max(cursor.watermark, queued.watermark))
            records += len(queued.piece.changes)
            frames += 1
            size += queued.bytes
        if not pieces:
            return None
        self._taken = True
        part = None if self._whole_groups else _part(self._queue[0].piece)
        return Work(pieces, cursor, frames, size, part)

    def applied(self, work: Work, now_ms: int) -> None:
        """Take note that the work and its cursor are durable."""
        self._taken = False
        for _ in range(work.frames):
            self._queue.popleft()
        self._queued_bytes -= work.bytes
        self.applied_ms = now_ms
        self.cursor = work.cursor
        if self._queue and self._queue[0].piece.changes[0].sequence <= work.cursor.sequence:
            first = self._queue.popleft()
            rest = [c for c in first.piece.changes if c.sequence > work.cursor.sequence]
            self._queue.appendleft(first._replace(piece=first.piece._replace(changes=rest)))
        self.watermark = max(self.watermark, work.cursor.watermark)
        self._look_at_goal()
        self._parking.passed(work.pieces[-1].changes[-1].hlc)

    def force(self) -> None:
        """Let what is queued now pass the park bound: an operator has decided so."""
        self._parking.force(*(queued.piece.changes[-1].hlc for queued in self._queue))

    def ack(self, sequence: int, now_ms: int, owed: dict[str, int] | None = None, safe_hlc: int = 0) -> Ack:
        """Return the frame that says what is durable here; ``sequence`` is that of the saved cursor.

        ``owed`` are the source's own changes, by table, that are missing here although they lie before the cursor;
        ``safe_hlc`` is this region's safe time.
        """
        held_ms = now_ms - self._echo_at_ms if self._echo_ms else 0
        return Ack(sequence, self.applied_ms, now_ms, self._echo_ms, held_ms, self.state(now_ms), owed or {}, safe_hlc)

    def state(self, now_ms: int) -> LinkState:
        """Return the state of a connected link, bootstrapping aside."""
        if not self._welcomed:
            return LinkState.UNREACHABLE
        if self.paused or self.source_paused:
            return LinkState.PAUSED
        if self.parked_ms:
            return LinkState.PARKED
        if self.incomplete:
            return LinkState.NEEDS_RESYNCHRONISATION
        oldest_ms = self._queue[0].piece.changes[0].hlc >> 16 if self._queue else self.source_oldest_ms
        waits_ms = now_ms + self.skew_ms - oldest_ms if oldest_ms else 0
        return LinkState.CATCHING_UP if waits_ms > LIVE_WITHIN_MS else LinkState.LIVE

    def judge(self, hlc: int) -> bool:
        """Whether a timestamp may be applied now; if not, ``parked_ms`` says how far it is over the bound."""
        self.parked_ms = self._parking.excess_ms(hlc)
        return not self.parked_ms

    def _clear(self, changes: list[Shipped]) -> int:
        """Return how many of the changes are within the park bound, whole groups; their timestamps rise."""
        if self.judge(changes[-1].hlc):
            return len(changes)
        clear = next(number for number, change in enumerate(changes) if not self.judge(change.hlc))
        while clear and changes[clear].group is not None and changes[clear].group == changes[clear - 1].group:
            clear -= 1
        return clear

    def _in_order(self, after: int, upto: int) -> bool:
        """Whether the frame continues the stream; false for one that was seen before."""
        if not self._welcomed:
            raise ReplicationError(f"{self.origin} sent changes before its welcome")
        if after == self.position and upto >= after:
            return True
        if upto <= self.position:
            return False
        raise ReplicationError(f"{self.origin} went from {self.position} to {after}")


def _upto(changes: list[Shipped], most: int) -> int:
    """Return how many changes make ``most``, or a few more, so that a group is whole."""
    while most < len(changes) and changes[most].group is not None and changes[most].group == changes[most - 1].group:
        most += 1
    return most


def _part(piece: Piece) -> Part | None:
    """Return what the first change of a piece is a part of, if it is one of a group."""
    group = piece.changes[0].group
    if group is None:
        return None
    places = [(piece.tables[it.table][0], it.key) for it in takewhile(lambda it: it.group == group, piece.changes)]
    return Part(group, tuple(places), len(places) - 1)


def _apart(changes: list[Shipped], *, first: bool) -> int:
    """Return how many changes may be applied together where those of a group may not: all before the next group's.

    ``first``: nothing else is applied with them, so that a change of a group that comes first may be.
    """
    single = next((number for number, change in enumerate(changes) if change.group is not None), len(changes))
    return single or int(first)
