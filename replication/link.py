"""What both ends of a link share: the region around them, waiting, and tasks that end together.

What: a link is one directed connection ``source -> sink``. Its two drivers, ``replication.inlet`` at the sink and
``replication.outlet`` at the source, are built from the pieces here. All I/O and all time of a link passes through
them.

Invariants: no task outlives its session; a session that ends leaves nothing half applied, because an apply is never
cancelled, only awaited.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec

from region.engine import Engine
from region.errors import AtollError, DamagedLogError, ReplicationError
from region.events import Event
from region.job import Work
from region.model.change import LogRecord
from region.randomness import Rng
from replication.credentials import require_region
from replication.events import LinkFailed, LinkStateChanged, LogDamaged
from replication.fencing import Fence
from replication.lag import LinkState
from replication.membership import Membership
from replication.message import Refuse, encode
from replication.pacing import Pace
from replication.pauses import Pauses
from replication.resynchronisation import Plans
from replication.source import Read, SourceLimits
from replication.tears import Tears
from replication.transport import Connection, Transport

T = TypeVar("T")

READS_KEPT: Final = 4
"""How many reads of the log are kept for other links that ask for the same: links that are live ask alike."""


PATIENCE_TIMES_MAX: Final = 32
"""How many times the silence of the settings a sink bears at most, on a link that is slow."""


class ReplicationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a region replicates. ``peers`` are the replication URLs of the other regions; port 0 takes any free one."""

    region: str
    peers: Mapping[str, str] = {}
    host: str = "127.0.0.1"
    port: int = 0
    heartbeat_ms: int = 250
    """Both ends of an idle link say something this often."""
    silence_ms: int = 1500
    """A peer that says nothing for this long is given up and connected to again."""
    window_bytes: int = 8 << 20
    """How much a source sends ahead of acknowledgements."""
    batch_records: int = 256
    batch_bytes: int = 1 << 20
    backoff_min_ms: int = 50
    backoff_max_ms: int = 1000
    """The wait before connecting again doubles from one to the other, shortened at random by up to a half."""
    fence: Fence = "warn"
    """What follows when this region's own clock is off from most peers': nothing, an event, or no writes as well."""
    fence_ms: int = 1000
    """From how far off."""
    position_ms: int = 1000
    """How often, at most, a cursor that moved without changes is saved."""
    disassociation_wait_ms: int = 60 * 60 * 1000
    """How long a replica that leaves its global table waits for the other members; 0: for ever."""
    detach_after_ms: int = 0
    """For how long a region must be away to be detached from its global tables; 0: never. AWS's is 20 hours."""
    compare_ms: int = 60_000
    """How often replicas are compared in the background; 0: never."""
    recount_at_start: bool = False
    """Whether digests are made anew from the rows at every start."""
    transactions: Literal["group", "item"] = "group"
    """How this region applies what a peer wrote in one transaction: all at once, or, as AWS does, item by item."""

    @property
    def limits(self) -> SourceLimits:
        """The limits of a source."""
        return SourceLimits(
            batch_records=self.batch_records, batch_bytes=self.batch_bytes, window_bytes=self.window_bytes
        )


async def connect(transport: Transport, url: str, peer: str, within_s: float) -> Connection:
    """Connect to a peer's URL.

    Raises:
        ReplicationError: nobody answers there in time, or somebody who proves to be another region.
    """
    try:
        async with asyncio.timeout(within_s):
            connection = await transport.connect(url)
    except TimeoutError:
        raise ReplicationError(f"no connection to {url} within {within_s:g} s") from None
    try:
        require_region(connection.region, peer, url)
    except ReplicationError:
        await connection.close()
        raise
    return connection


