"""Sets: items that gather elements, each added once by one client; as a set, and as the list of their arrival.

What it is good for: an element that is there once stays there, or was lost to a concurrent write that the conflict
feed tells of. As lists it is the history that Elle's ``list-append`` takes.
"""

from __future__ import annotations

from typing import Any, ClassVar

from chaos.workload.session import Answer, Session, get, update
from chaos.workload.workload import Ground, Workload, chance
from region.randomness import Rng

ELEMENTS_MAX = 200
"""Beyond it nothing is added: every addition writes the whole item."""


class Sets(Workload):
    """Additions of new elements, and reads of all."""

    name: ClassVar[str] = "sets"

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self._elements = 0

    async def act(self, session: Session, ground: Ground, rng: Rng) -> None:
        """Add an element that nobody else adds, or read a set in the order of arrival."""
        key = self.any_key(rng)
        if chance(rng, 0.4) or self._elements >= ELEMENTS_MAX * self.keys:
            await session.perform(get(self.table, key, f="read-list", told=lambda answer: elements(answer.get("Item"))))
            return
        self._elements += 1
        element = self._elements
        number = {"N": str(element)}
        await session.perform(
            update(
                ground.recorder,
                self.table,
                key,
                "SET arrived = list_append(if_not_exists(arrived, :none), :list) ADD members :set",
                {":none": {"L": []}, ":list": {"L": [number]}, ":set": {"NS": [str(element)]}},
                f="append",
                value=element,
            )
        )


def elements(item: Answer | None) -> list[int]:
    """Return the elements that an item holds, in the order of their arrival."""
    return [int(element["N"]) for element in (item or {}).get("arrived", {}).get("L", [])]
