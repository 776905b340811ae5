"""Virtual time: it jumps, it never waits, and whoever stands still or runs in circles is told."""

from __future__ import annotations

import asyncio
import time

import pytest

from chaos.simulation import loop as virtual
from chaos.simulation.loop import DeadlockError, LivelockError, VirtualLoop
from chaos.simulation.process import OWNER, Process


def run(coroutine: object) -> object:
    loop = VirtualLoop()
    try:
        return loop.run(coroutine)  # type: ignore[arg-type]  # Whatever a test gives it.
    finally:
        loop.close()


def test_a_year_passes_in_no_time() -> None:
    async def sleep() -> float:
        await asyncio.sleep(365 * 86400)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert run(sleep()) == 365 * 86400
    assert time.monotonic() - began < 60


def test_timers_fire_in_the_order_of_their_times() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        fired: list[str] = []
        for name, at in (("late", 2.0), ("early", 1.0), ("later", 2.5)):
            loop.call_at(at, fired.append, name)
        await asyncio.sleep(3)
        return fired

    assert run(main()) == ["early", "late", "later"]


def test_a_deadlock_is_an_error() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError):
        run(main())


def test_running_in_circles_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "STANDSTILL_TURNS", 1000)

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def again() -> None:
            loop.call_soon(again)

        again()
        await asyncio.Event().wait()

    with pytest.raises(LivelockError):
        run(main())


def test_threads_are_refused() -> None:
    with pytest.raises(NotImplementedError, match="no threads"):
        run(asyncio.to_thread(print))


def test_what_a_process_starts_is_its_own_to_the_last_callback() -> None:
    async def inner() -> str:
        await asyncio.sleep(1)
        owner = OWNER.get()
        return owner.name if owner else ""

    async def main() -> tuple[str, Process | None]:
        process = Process("a")

        async def outer() -> str:
            return await asyncio.ensure_future(inner())

        return await process.spawn(outer()), OWNER.get()

    assert run(main()) == ("a", None)


def test_a_killed_process_runs_not_a_line_more() -> None:
    async def main() -> list[str]:
        ran: list[str] = []

        async def work() -> None:
            try:
                ran.append("begun")
                await asyncio.sleep(1)
                ran.append("went on")
            finally:
                ran.append("cleaned up")

        process = Process("a")
        process.spawn(work())
        await asyncio.sleep(0.5)
        process.kill()
        await asyncio.sleep(5)
        alive = list(ran)
        process.bury()
        return alive

    assert run(main()) == ["begun"]


def test_a_suspended_process_goes_on_where_it_was() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        ticks: list[float] = []

        async def tick() -> None:
            while True:
                ticks.append(loop.time())
                await asyncio.sleep(1)

        process = Process("a")
        process.spawn(tick())
        await asyncio.sleep(1.5)
        process.suspend()
        await asyncio.sleep(10)
        process.resume()
        await asyncio.sleep(1.2)
        process.kill()
        process.bury()
        return ticks

    assert run(main()) == [0.0, 1.0, 11.5, 12.5]


def test_a_dead_coroutine_that_waits_in_its_last_words_is_put_away_all_the_same() -> None:
    async def main() -> int:
        async def stubborn() -> None:
            try:
                await asyncio.sleep(100)
            finally:
                await asyncio.sleep(100)

        process = Process("a")
        process.spawn(stubborn())
        await asyncio.sleep(1)
        process.kill()
        process.bury()
        return process.tasks

    assert run(main()) == 0
