"""What is tried next and what follows from an attempt: the batches, retries and splits of one line of records, pure.

What: a :class:`Line` is a sequence of records that must be handed over in order. It makes batches of what waits, and is
told how each attempt came out. It answers with the next action: hand over these records, give these up, wait so long.

Invariants: records leave in the order in which they came; none is passed over: each leaves by a success that covers
it, or by being given up, which is complete only when :meth:`Line.given_up` says that the destination has it. At most
one attempt is under way. ``position`` is a sequence up to which everything has left.

Source: AWS Lambda developer guide, "Lambda with DynamoDB": polling and batching streams, error handling, partial batch
responses ("Splitting batches doesn't consume the retry quota").
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

PAYLOAD_BYTES_MAX: Final = 6_291_556
"""How large an event may be: Lambda's 6 MB."""
ENVELOPE_BYTES: Final = 64
"""What an event holds beside its records: ``{"Records":[]}`` and room to spare."""
RETENTION_MS: Final = 24 * 60 * 60 * 1000
"""How old a record grows at most: what a stream keeps."""
READY_RECORDS: Final = 100
"""How many records beyond a batch may wait."""
ATTEMPTS_EXHAUSTED: Final = "RetryAttemptsExhausted"
AGE_EXCEEDED: Final = "MaximumRecordAgeExceeded"
NO_STATE: Final = b"{}"
STATE_BYTES_MAX: Final = 1 << 20
WINDOW_BYTES: Final = 512
"""How large the state of a tumbling window may be, and what an event holds beside it and its records."""


class Record(NamedTuple):
    """One stream record that waits for a function.

    ``sequence`` is its position in the region's log, ``seen_ms`` when this region saw the change, ``body`` its JSON.
    ``request_id`` names the request that wrote it, and what caused that.
    """

    sequence: int
    seen_ms: int
    body: bytes
    table_uid: str = ""
    key: bytes = b""
    origin: str = ""
    hlc: int = 0
    request_id: str | None = None


class Policy(NamedTuple):
    """How batches are made and when they are given up; counts and bytes as Lambda defines them, times in ms."""

    batch_size: int = 100
    window_ms: int = 0
    retries_max: int = -1
    """How often a batch is tried again after a function's error; -1: until its records are too old."""
    age_max_ms: int = -1
    bisect: bool = False
    backoff_min_ms: int = 500
    backoff_max_ms: int = 60_000
    payload_bytes_max: int = PAYLOAD_BYTES_MAX
    tumbling_ms: int = 0
    """How long a tumbling window is, by when this region saw the records; 0: there are none."""


class Done(NamedTuple):
    """The function has dealt with the whole batch; ``state`` is what it hands on to its next call in the window."""

    state: bytes = NO_STATE


class Failed(NamedTuple):
    """The function answered with an error, or with the sequence of the first record that it could not deal with."""

    first: int | None = None
    status: int = 200
    error: str = "Unhandled"
    state: bytes = NO_STATE


class NotInvoked(NamedTuple):
    """The function could not be reached, or had no time: nobody has seen the batch, as far as is known."""

    reason: str


Outcome = Done | Failed | NotInvoked


class Window(NamedTuple):
    """A tumbling window as a call sees it: from ``start_ms`` on, with the state of the calls before as JSON.

    ``final``: no further records will come in it; ``early``: because its state grew too large.
    """

    start_ms: int
    state: bytes
    final: bool
    early: bool


class HandOver(NamedTuple):
    """Call the function with these records, then :meth:`Line.settle`. The last call of a window has none."""

    records: tuple[Record, ...]
    window: Window | None = None


class GiveUp(NamedTuple):
    """Hand these records to the on-failure destination, then :meth:`Line.given_up`."""

    records: tuple[Record, ...]
    condition: str
    invocations: int
    last: Failed | NotInvoked | None


class Wait(NamedTuple):
    """Nothing is to be done for so long, unless further records come."""

    ms: float


Action = HandOver | GiveUp | Wait


