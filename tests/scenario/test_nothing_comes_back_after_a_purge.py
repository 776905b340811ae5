"""Random lives of three regions: whatever is cut, restored, purged and trimmed, they end equal; nothing comes back."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from fleet import Fleet
from hypothesis import HealthCheck, given, settings
from script_commands import Stage, sweep

NAMES = ("a", "b", "c")
KEYS = ("k1", "k2", "k3")
DAY_MS = 100_000_000

names, keys = st.sampled_from(NAMES), st.sampled_from(KEYS)
steps = st.one_of(
    st.tuples(st.just("put"), names, keys),
    st.tuples(st.just("delete"), names, keys),
    st.tuples(st.just("cut"), names),
    st.tuples(st.just("heal")),
    st.tuples(st.just("converge")),
    st.tuples(st.just("copy"), names),
    st.tuples(st.just("restore"), names),
    st.tuples(st.just("restart"), names),
    st.tuples(st.just("trim"), names),
    st.tuples(st.just("age")),
)


class Life:
    """A fleet, and what it must hold in the end at least: what was written or deleted when all had agreed."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder)
        self.fleet: Fleet = self.stage.fleet
        self.agreed: dict[str, str | None] = {}
        self.since: set[str] = set()
        self.values = 0

    async def begin(self) -> None:
        await self.stage.run(["region", *NAMES])
        await self.stage.run(["table", "on", *NAMES])

    async def step(self, kind: str, *arguments: str) -> None:
        self.stage.clock.advance(1000)
        if kind == "put":
            self.values += 1
            self.since.add(arguments[1])
            await self.stage.run(["put", *arguments, f"v{self.values}"])
        elif kind == "delete":
            self.since.add(arguments[1])
            await self.stage.run(["delete", *arguments])
        elif kind == "converge":
            await self.converge()
        elif kind == "restore":
            if arguments[0] in self.stage.copies:
                await self.stage.run(["restore", *arguments])
        elif kind == "age":
            await self.converge()
            self.stage.clock.advance(DAY_MS)
            for name in NAMES:
                await sweep(self.fleet, name, wait=True)
        else:
            await self.stage.run([kind, *arguments])

    async def converge(self) -> None:
        """Heal everything, let all agree, and hold them to what they had agreed on before."""
        await self.stage.run(["heal"])
        await self.fleet.connected()
        for name in NAMES:
            await self.fleet.regions[name].put(f"sentinel of {name}", v=str(self.values))
        await self.fleet.converged(*NAMES, tombstones=False)
        for key in KEYS:
            item = await self.fleet.regions["a"].get(key)
            value = item["v"]["S"] if item else None
            if key not in self.since:
                assert value == self.agreed.get(key), f"{key} was {self.agreed.get(key)} and is {value}"
            self.agreed[key] = value
        self.since.clear()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(history=st.lists(steps, max_size=14))
def test_regions_end_equal_and_nothing_comes_back(history: list[tuple[str, ...]]) -> None:
    async def live(folder: Path) -> None:
        life = Life(folder)
        try:
            await life.begin()
            for kind, *arguments in history:
                await life.step(kind, *arguments)
            await life.converge()
            await life.converge()
        finally:
            await life.fleet.stop()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(Path(folder)))
