"""The simulated network: the Transport port in virtual time, with everything that can happen to a TCP connection.

What: each directed link ``source -> sink`` has :class:`~chaos.simulation.conditions.Conditions`. A frame travels for
the link's delay, in order, and not faster than the link carries; where the link is stalled it waits and is delivered
afterwards, as TCP delivers what it has to send again. A connection that breaks tells both ends, if it can: a packet
that cannot get through tells nobody, and a machine without power does not answer.

Invariants: within a connection what arrives, arrives whole, in order and once, but for the two faults that say
otherwise; a frame that was on its way when the connection broke is lost, and all after it; the sender of more than
:data:`BUFFER_BYTES` waits. Every random decision is the network's own generator's, in the order of events.

Hazard: what arrives is delivered in the name of the world, not of the sender, so that the death of a sender does not
recall what it has sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from chaos.faults import LinkFault, links
from chaos.simulation.conditions import Conditions
from chaos.simulation.process import OWNER, WORLD, Process
from region.errors import ReplicationError
from region.randomness import Rng, chance
from replication.transport import Accept, Connection

BUFFER_BYTES: Final = 1 << 20
"""How much one direction of a connection holds before its sender waits."""
LOSS_S: Final = 1.0
"""How often the loss of a connection is drawn for."""
_END: Final = b""
"""Travels as the last frame of a connection that was closed."""

Watch = Callable[[str, str, str, bytes], None]
"""Told of each frame that is sent: sender, receiver, link and frame."""


class End:
    """One end of a simulated connection."""

    def __init__(self, network: Network, local: str, remote: str, link: tuple[str, str]) -> None:
        self.other: End = self
        self.local = local
        self.remote = remote
        self.link = link
        self.closed = False
        """This end will neither send nor take anything any more."""
        self._network = network
        self._conditions = network.conditions[link]
        self._sends_data = local == link[0]
        self._inbox: deque[bytes] = deque()
        self._under_way: deque[bytes] = deque()
        self._stalled: deque[bytes] = deque()
        self._under_way_bytes = 0
        self._due = 0.0
        self._ended = False
        self._moved = asyncio.Event()

    @property
    def peer(self) -> str:
        """The name of the region at the other end."""
        return self.remote

    @property
    def region(self) -> str | None:
        """Nothing is proved: there are no impostors in a simulation."""
        return None

    # What the owner of this end does.

    async def send(self, frame: bytes) -> None:
        """Put a frame on its way; wait while too much is."""
        self._check()
        self._network.sent(self, frame)
        self._put(frame)
        while self._under_way_bytes > BUFFER_BYTES:
            self._moved.clear()
            await self._moved.wait()
            self._check()

    async def receive(self) -> bytes:
        """Return the next frame."""
        while not self._inbox:
            self._check()
            self._moved.clear()
            await self._moved.wait()
        return self._inbox.popleft()

    async def close(self) -> None:
        """End the connection: what was sent before still arrives."""
        if not self.closed and not self._ended:
            self._put(_END)
        self._finish()

    def _check(self) -> None:
        if self._ended or self.closed:
            raise ReplicationError(f"the connection to {self.remote} ended")

    # What the network does with it.

    @property
    def _is_stalled(self) -> bool:
        conditions = self._conditions
        return conditions.data_stalled if self._sends_data else conditions.acks_stalled

    def _put(self, frame: bytes) -> None:
        conditions, rng = self._conditions, self._network.rng
        loop = self._network.loop
        now = loop.time()
        self._under_way_bytes += len(frame)
        if self._is_stalled or self._stalled:
            self._stalled.append(frame)
            return
        due = now + conditions.delay_s
        if conditions.jitter_s:
            due += rng.uniform(0, conditions.jitter_s)
        if conditions.bytes_s:
            due = max(due, self._due) + len(frame) / conditions.bytes_s
        if conditions.reordered and frame and chance(rng, conditions.reordered):
            late = due + rng.uniform(0, conditions.reordered_s)
            loop.call_at(late, self._deliver, frame, context=WORLD.copy())
            return
        self._due = due = max(due, self._due)
        self._under_way.append(frame)
        loop.call_at(due, self._arrive, context=WORLD.copy())
        if conditions.duplicated and frame and chance(rng, conditions.duplicated):
            loop.call_at(due, self._deliver, frame, context=WORLD.copy())

    def _arrive(self) -> None:
        """The oldest frame under way arrives, unless the link has stalled meanwhile."""
        if not self._under_way:
            return
        frame = self._under_way.popleft()
        if self._is_stalled or self._stalled:
            self._stalled.append(frame)
            return
        self._under_way_bytes -= len(frame)
        if self._under_way_bytes <= BUFFER_BYTES:
            self._moved.set()
        self._deliver(frame)

    def _deliver(self, frame: bytes) -> None:
        """Hand a frame to the other end, or answer that there is nobody."""
        other = self.other
        if other._ended or other.closed:
            if frame != _END and not self._network.dark(other.local):
                other._put_reset()
        elif frame == _END:
            other._finish()
        else:
            other._inbox.append(frame)
            other._moved.set()

    def _put_reset(self) -> None:
        """Tell the other end that this one is gone, unless that cannot get through."""
        if not self._is_stalled:
            self._network.loop.call_later(self._conditions.delay_s, self.other._finish, context=WORLD.copy())

    def release(self) -> None:
        """The link is not stalled any more: what waited sets out."""
        if self._is_stalled:
            return
        stalled, self._stalled = self._stalled, deque()
        for frame in stalled:
            self._under_way_bytes -= len(frame)
            self._put(frame)

    def _finish(self) -> None:
        self._ended = True
        self.closed = True
        self._moved.set()

    def vanish(self, *, silently: bool) -> None:
        """The process of this end is gone; its system resets the connection, or, without power, does not."""
        if self.closed:
            return
        self.closed = True
        if not silently:
            self._put_reset()

    def tear(self) -> None:
        """Break the connection in the midst of a frame: some of what is under way arrives, the rest is lost."""
        arriving = self._network.rng.uniform(0, len(self._under_way))
        while len(self._under_way) > arriving:
            self._under_way_bytes -= len(self._under_way.pop())
        self._stalled.clear()
        self.closed = True
        self._finish()


class _Listener:
    """The listening socket of one region."""

    def __init__(self, network: Network, region: str, port: int, accept: Accept) -> None:
        self.port = port
        self._network = network
        self._region = region
        self._accept = accept
        self._process: Process | None = OWNER.get()
        self._tasks: dict[asyncio.Task[None], None] = {}

    def take(self, end: End) -> None:
        """Serve one connection, as the process that listens."""
        process = self._process
        serving = self._serve(end)
        task = asyncio.ensure_future(serving) if process is None else process.spawn(serving)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def _serve(self, end: End) -> None:
        try:
            await self._accept(end)
        finally:
            await end.close()

    async def close(self) -> None:
        """Release the port and end what was accepted."""
        self._network.forget(self._region, self)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class SimulatedTransport:
    """One region's access to the simulated network."""

    def __init__(self, network: Network, region: str) -> None:
        self._network = network
        self._region = region

    async def connect(self, url: str) -> Connection:
        """Connect to ``sim://region:port``."""
        return await self._network.connect(self._region, url)

    async def serve(self, host: str, port: int, accept: Accept) -> _Listener:
        """Listen; the address is the region's own, whatever ``host`` says."""
        return self._network.listen(self._region, port, accept)

    async def close(self) -> None:
        """Nothing is held."""