class _Piece:
    """Records that are tried together: a batch, or what is left of one."""

    __slots__ = ("attempts", "condition", "due_ms", "final", "invocations", "last", "records", "refusals")

    def __init__(
        self, records: tuple[Record, ...], attempts: int = 0, invocations: int = 0, *, final: bool = False
    ) -> None:
        self.records = records
        self.final = final
        """Whether this is the last call of a window, which has no records."""
        self.attempts = attempts
        """How often the function has failed on the first record."""
        self.invocations = invocations
        self.refusals = 0
        self.due_ms = 0.0
        self.condition: str | None = None
        self.last: Failed | NotInvoked | None = None


class Line:
    """Records in order, and what is under way with them. ``jitter`` returns a number from 0 to 1."""

    def __init__(self, policy: Policy, jitter: Callable[[], float]) -> None:
        self.policy = policy
        self._jitter = jitter
        self._waiting: deque[Record] = deque()
        self._waiting_bytes = 0
        self._opened_ms = 0.0
        self._pieces: deque[_Piece] = deque()
        self.window_ms: int | None = None
        """When the tumbling window began that is open, ``None`` for none."""
        self.state = NO_STATE
        """What the function has handed on in it."""
        self.ended = False
        """Whether no further records will come: what waits is a batch, however small."""

    @property
    def wants(self) -> bool:
        """Whether there is room for further records: a little more than a batch is kept ready."""
        fits = self._waiting_bytes < self.policy.payload_bytes_max
        return fits and len(self._waiting) < self.policy.batch_size + READY_RECORDS

    @property
    def oldest(self) -> Record | None:
        """The first record that has not left."""
        if self._pieces and self._pieces[0].records:
            return self._pieces[0].records[0]
        return self._waiting[0] if self._waiting else None

    def position(self, read_to: int) -> int:
        """Return the sequence up to which everything has left, where the log was read up to ``read_to``."""
        oldest = self.oldest
        return read_to if oldest is None else oldest.sequence - 1

    def offer(self, record: Record, now_ms: float) -> None:
        """Add the record that comes next."""
        if not self._waiting:
            self._opened_ms = now_ms
        self._waiting.append(record)
        self._waiting_bytes += len(record.body) + 1

    def next(self, now_ms: float, wall_ms: float) -> Action | None:
        """Return what is to be done now; ``None`` when there is nothing at all.

        ``now_ms`` is a stopwatch's, by which waits are measured, and ``wall_ms`` the region's clock, by which ages are.
        """
        if not self._pieces:
            if self._window_is_over(wall_ms):
                self._pieces.append(_Piece((), final=True))
            elif not self._waiting:
                return None if self.window_ms is None else Wait(self.window_ms + self.policy.tumbling_ms - wall_ms)
        if not self._pieces:
            left_ms = self._opened_ms + self.policy.window_ms - now_ms
            records, full = self._batch()
            if left_ms > 0 and not full and not self.ended:
                return Wait(left_ms)
            for _ in records:
                self._waiting_bytes -= len(self._waiting.popleft().body) + 1
            self._opened_ms = now_ms
            self._pieces.append(_Piece(records))
        self._retire(wall_ms)
        piece = self._pieces[0]
        if piece.condition is not None and piece.due_ms <= now_ms:
            return GiveUp(piece.records, piece.condition, piece.invocations, piece.last)
        if piece.due_ms > now_ms:
            return Wait(piece.due_ms - now_ms)
        return HandOver(piece.records, self._window_of(piece))

    def settle(self, outcome: Outcome, now_ms: float) -> None:
        """Take in how the attempt came out that :meth:`next` asked for."""
        piece = self._pieces[0]
        if isinstance(outcome, NotInvoked):
            piece.last = outcome
            piece.refusals += 1
            piece.due_ms = now_ms + self._backoff_ms(piece.refusals)
            return
        piece.invocations += 1
        piece.refusals = 0
        if isinstance(outcome, Done):
            self._pieces.popleft()
            self._carry(piece, outcome.state)
            return
        piece.last = outcome
        done = self._before(piece, outcome.first)
        if done:
            self._carry(piece, outcome.state)
            # A new first record, on which the function has failed once.
            piece.records = piece.records[done:]
            piece.attempts = 0
            if self.policy.bisect and len(piece.records) > 1:
                return
        elif self.policy.bisect and len(piece.records) > 1:
            self._split(piece)
            return
        piece.attempts += 1
        if 0 <= self.policy.retries_max < piece.attempts:
            piece.condition = ATTEMPTS_EXHAUSTED
        else:
            piece.due_ms = now_ms + self._backoff_ms(piece.attempts)

    def given_up(self) -> None:
        """The destination has what was to be given up."""
        if self._pieces.popleft().final:
            self.window_ms, self.state = None, NO_STATE

    def not_given_up(self, now_ms: float) -> None:
        """The destination does not have it: try again later."""
        piece = self._pieces[0]
        piece.refusals += 1
        piece.due_ms = now_ms + self._backoff_ms(piece.refusals)

    def _begin(self, record: Record) -> int:
        """Return when the window of a record begins; one that is behind the open window belongs to it."""
        if not self.policy.tumbling_ms:
            return 0
        return max(record.seen_ms - record.seen_ms % self.policy.tumbling_ms, self.window_ms or 0)

    def _window_is_over(self, wall_ms: float) -> bool:
        if self.window_ms is None:
            return False
        if self._waiting and len(self.state) <= STATE_BYTES_MAX:
            return self._begin(self._waiting[0]) > self.window_ms
        return self.ended or len(self.state) > STATE_BYTES_MAX or wall_ms >= self.window_ms + self.policy.tumbling_ms

    def _window_of(self, piece: _Piece) -> Window | None:
        if not self.policy.tumbling_ms:
            return None
        if self.window_ms is None:
            self.window_ms = self._begin(piece.records[0])
        return Window(self.window_ms, self.state, piece.final, piece.final and len(self.state) > STATE_BYTES_MAX)

    def _carry(self, piece: _Piece, state: bytes) -> None:
        """Keep what a call hands on to the next one of its window; the last one ends it."""
        if self.policy.tumbling_ms:
            self.window_ms, self.state = (None, NO_STATE) if piece.final else (self.window_ms, state)

    def _batch(self) -> tuple[tuple[Record, ...], bool]:
        """Return the records of the next batch, and whether it is as large as one may be."""
        size = ENVELOPE_BYTES
        if self.policy.tumbling_ms:
            size += WINDOW_BYTES + len(self.state)
        records: list[Record] = []
        for record in self._waiting:
            size += len(record.body) + 1
            if records and (size > self.policy.payload_bytes_max or self._begin(record) > self._begin(records[0])):
                return tuple(records), True
            records.append(record)
            if len(records) == self.policy.batch_size:
                return tuple(records), True
        return tuple(records), False

    def _retire(self, wall_ms: float) -> None:
        """Set what is too old at the beginning of the first piece apart, to be given up."""
        piece = self._pieces[0]
        if piece.condition is not None:
            return
        age_max_ms = self.policy.age_max_ms if self.policy.age_max_ms >= 0 else RETENTION_MS
        old = 0
        while old < len(piece.records) and piece.records[old].seen_ms + age_max_ms < wall_ms:
            old += 1
        if not old:
            return
        retired = _Piece(piece.records[:old], piece.attempts, piece.invocations)
        retired.condition, retired.last = AGE_EXCEEDED, piece.last
        self._pieces.popleft()
        if old < len(piece.records):
            self._pieces.appendleft(_Piece(piece.records[old:]))
        self._pieces.appendleft(retired)

    def _split(self, piece: _Piece) -> None:
        middle = len(piece.records) // 2
        self._pieces.popleft()
        for records in (piece.records[middle:], piece.records[:middle]):
            half = _Piece(records, piece.attempts, piece.invocations)
            half.last = piece.last
            self._pieces.appendleft(half)

    def _before(self, piece: _Piece, first: int | None) -> int:
        """Return how many of a piece's records come before the one that the function could not deal with."""
        if first is None:
            return 0
        return sum(record.sequence < first for record in piece.records)

    def _backoff_ms(self, times: int) -> float:
        """Return how long to wait after so many failures: doubled each time, with up to a quarter less by chance."""
        full: float = min(self.policy.backoff_max_ms, self.policy.backoff_min_ms * 2.0 ** min(times - 1, 30))
        return full * (1 - self._jitter() / 4)
