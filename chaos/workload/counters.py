"""Counters: items that clients add to with one update, without having read them.

What it is good for: an addition builds on exactly the value before it. Within a region none is lost; of two that two
regions make at the same time one is, and the conflict feed says so.
"""

from __future__ import annotations

from typing import ClassVar

from chaos.workload.session import Answer, Session, get, update
from chaos.workload.workload import Ground, Workload, chance
from region.randomness import Rng

COUNT = "n"


class Counters(Workload):
    """Atomic additions, and reads."""

    name: ClassVar[str] = "counters"

    async def act(self, session: Session, ground: Ground, rng: Rng) -> None:
        """Add 1 to a counter, or read one. The result is the count that was found."""
        key = self.any_key(rng)
        if chance(rng, 0.3):
            await session.perform(get(self.table, key, told=lambda answer: count(answer.get("Item"))))
            return
        await session.perform(
            update(
                ground.recorder,
                self.table,
                key,
                "SET n = if_not_exists(n, :none) + :one",
                {":one": {"N": "1"}, ":none": {"N": "0"}},
                f="add",
                value=1,
                told=lambda answer: count(answer.get("Attributes")),
            )
        )


def count(item: Answer | None) -> int:
    """Return the count that an item holds, 0 where there is none."""
    return int((item or {}).get(COUNT, {}).get("N", "0"))
