"""What a sink has asked its source beside the stream: pieces of tables, and who waits for which answer.

Invariants: no more than :data:`ASKED_MAX` questions are out at a time, far fewer than a source is ready to remember, so
that hundreds of tables can be fetched over one link; whoever waits is told when the connection ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from region.errors import ReplicationError
from replication.donor import Answer
from replication.inquiry import Findings, Inquiry
from replication.message import Fetch, FetchRefused, Records, Snapshot, encode
from replication.transport import Connection

ASKED_MAX: Final = 64


class Questions:
    """The questions of one link; ``connection()`` is the link's present one."""

    def __init__(self, peer: str, connection: Callable[[], Connection | None]) -> None:
        self.answered = False
        """Whether the present connection has brought an answer."""
        self._peer = peer
        self._connection = connection
        self._waiting: dict[int, asyncio.Future[Answer | Findings]] = {}
        self._places = asyncio.Semaphore(ASKED_MAX)
        self._numbers = 0

    @property
    def open(self) -> bool:
        """Whether anything asked for has not come."""
        return bool(self._waiting)

    async def fetch(self, frame: Fetch) -> Answer:
        """Ask for a piece of a table."""
        piece = await self.ask(frame)
        if not isinstance(piece, Snapshot | Records | FetchRefused):
            raise ReplicationError(f"{self._peer} answered a fetch with a {type(piece).__name__}")
        return piece

    async def inquire(self, frame: Inquiry) -> Findings | FetchRefused:
        """Ask about the peer's replica of a table."""
        found = await self.ask(frame)
        if isinstance(found, Snapshot | Records):
            raise ReplicationError(f"{self._peer} answered a comparison with a piece of a table")
        return found

    async def ask(self, frame: Fetch | Inquiry) -> Answer | Findings:
        """Ask for a piece of a table, or compare one; ``frame.number`` is filled in here.

        Raises:
            ReplicationError: there is no connection, or it ended before the answer came.
        """
        async with self._places:
            connection = self._connection()
            if connection is None:
                raise ReplicationError(f"{self._peer} is not connected")
            self._numbers += 1
            number = self._numbers
            future: asyncio.Future[Answer | Findings] = asyncio.get_running_loop().create_future()
            self._waiting[number] = future
            try:
                await connection.send(encode(msgspec.structs.replace(frame, number=number)))
                return await future
            finally:
                self._waiting.pop(number, None)

    def answer(self, frame: Answer | Findings) -> None:
        """Give an answer to whoever waits for it."""
        self.answered = True
        future = self._waiting.pop(frame.number, None)
        if future is not None and not future.done():
            future.set_result(frame)

    def end(self) -> None:
        """Tell all who wait that the connection has ended."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ReplicationError(f"the connection to {self._peer} ended"))
        self._waiting.clear()
        self.answered = False
