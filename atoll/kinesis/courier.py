"""A courier brings the changes of one table to one Kinesis stream.

What: first it looks whether the stream is there, and settles the state of a destination that is being enabled. Then it
reads the change log behind its cursor, sends what it finds (:mod:`atoll.kinesis.consignment`), and moves the cursor.

Invariants: the cursor is saved in the region's file after what it counts has arrived, so a crash at any moment makes
changes come twice and none go missing. Changes of one item arrive in order. What is refused or not answered is sent
again, after pauses that grow up to :data:`PAUSE_MAX_S`, for as long as the log holds it. A log that cannot be read, or
a table whose key is gone, is waited for.

Hazards: each stream has a cursor of its own in the file's settings; the log keeps what it has not passed, up to
``retention.log_bytes``. What the log has let go is lost, and told (:class:`~atoll.kinesis.events.KinesisLost`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from atoll.kinesis.client import THROTTLED, KinesisClient, KinesisError
from atoll.kinesis.consignment import Consignment
from atoll.kinesis.events import KinesisDelivering, KinesisFailing, KinesisLost, KinesisRefused
from atoll.kinesis.record import RecordForm
from region.engine import Engine
from region.errors import KeyUnavailableError, OperatingError
from region.model.destination import ENABLING, MILLISECOND, Destination
from region.model.keys import HASH_BYTES
from region.model.stream import RECORD_BYTES_MAX
from region.model.table import Table
from region.operation.context import Context
from region.operation.setting import kinesis_destination

READ_MAX: Final = 500
"""How many changes are on their way at a time: writing them down takes some milliseconds, in which clients wait."""
EXAMINED_MAX: Final = 10_000
"""How many records of the whole region's log are looked at before others have their turn."""
GATHERING_S: Final = 0.02
"""For how long after a commit further changes are waited for, so that a busy table makes few requests."""
PAUSE_MIN_S: Final = 0.1
PAUSE_MAX_S: Final = 5.0
LOOKS_MAX: Final = 6
"""How often an endpoint that does not answer is asked before a destination fails to be enabled: about four seconds."""
_ALL: Final = (bytes(HASH_BYTES), b"\xff" * HASH_BYTES)
_OVERSIZED: Final = "the record is larger than the 1 MiB that Kinesis takes"
_TRIMMED: Final = "the change log has let them go: the stream was behind for longer than the log is kept"


class Route(NamedTuple):
    """From which table to which stream, and since which sequence of the log: one enabling of a destination."""

    table_uid: str
    stream_arn: str
    after: int


class Statistics(msgspec.Struct):
    """What was delivered along a table's way to a stream since the region started, by all couriers in turn."""

    delivered: int = 0
    lost: int = 0
    retried: int = 0
    throttled: int = 0
    units: float = 0.0
    oldest_ms: int | None = None
    """When this region saw the first change that has not arrived."""
    problem: str | None = None
    """Why changes do not arrive at the moment."""


