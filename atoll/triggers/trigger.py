"""One trigger at work: it keeps a consumer on every shard that may be read, and remembers how far each has come.

What: :class:`Trigger` looks after its shards (:mod:`atoll.triggers.shards`), calls the function and the destination
for them, and saves the positions in the region's own file, through the engine's writer.

Invariants: positions live in the file that holds the log that they point into, so they can never be ahead of it, also
when an old copy of the file is restored. Where a trigger begins is durable before it reads. A consumer that fails is
told of, and begins again from what is saved; a defect stops the region, as everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import msgspec
import orjson

from atoll.triggers import event
from atoll.triggers.batch import GiveUp, HandOver, Policy, Record
from atoll.triggers.consumer import ShardConsumer
from atoll.triggers.destination import Destination
from atoll.triggers.events import TriggerFailed, TriggerGaveUp, TriggerHandedOver, TriggerStateChanged
from atoll.triggers.function import Call, Function, Invoked, function_arn, function_name
from atoll.triggers.keeping import keep, meta_name
from atoll.triggers.patterns import compile_filters
from atoll.triggers.report import TriggerRecord, TriggerReport
from atoll.triggers.settings import TriggerSettings
from atoll.triggers.shards import Place, Positions, Reading, first_position, line_of
from atoll.triggers.tally import Tally
from region.engine import Engine
from region.errors import DefectError
from region.events import Event
from region.model import cause
from region.model.change import LogRecord
from region.randomness import uuid

RESTART_S: Final = 1.0
ENABLED: Final = "Enabled"
DISABLED: Final = "Disabled"


def policy_of(settings: TriggerSettings) -> Policy:
    """Return how batches are made and given up."""
    return Policy(
        batch_size=settings.batch_size,
        window_ms=settings.batching_window_s * 1000,
        retries_max=settings.retry_attempts,
        age_max_ms=settings.record_age_s * 1000 if settings.record_age_s >= 0 else -1,
        bisect=settings.bisect_on_error,
        tumbling_ms=settings.tumbling_window_s * 1000,
        backoff_min_ms=settings.backoff_min_ms,
        backoff_max_ms=settings.backoff_max_ms,
    )


class Trigger:
    """A trigger of a region, running or not."""

    def __init__(
        self, engine: Engine, record: TriggerRecord, function: Function, destination: Destination | None
    ) -> None:
        self._engine = engine
        self.record = record
        self._function = function
        self._destination = destination
        self._filter = compile_filters(record.settings.filters)
        self._reading = Reading(engine, record.settings.table, record.settings.stream_label)
        text = engine.store.meta(meta_name(record.uuid))
        self._durable = bool(text)
        self._positions = msgspec.json.decode(text, type=Positions) if text else Positions(begin=self._beginning())
        self._consumers: dict[str, ShardConsumer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._supervisor: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._stopping = False
        self.state = DISABLED if record.paused or not record.settings.enabled else "Creating"
        self.tally = Tally(record.settings.name, function_name(record.settings), engine.settings.region)

    @property
    def name(self) -> str:
        """The trigger's name."""
        return self.record.settings.name

    @property
    def function_arn(self) -> str:
        """The function's ARN, as Lambda would have it."""
        return function_arn(self._engine.settings, function_name(self.record.settings))

    # Life.

    def start(self) -> None:
        """Begin to work, unless it is paused or disabled."""
        if self.record.paused or not self.record.settings.enabled or self._supervisor is not None:
            return
        self._stopping = False
        self._supervisor = asyncio.get_running_loop().create_task(self._supervise())
        self._supervisor.add_done_callback(_report_defect)
        self.change_state(ENABLED)

    def wake(self) -> None:
        """Look for records: something was committed."""
        for consumer in self._consumers.values():
            consumer.wake()

    def look(self) -> None:
        """Look for shards: a table was changed."""
        self._news.set()

    async def rest(self) -> None:
        """Finish the calls that are under way, and begin no others."""
        self._stopping = True
        for consumer in self._consumers.values():
            consumer.stopping = True
        self.look()
        self.wake()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._end()

    async def stop(self) -> None:
        """Stop at once; a batch whose call is under way will be handed over again."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._end()

    async def _end(self) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError, DefectError):
                await self._supervisor
            self._supervisor = None
        self._consumers.clear()
        await self._function.close()

    def change_state(self, state: str, reason: str = "") -> None:
        """Take up a state and tell of it."""
        if state != self.state:
            before, self.state = self.state, state
            self._engine.events.emit(TriggerStateChanged(self.name, before, state, reason))

    async def _supervise(self) -> None:
        await self._begin()
        while not self._stopping:
            self._news.clear()
            for place in self._reading.open_places(self._positions):
                if place.name not in self._consumers:
                    self._consume(place)
            await self._news.wait()

    def _beginning(self) -> int:
        return self._engine.store.log_head() if self.record.settings.starting_position == "LATEST" else 0

    async def _begin(self) -> None:
        """Make durable where the trigger begins, unless it is."""
        while not self._durable:
            try:
                await self.save()
            except DefectError:
                raise
            except Exception as error:
                self.emit(TriggerFailed(self.name, 0, called=False, reason=f"its beginning: {error}"))
                await asyncio.sleep(RESTART_S)

    def _consume(self, place: Place) -> None:
        settings = self.record.settings
        consumer = ShardConsumer(
            self,
            self._reading,
            place,
            self._positions,
            policy_of(settings),
            lines=settings.parallelization_factor,
            partial=settings.report_batch_item_failures,
            jitter=lambda: self._engine.rng.uniform(0, 1),
        )
        self._consumers[place.name] = consumer
        task = asyncio.get_running_loop().create_task(self._watch(place.name, consumer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_report_defect)

    async def _watch(self, name: str, consumer: ShardConsumer) -> None:
        """Run a consumer; where it fails, let it begin again after a while."""
        try:
            await consumer.run()
            self._reading.forget_gone(self._positions)
        except ExceptionGroup as errors:
            defects = [error for error in errors.exceptions if isinstance(error, DefectError)]
            if defects:
                raise defects[0] from None
            reason = "; ".join(f"{type(error).__name__}: {error}" for error in errors.exceptions)
            self.emit(TriggerFailed(self.name, 0, called=False, reason=reason))
            self._restore(name)
            await asyncio.sleep(RESTART_S)
        finally:
            self._consumers.pop(name, None)
            self._news.set()

    def _restore(self, name: str) -> None:
        """Go back to what is saved of a shard's positions."""
        text = self._engine.store.meta(meta_name(self.record.uuid))
        saved = msgspec.json.decode(text, type=Positions).shards if text else {}
        if name in saved:
            self._positions.shards[name] = saved[name]
        else:
            self._positions.shards.pop(name, None)

    # What consumers need.

    def now_ms(self) -> int:
        """Return the region's wall clock."""
        return self._engine.source.now_ms()

    def monotonic(self) -> float:
        """Return seconds of the region's stopwatch."""
        return self._engine.source.monotonic()

    def emit(self, happened: Event) -> None:
        """Count an event and tell of it."""
        self.tally.count(happened)
        self._engine.events.emit(happened)

    def dealt_with(self, place: Place, records: Sequence[Record], duration_ms: int) -> None:
        """Take in that the function has dealt with records; tell what effects of theirs happen twice."""
        age_ms = max(0, self.now_ms() - records[-1].seen_ms)
        self.emit(TriggerHandedOver(self.name, len(records), age_ms, duration_ms))
        table = self._engine.catalogue.by_uid.get(place.table.uid, place.table)
        for happened in self.tally.doubled(records, table.registers):
            self.emit(happened)

    def interesting(self, change: LogRecord, body: bytes) -> bool:
        """Whether the trigger wants a record."""
        if self.record.settings.origin == "local" and change.version.origin != self._engine.settings.region:
            return False
        return self._filter is None or self._filter(orjson.loads(body))

    async def invoke(self, place: Place, handed: HandOver) -> Invoked:
        """Call the function with records, and with the state of their tumbling window where there is one."""
        rng, function = self._engine.rng, function_name(self.record.settings)
        longest = max((cause.chain_of(record.request_id) for record in handed.records), key=len, default=())
        chain = (*longest, cause.hop(function, self._engine.settings.region))
        return await self._function.invoke(
            Call(
                function=function,
                arn=self.function_arn,
                event=self._event(place, handed),
                request_id=uuid(rng),
                timeout_s=self.record.settings.timeout_s,
                trace=cause.trace(chain, rng.token(16)),
            )
        )

    def _event(self, place: Place, handed: HandOver) -> bytes:
        if handed.window is None:
            return event.event(handed.records)
        return event.window_event(
            handed,
            length_ms=self.record.settings.tumbling_window_s * 1000,
            shard_id=place.shard.id,
            arn=self._reading.stream_arn(place),
        )

    async def discard(self, place: Place, given_up: GiveUp) -> bool:
        """Hand records to the destination; return whether it has them. Without one they are only told of."""
        kept = False
        if self._destination is not None and given_up.records:
            now_ms = self.now_ms()
            told = event.invocation_record(
                given_up,
                request_id=uuid(self._engine.rng),
                function_arn=self.function_arn,
                stream_arn=self._reading.stream_arn(place),
                shard_id=place.shard.id,
                now_ms=now_ms,
            )
            key = event.object_key(self.record.uuid, place.shard.id, now_ms, self._engine.rng.token(8))
            kept = await self._destination.put(key, told, event.event(given_up.records))
            if not kept:
                self.emit(
                    TriggerFailed(self.name, 0, called=False, reason="its on-failure destination does not answer")
                )
                return False
        self.emit(TriggerGaveUp(self.name, len(given_up.records), given_up.condition, kept))
        return True

    async def save(self) -> None:
        """Make the positions durable."""
        await keep(self._engine, {meta_name(self.record.uuid): self.positions_text()})
        self._durable = True

    def positions_text(self) -> str:
        """Return the positions as they are kept."""
        return msgspec.json.encode(self._positions).decode()

    # What others ask.

    def report(self) -> TriggerReport:
        """Return how the trigger does."""
        age_ms, behind = self._lag()
        return TriggerReport(
            region=self._engine.settings.region,
            uuid=self.record.uuid,
            settings=self.record.settings,
            configured=self.record.configured,
            state=self.state,
            last_result=self._missing() or self.tally.last_result,
            last_error=self.tally.last_error,
            modified_ms=self.record.modified_ms,
            iterator_age_ms=age_ms,
            behind=behind,
            batches=self.tally.batches,
            records=self.tally.records,
            failures=self.tally.failures,
            given_up=self.tally.given_up,
            duplicates=self.tally.duplicates,
            echoes=self.tally.echoes,
        )

    def has_had(self, change: LogRecord) -> bool:
        """Whether a change was handed over or given up, as far as the positions prove it."""
        place = self._reading.place_of(change)
        if place is None or change.sequence <= self._positions.begin:
            return False
        lines = self._positions.shards.get(place.name)
        if lines is None or change.sequence > lines[line_of(change.key, len(lines))]:
            return False
        tape = self._reading.tape(place)
        return self.interesting(change, event.encode_record(tape.show(change), self._reading.stream_arn(place)))

    def _missing(self) -> str:
        """Say what the trigger has nothing to read of, empty where it has."""
        table = self.record.settings.table
        if table not in self._engine.catalogue.by_name:
            return f"PROBLEM: There is no table {table}"
        return "" if self._reading.streams() else f"PROBLEM: The table {table} has no stream"

    def _lag(self) -> tuple[int, int]:
        """Return the age of the oldest record that is not dealt with, and how far the position is behind the log."""
        oldest: list[int] = []
        behind = 0
        for place in self._reading.open_places(self._positions):
            consumer = self._consumers.get(place.name)
            done_to = min(self._positions.shards.get(place.name) or [first_position(place, self._positions)])
            if consumer is not None and consumer.oldest_ms is not None:
                oldest.append(consumer.oldest_ms)
            elif consumer is None:
                page = self._reading.read(place, done_to, 1, fresh=True)
                oldest += [change.seen_ms for change in page.changes]
            end = self._reading.head() if place.shard.upto is None else place.shard.upto
            behind = max(behind, end - done_to)
        return (max(0, self.now_ms() - min(oldest)) if oldest else 0), behind


def _report_defect(task: asyncio.Task[None]) -> None:
    """Hand a defect to whoever stops the region."""
    if not task.cancelled() and (error := task.exception()) is not None:
        asyncio.get_running_loop().call_exception_handler({"message": "A trigger has failed", "exception": error})
