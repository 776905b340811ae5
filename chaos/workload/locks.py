"""Locks: a lock service as people build it on conditional writes: take what nobody has, give back what is one's own.

What it is good for: conditional writes in one region, where at most one client holds a lock at any time; and showing
what happens to whoever locks across regions, where two can be granted at once. The conflict feed marks those.
"""

from __future__ import annotations

from typing import Any, ClassVar

from chaos.workload.session import Session, delete, put, when
from chaos.workload.workload import Ground, Workload
from region.randomness import Rng


class Locks(Workload):
    """Takes a lock under the condition that there is none, holds it for a while, gives it back."""

    name: ClassVar[str] = "locks"

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self._held: dict[Session, tuple[dict[str, Any], str]] = {}

    async def act(self, session: Session, ground: Ground, rng: Rng) -> None:
        """Give back the lock that is held, or try to take one."""
        held = self._held.pop(session, None)
        if held is not None:
            key, tag = held
            await session.perform(when(delete(ground.recorder, self.table, key, f="release"), tag))
            return
        key = self.any_key(rng)
        step = put(ground.recorder, self.table, key, f="acquire", owner={"S": session.region})
        if await session.perform(when(step, None)) is not None:
            self._held[session] = key, str(step.accesses[0].tag)