class Surroundings:
    """What every link of one region works with."""

    def __init__(
        self, engine: Engine, settings: ReplicationSettings, transport: Transport, rng: Rng, membership: Membership
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.transport = transport
        self.rng = rng
        self.membership = membership
        self.pauses = Pauses()
        self.pace = Pace(engine)
        self.tears = Tears(engine, lambda: asyncio.get_running_loop().time())
        self.plans = Plans(engine, membership.regions)
        self.region = settings.region
        self.silent: tuple[str, ...] = ()
        """The peers that have not been heard of for so long that they are to be detached."""
        self.advanced: Callable[[], None] = _nothing
        """Called when something of a peer was applied here, or is owed no more."""
        self.safe_time: Callable[[], int] = _never
        self.damaged = 0
        """The last sequence of the log that was found to be damaged; who needs it compares tables instead."""
        self._reads: OrderedDict[tuple[int, int, int, int], list[LogRecord]] = OrderedDict()

    def now_ms(self) -> int:
        """Return this region's wall clock."""
        return self.engine.source.now_ms()

    def table_name(self, uid: str) -> str:
        """Return the name of a table, its uid where it is not known here."""
        table = self.engine.catalogue.by_uid.get(uid)
        return table.name if table is not None else uid

    def emit(self, event: Event) -> None:
        """Tell whoever listens to the region."""
        self.engine.events.emit(event)

    async def durably(self, work: Work, then: Callable[[Any], None] | None = None) -> Any:
        """Run work in a transaction of its own and return its result once it is durable.

        Whatever the work raises rolls all of it back. A cancelled caller does not stop it: it is waited for first.
        ``then`` is called with the result all the same, for what memory has to know of what the file says.
        """

        def atomic(context: Any) -> Any:
            try:
                return work(context)
            except Exception:
                context.written += 1
                raise

        async def lasting() -> Any:
            result = await self.engine.transact(atomic)
            if then is not None:
                then(result)
            return result

        running = asyncio.ensure_future(lasting())
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait({running})
            raise

    def read_log(self, read: Read, head: int) -> list[LogRecord]:
        """Return this region's own records after a position; those of one transaction of the API stay together.

        ``head`` is the log's: what was read at the same head is the same, and is not read again.
        """
        key = (read.after, read.limit, read.bytes_max, head)
        records = self._reads.get(key)
        if records is None:
            try:
                records = self._reads[key] = self._read_whole(read)
            except DamagedLogError as error:
                if error.sequence > self.damaged:
                    self.damaged = error.sequence
                    self.emit(LogDamaged(error.sequence, str(error)))
                raise
            if len(self._reads) > READS_KEPT:
                self._reads.popitem(last=False)
        return records

    def _read_whole(self, read: Read) -> list[LogRecord]:
        store = self.engine.store
        records = store.read_log(read.after, limit=read.limit, bytes_max=read.bytes_max, origin=self.region)
        while records and records[-1].group is not None:
            group = records[-1].group
            more = store.read_log(records[-1].sequence, limit=read.limit, bytes_max=read.bytes_max, origin=self.region)
            same = [record for record in more if record.group == group]
            records = records + same
            if len(same) < len(more) or not more:
                break
        return records


def _nothing() -> None:
    """What is called as long as nobody waits."""


def _never() -> int:
    """Return the safe time of a region whose links are not put together yet."""
    return 0


class Bootstrapping(Protocol):
    """What an inlet tells the bootstrapper, and asks it."""

    def link_changed(self) -> None:
        """A link came, went, or became usable."""

    def planned(self) -> None:
        """Table records were merged: there may be something to fetch."""

    def fetching_from(self, peer: str) -> bool:
        """Whether pieces of a table are on their way from a peer."""

    def owed_by(self, peer: str) -> dict[str, int]:
        """Return the sequences after which a peer's changes of tables, by uid, are still to be fetched."""


class StateTold:
    """The state of one end of a link, announced whenever it changes."""

    def __init__(self, surroundings: Surroundings, source: str, sink: str) -> None:
        self.state = LinkState.UNREACHABLE
        self.detail = "not connected yet"
        self.errors = 0
        self._surroundings = surroundings
        self._source = source
        self._sink = sink

    def become(self, state: LinkState, detail: str = "") -> None:
        """Change to a state, if it is another one."""
        before, self.state, self.detail = self.state, state, detail
        if before is not state:
            self._surroundings.emit(LinkStateChanged(self._source, self._sink, before, state, detail))

    def failed(self, reason: str, state: LinkState = LinkState.UNREACHABLE) -> None:
        """Count the end of a connection."""
        self.errors += 1
        self._surroundings.emit(LinkFailed(self._source, self._sink, reason))
        self.become(state, reason)


class Backoff:
    """How long to wait before connecting again: doubling, with jitter, up to a bound."""

    def __init__(self, settings: ReplicationSettings, rng: Rng) -> None:
        self._settings = settings
        self._rng = rng
        self._next_ms = settings.backoff_min_ms

    def lasted(self, seconds: float) -> None:
        """Begin again if a connection that has ended was of use for longer than any wait.

        One that ends as soon as it is made, because what it brings cannot be applied, would otherwise be made again,
        with all that it brings, as often as the shortest wait allows.
        """
        if seconds * 1000 >= self._settings.backoff_max_ms:
            self._next_ms = self._settings.backoff_min_ms

    def next_s(self) -> float:
        """Return the next wait in seconds."""
        wait_ms = self._next_ms
        self._next_ms = min(2 * wait_ms, self._settings.backoff_max_ms)
        return wait_ms * self._rng.uniform(0.5, 1.0) / 1000


class Patience:
    """How long a sink bears silence: longer, up to a bound, where a frame is larger than the link carries in that time.

    A batch that takes longer to arrive than the silence that a link is given up for would otherwise never arrive.
    """

    def __init__(self, settings: ReplicationSettings) -> None:
        self._least_ms = self.ms = settings.silence_ms

    def ended(self, *, moved: bool, behind: bool, quiet_s: float) -> None:
        """Learn from a session: whether its position moved, whether there was more, how quiet it was at the end."""
        if moved:
            self.ms = max(self._least_ms, self.ms // 2)
        elif behind and quiet_s * 1000 >= self.ms:
            self.ms = min(2 * self.ms, PATIENCE_TIMES_MAX * self._least_ms)


async def wait(event: asyncio.Event, seconds: float | None = None) -> bool:
    """Wait until an event is set, and clear it; return whether it was, or the time was over first."""
    if seconds is None or event.is_set():
        await event.wait()
    else:
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return False
    event.clear()
    return True


async def silence(peer: str, heard_at: Callable[[], float], silence_ms: int) -> None:
    """Watch a peer; raise :class:`ReplicationError` once it has said nothing for too long.

    A task of its own: the others may be waiting for a peer that does not read.
    """
    loop = asyncio.get_running_loop()
    never = asyncio.Event()
    while (left_s := heard_at() + silence_ms / 1000 - loop.time()) > 0:
        await wait(never, left_s)
    raise ReplicationError(f"{peer} has been silent for {silence_ms} ms")


async def refuse(connection: Connection, frame: Refuse, silence_ms: int) -> None:
    """Send a refusal, and let the other end close, so that it has read it before the connection is gone."""
    await connection.send(encode(frame))
    with suppress(TimeoutError, ReplicationError):
        async with asyncio.timeout(silence_ms / 1000):
            await connection.receive()


def reason(error: BaseException) -> str:
    """Return an error in words: ours speak for themselves, others need their type."""
    return str(error) if isinstance(error, AtollError) else f"{type(error).__name__}: {error}"


async def together(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all until the first ends; then end the others, and raise what the first raised."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await ended(tasks)
    for task in tasks:
        if task in done:
            task.result()


async def ended(tasks: list[asyncio.Task[T]]) -> None:
    """Cancel tasks and wait until they have ended; what they raise now is nobody's concern."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()