class Courier:
    """Delivers along one route until it is told to stop."""

    def __init__(
        self, engine: Engine, client: KinesisClient, route: Route, table_id: str, statistics: Statistics
    ) -> None:
        self.route = route
        self.statistics = statistics
        self._engine = engine
        self._client = client
        self._delivering = False
        self._meta = f"kinesis:{table_id}:{route.stream_arn}"
        self.cursor = self.saved = self._saved_cursor()
        """Up to which sequence everything has arrived, and up to which the region's file knows that."""
        self._news = asyncio.Event()
        self._news.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(_report)

    def look(self) -> None:
        """Something was committed."""
        self._news.set()

    def stop(self) -> asyncio.Task[None] | None:
        """Do nothing any more; what was sent and not counted yet comes again when delivery goes on.

        Returns what ends soon.
        """
        if self._task is not None:
            self._task.cancel()
        return self._task

    @property
    def _table(self) -> Table:
        return self._engine.catalogue.by_uid[self.route.table_uid]

    @property
    def _destination(self) -> Destination:
        return next(it for it in kinesis_destination.listed(self._table) if it["StreamArn"] == self.route.stream_arn)

    async def _run(self) -> None:
        if self._destination["Status"] == ENABLING and not await self._enable():
            return
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(GATHERING_S)
            while self.cursor < self._engine.store.log_head():
                await self._advance()

    async def _enable(self) -> bool:
        """Look whether the stream is there, and settle the destination's state; return whether it is ACTIVE."""
        reason = None
        for attempt in range(LOOKS_MAX):
            try:
                await self._client.look_up(self.route.stream_arn)
            except KinesisError as error:
                reason = str(error)
                if error.definite:
                    break
                await self._pause(attempt)
            else:
                reason = None
                break
        if reason is not None:
            self._tell(KinesisRefused(self._table.name, self.route.stream_arn, reason))
        route = self.route
        await self._write(lambda context: kinesis_destination.settle(context, *route, reason))
        return reason is None

    async def _advance(self) -> None:
        """Deliver one stretch of the log and move the cursor behind it."""
        store, tail = self._engine.store, self._engine.store.log_tail()
        if self.cursor < tail:
            self._lose(tail - self.cursor, _TRIMMED)
            self.cursor = tail
        upto = min(store.log_head(), self.cursor + EXAMINED_MAX)
        try:
            records, reached = store.read_changes(
                self.route.table_uid, self.cursor, upto, hashes=_ALL, limit=READ_MAX, bytes_max=RECORD_BYTES_MAX
            )
        except (OperatingError, KeyUnavailableError) as error:
            self._fail(str(error))
            await asyncio.sleep(PAUSE_MAX_S)
            return
        if records:
            precision = self._destination.get("Precision", MILLISECOND)
            form = RecordForm(self._engine.settings.region, self._table, self.route.stream_arn, precision)
            await self._deliver(Consignment(map(form.write, records)))
        self.cursor = reached
        if records or reached - self.saved >= EXAMINED_MAX:
            await self._write(self._save_cursor)
            self.saved = reached
        if self.statistics.problem is not None:
            self._work_again()
        await asyncio.sleep(0)

    async def _deliver(self, consignment: Consignment) -> None:
        if consignment.oversized:
            self._lose(len(consignment.oversized), _OVERSIZED)
        failures = 0
        while consignment:
            self.statistics.oldest_ms = consignment.oldest_ms
            sent = consignment.next()
            try:
                refused = await self._client.put_records(self.route.stream_arn, sent)
            except KinesisError as error:
                problem: str | None = str(error)
                self.statistics.retried += len(sent)
                self.statistics.throttled += len(sent) if error.name in THROTTLED else 0
            else:
                arrived = consignment.arrived(sent, {it.position for it in refused})
                self.statistics.delivered += len(arrived)
                self.statistics.units += sum(it.units for it in arrived)
                self.statistics.retried += len(refused)
                self.statistics.throttled += sum(it.name in THROTTLED for it in refused)
                problem = f"{refused[0].name}: {refused[0].message}" if refused else None
            if problem is None:
                failures = 0
                self._work_again()
            else:
                self._fail(problem)
                await self._pause(failures)
                failures += 1
        self.statistics.oldest_ms = None

    def _saved_cursor(self) -> int:
        """Return up to where changes have arrived, of this enabling of the stream and not of one before it."""
        text = self._engine.store.meta(self._meta)
        after, cursor = msgspec.json.decode(text, type=tuple[int, int]) if text else (-1, 0)
        return cursor if after == self.route.after else self.route.after

    def _save_cursor(self, context: Context) -> None:
        context.transaction.save_meta(self._meta, msgspec.json.encode((self.route.after, self.cursor)).decode())
        context.written += 1

    async def _write(self, work: Callable[[Context], None]) -> None:
        """Write to the region's file, again and again while the store cannot, as on a full disk."""
        while True:
            try:
                await self._engine.transact(work)
            except OperatingError as error:
                self._fail(str(error))
                await asyncio.sleep(PAUSE_MAX_S)
            else:
                return

    async def _pause(self, failures: int) -> None:
        longest = min(PAUSE_MIN_S * 2**failures, PAUSE_MAX_S)
        await asyncio.sleep(self._engine.rng.uniform(longest / 2, longest))

    def _fail(self, problem: str) -> None:
        if problem != self.statistics.problem:
            self.statistics.problem = problem
            self._tell(KinesisFailing(self._table.name, self.route.stream_arn, problem))

    def _work_again(self) -> None:
        if self.statistics.problem is not None or not self._delivering:
            self.statistics.problem = None
            self._delivering = True
            self._tell(KinesisDelivering(self._table.name, self.route.stream_arn))

    def _lose(self, records: int, reason: str) -> None:
        self.statistics.lost += records
        self._tell(KinesisLost(self._table.name, self.route.stream_arn, records, reason))

    def _tell(self, event: KinesisDelivering | KinesisFailing | KinesisLost | KinesisRefused) -> None:
        self._engine.events.emit(event)


def _report(task: asyncio.Task[None]) -> None:
    """Hand what a courier has not foreseen to whoever handles what nobody has."""
    if not task.cancelled() and (error := task.exception()) is not None:
        context = {"message": "Delivery to Kinesis has ended", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)
