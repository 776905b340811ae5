"""The simulated network does to connections what TCP's worst days do, and nothing that TCP does not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from chaos.faults import Bandwidth, Cut, Delay, Duplicate, Loss, Reorder
from chaos.simulation.loop import VirtualLoop
from chaos.simulation.network import Network
from region.errors import ReplicationError
from region.randomness import SeededRng
from replication.transport import Connection

DELAY_MS = 10


class Wire:
    """The link ``a->b``, with ``b`` connected: what each end gets, with the time in ms."""

    def __init__(self) -> None:
        self.network = Network(("a", "b"), SeededRng(1), delay_ms=DELAY_MS, jitter_ms=0)
        self.at_sink: list[tuple[str, int]] = []
        self.at_source: list[tuple[str, int]] = []
        self.ended: list[str] = []
        self.source: Connection | None = None
        self.sink: Connection | None = None

    @property
    def time_ms(self) -> int:
        return round(asyncio.get_running_loop().time() * 1000)

    async def _take(self, connection: Connection, into: list[tuple[str, int]], name: str) -> None:
        try:
            while True:
                frame = await connection.receive()
                into.append((frame.decode(), self.time_ms))
        except ReplicationError:
            self.ended.append(name)

    async def _accept(self, connection: Connection) -> None:
        self.source = connection
        await self._take(connection, self.at_source, "source")

    async def connect(self) -> None:
        await self.network.transport("a").serve("a", 1, self._accept)
        self.sink = await self.network.transport("b").connect("sim://a:1")
        self.reading = asyncio.ensure_future(self._take(self.sink, self.at_sink, "sink"))
        await asyncio.sleep(0)

    async def data(self, *frames: str) -> None:
        assert self.source is not None
        for frame in frames:
            await self.source.send(frame.encode())

    async def ack(self, frame: str) -> None:
        assert self.sink is not None
        await self.sink.send(frame.encode())


def play(scene: Callable[[Wire], Awaitable[None]]) -> Wire:
    loop = VirtualLoop()

    async def main() -> Wire:
        wire = Wire()
        await wire.connect()
        await scene(wire)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return wire

    try:
        return loop.run(main())
    finally:
        loop.close()


def test_frames_arrive_in_order_after_the_delay_and_connecting_takes_a_round_trip() -> None:
    async def scene(wire: Wire) -> None:
        assert wire.time_ms == 2 * DELAY_MS
        await wire.data("1", "2", "3")
        await asyncio.sleep(1)

    assert play(scene).at_sink == [("1", 30), ("2", 30), ("3", 30)]


def test_a_stalled_direction_delivers_afterwards_and_the_other_goes_on() -> None:
    async def scene(wire: Wire) -> None:
        cut = Cut(link="a->b", mode="data")
        wire.network.begin(cut)
        await wire.data("1", "2")
        await wire.ack("x")
        await asyncio.sleep(1)
        assert wire.at_sink == []
        assert wire.at_source == [("x", 30)]
        wire.network.end(cut)
        await wire.data("3")
        await asyncio.sleep(1)

    assert [frame for frame, _ in play(scene).at_sink] == ["1", "2", "3"]


def test_what_is_under_way_when_a_link_stalls_waits_too() -> None:
    async def scene(wire: Wire) -> None:
        await wire.data("1")
        cut = Cut(link="a->b", mode="blackhole")
        wire.network.begin(cut)
        await asyncio.sleep(1)
        assert wire.at_sink == []
        wire.network.end(cut)
        await asyncio.sleep(1)

    assert play(scene).at_sink == [("1", 1030)]


def test_nobody_connects_into_a_black_hole_and_nobody_is_told() -> None:
    async def scene(wire: Wire) -> None:
        wire.network.begin(Cut(link="a->b", mode="blackhole"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wire.network.transport("b").connect("sim://a:1"), 5)
        assert wire.ended == []

    play(scene)


def test_a_refusing_link_resets_what_there_is_and_refuses_what_comes() -> None:
    async def scene(wire: Wire) -> None:
        wire.network.begin(Cut(link="a->b", mode="refuse"))
        with pytest.raises(ReplicationError):
            await wire.network.transport("b").connect("sim://a:1")

    assert sorted(play(scene).ended) == ["sink", "source"]


def test_a_torn_connection_loses_an_end_of_what_was_under_way_and_never_the_middle() -> None:
    async def scene(wire: Wire) -> None:
        await wire.data(*"123456789")
        wire.network.tear([("a", "b")])
        await asyncio.sleep(1)

    wire = play(scene)
    got = [frame for frame, _ in wire.at_sink]
    assert got == list("123456789")[: len(got)]
    assert sorted(wire.ended) == ["sink", "source"]


def test_the_death_of_a_process_is_told_but_not_without_power() -> None:
    async def scene(wire: Wire) -> None:
        wire.network.down("a", dark=False)
        await asyncio.sleep(1)

    async def dark(wire: Wire) -> None:
        wire.network.down("a", dark=True)
        await wire.ack("x")
        await asyncio.sleep(1)
        assert wire.ended == []
        wire.network.up("a")
        await wire.ack("y")
        await asyncio.sleep(1)

    assert play(scene).ended[0] == "sink"
    assert play(dark).ended[0] == "sink"


def test_delay_and_bandwidth_add_up() -> None:
    async def scene(wire: Wire) -> None:
        wire.network.begin(Delay(link="a->b", ms=40))
        wire.network.begin(Bandwidth(link="a->b", kb_s=1))
        await wire.data("x" * 500, "y" * 500)
        await asyncio.sleep(5)

    assert [moment for _, moment in play(scene).at_sink] == [570, 1070]


def test_frames_are_repeated_and_overtaken_only_where_a_fault_says_so() -> None:
    async def scene(wire: Wire) -> None:
        wire.network.begin(Duplicate(link="a->b", share=0.5))
        wire.network.begin(Reorder(link="a->b", share=0.5, within_ms=500))
        for number in range(50):
            await wire.data(str(number))
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)

    got = [int(frame) for frame, _ in play(scene).at_sink]
    assert set(got) == set(range(50))
    assert len(got) > 50
    assert got != sorted(got)


def test_a_lossy_link_breaks_connections_and_refuses_some() -> None:
    async def scene(wire: Wire) -> None:
        wire.network.begin(Loss(link="a->b", share=1.0))
        wire.network.lose()
        with pytest.raises(ReplicationError):
            await wire.network.transport("b").connect("sim://a:1")

    assert sorted(play(scene).ended) == ["sink", "source"]
