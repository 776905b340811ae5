"""What one sink holds back of its source's tables: its own pauses, and those that the source has told of.

Invariant: from the moment on at which a source says that it passes a table over, until it is noted durably what it
owes, nothing that the source says afterwards counts as all that there is (:meth:`Holding.bound`).
"""

from __future__ import annotations

import asyncio

from replication.intake import Intake
from replication.link import Surroundings
from replication.message import Holds
from replication.pauses import INTO


class Holding:
    """The tables held back on one link, as its sink knows them."""

    def __init__(self, surroundings: Surroundings, intake: Intake) -> None:
        self._around = surroundings
        self._intake = intake
        self._there: frozenset[str] = frozenset()
        self._told: frozenset[str] = frozenset()
        """All that the source has named since it was last noted, also what it has let go again meanwhile."""
        self._watermark_max: int | None = None

    def begin(self) -> None:
        """A connection begins; its source says anew what it passes over."""
        self._there = self._told = frozenset()
        self._watermark_max = None

    def told(self, frame: Holds, watermark: int) -> None:
        """Take what the source says; ``watermark`` is that of the link now."""
        self._watermark_max = self.bound(watermark)
        self._there = frozenset(frame.uids)
        self._told |= self._there

    def bound(self, watermark: int) -> int:
        """Return a watermark as far as it may be believed."""
        return watermark if self._watermark_max is None else min(watermark, self._watermark_max)

    async def note(self) -> None:
        """Note what is owed from here on, and let what is held no more be fetched."""
        while True:
            there, told, self._told = self._there, self._told, frozenset()
            own = self._around.pauses.tables(INTO, self._intake.peer, asyncio.get_running_loop().time()).keys()
            if told - there:
                await self._intake.hold(self._intake.held | told | own)
            await self._intake.hold(there | own)
            if not self._told and there is self._there:
                self._watermark_max = None
                return