class Network:
    """All links between the regions of one simulation."""

    def __init__(self, regions: Sequence[str], rng: Rng, *, delay_ms: float = 20.0, jitter_ms: float = 2.0) -> None:
        self.loop = asyncio.get_running_loop()
        self.regions = tuple(regions)
        self.rng = rng
        self.conditions = {
            (source, sink): Conditions(delay_ms / 1000, jitter_ms / 1000)
            for source in regions
            for sink in regions
            if source != sink
        }
        self.connections = 0
        self.watch: Watch | None = None
        self._dark: set[str] = set()
        self._listeners: dict[str, _Listener] = {}
        self._ends: list[End] = []

    def transport(self, region: str) -> SimulatedTransport:
        """Return the transport of a region."""
        return SimulatedTransport(self, region)

    # What transports ask.

    def listen(self, region: str, port: int, accept: Accept) -> _Listener:
        """Bind a region's address."""
        if region in self._listeners:
            raise ReplicationError(f"replication cannot listen at {region}: the address is in use")
        listener = self._listeners[region] = _Listener(self, region, port or 1, accept)
        return listener

    def forget(self, region: str, listener: _Listener | None = None) -> None:
        """Release a region's address."""
        if listener is None or self._listeners.get(region) is listener:
            self._listeners.pop(region, None)

    async def connect(self, sink: str, url: str) -> End:
        """Make the connection of the link ``source -> sink``, which the sink dials."""
        source = url.partition("://")[2].partition(":")[0]
        conditions = self.conditions[source, sink]
        never = asyncio.Event()
        for _ in range(2):
            if conditions.swallows_connects or self.dark(source):
                await never.wait()
            try:
                async with asyncio.timeout(conditions.delay_s):
                    await never.wait()
            except TimeoutError:
                pass
        listener = self._listeners.get(source)
        lost = conditions.lost and chance(self.rng, conditions.lost)
        if listener is None or conditions.refused or lost:
            raise ReplicationError(f"no connection to {url}")
        near, far = End(self, sink, source, (source, sink)), End(self, source, sink, (source, sink))
        near.other, far.other = far, near
        self._ends = [end for end in self._ends if not end.closed]
        self._ends += [near, far]
        self.connections += 1
        listener.take(far)
        return near

    def sent(self, end: End, frame: bytes) -> None:
        """Note a frame."""
        if self.watch is not None:
            self.watch(end.local, end.remote, "->".join(end.link), frame)

    # What happens to it.

    def begin(self, fault: LinkFault) -> None:
        """A fault strikes its links."""
        for link in links(fault, self.regions):
            self.conditions[link].begin(fault)
            if self.conditions[link].refused:
                self.tear([link])

    def end(self, fault: LinkFault) -> None:
        """A fault is over; what it held back sets out."""
        for link in links(fault, self.regions):
            self.conditions[link].end(fault)
        self._release()

    def clear(self) -> None:
        """All faults are over."""
        for conditions in self.conditions.values():
            conditions.clear()
        self._release()

    def _release(self) -> None:
        for end in self._ends:
            end.release()

    def tear(self, struck: Sequence[tuple[str, str]]) -> None:
        """Break the connections of some links."""
        for end in self._ends:
            if end.link in struck and not end.closed:
                end.tear()

    def lose(self) -> None:
        """Draw, for each connection of a lossy link, whether it breaks now; called every :data:`LOSS_S`."""
        for end in self._ends:
            lost = self.conditions[end.link].lost
            if lost and not end.closed and end.local == end.link[0] and chance(self.rng, lost):
                end.tear()
                end.other.tear()

    def dark(self, region: str) -> bool:
        """Whether a region's machine is without power."""
        return region in self._dark

    def down(self, region: str, *, dark: bool) -> None:
        """A region's process is gone; ``dark``: its machine too, which then tells nobody."""
        self.forget(region)
        if dark:
            self._dark.add(region)
        for end in self._ends:
            if end.local == region:
                end.vanish(silently=dark)

    def up(self, region: str) -> None:
        """A region's machine has power."""
        self._dark.discard(region)

    def open_connections(self, region: str) -> int:
        """Return how many connections of a region stand."""
        return sum(1 for end in self._ends if end.local == region and not end.closed)
