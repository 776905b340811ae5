"""Registers: items that clients read, overwrite, delete, and change under the condition that nobody else has meanwhile.

What it is good for: every invariant that speaks of single items, above all that conditional writes are linearizable per
region and item, and that what a client has seen it does not unsee.
"""

from __future__ import annotations

from typing import ClassVar

from chaos.workload.session import Session, delete, get, put, tag_in, when
from chaos.workload.workload import Ground, Workload, chance
from region.randomness import Rng


class Registers(Workload):
    """Reads, writes, compare-and-set and deletions of single items."""

    name: ClassVar[str] = "registers"

    async def act(self, session: Session, ground: Ground, rng: Rng) -> None:
        """Read an item; then perhaps change it, if it is still as it was read; or overwrite or delete it blindly."""
        key, recorder = self.any_key(rng), ground.recorder
        roll = rng.uniform(0, 1)
        if roll < 0.25:
            await session.perform(put(recorder, self.table, key, n={"N": str(int(rng.uniform(0, 1000)))}))
            return
        if roll < 0.35:
            await session.perform(delete(recorder, self.table, key))
            return
        answer = await session.perform(get(self.table, key))
        if answer is None or not chance(rng, 0.5):
            return
        step = put(recorder, self.table, key, f="cas") if chance(rng, 0.8) else delete(recorder, self.table, key)
        await session.perform(when(step, tag_in(answer.get("Item"))))
