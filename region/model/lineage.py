"""Lineages: which positions of a region's change log still mean what they meant when they were handed out.

What: every time a database file is opened it begins a new *life*, with a random name. The lineage is the list of
lives, each with the head of the log when it began. A peer keeps its position as ``(life, sequence)``. The position
holds if the life is one of the lineage and the sequence is not beyond the one at which the next life began: whatever
that life wrote beyond it is not in this file.

Invariants: a file that is restored from an older copy, or that lost its end in a power cut, begins a life that its lost
future never knew of; so every position that its peers hold in that future is found not to hold, whatever was written
since, and whatever the clocks say. A position before the fork goes on to hold.

Source: Apache Kafka, KIP-101 (leader epochs in place of high watermarks, for the same fault); PostgreSQL's timelines.
"""

from __future__ import annotations

from typing import Final

import msgspec

META: Final = "lineage"
"""Under which name a store keeps its lineage."""
LIVES_MAX: Final = 4096
"""How many lives are remembered; a position of an older one no longer holds, which costs its owner a comparison."""


class Life(msgspec.Struct, array_like=True, frozen=True):
    """One life of a file: its name, and the last sequence of the log when it began."""

    name: str
    after: int


class Lineage(msgspec.Struct, frozen=True):
    """The lives of a file, oldest first; there is at least one.

    ``renewed`` names the life from which on positions hold, where older ones are not to: a region that has got back
    writes that it had lost has its peers compare with it, because the log does not say what came back.
    """

    lives: tuple[Life, ...]
    renewed: str = ""

    @property
    def current(self) -> str:
        """The name of the present life."""
        return self.lives[-1].name

    def holds(self, life: str, sequence: int) -> bool:
        """Whether a position in the log still means the same records; the head of the log is not looked at."""
        number = self._number(life)
        return number >= max(0, self._number(self.renewed)) and not self.lost(life, sequence)

    def follows(self, life: str, sequence: int) -> bool:
        """Whether the log from a position on says all that who holds it has not seen; ``""`` stands for the beginning.

        Who begins at the beginning would not find in the log what came back before the lineage was renewed.
        """
        return self.holds(life, sequence) if life else not self.renewed

    def lost(self, life: str, sequence: int) -> bool:
        """Whether a position speaks of records that this file once held, or a later version of it, and does no more."""
        number = self._number(life)
        return number < 0 or (number + 1 < len(self.lives) and sequence > self.lives[number + 1].after)

    def _number(self, life: str) -> int:
        return next((number for number, known in enumerate(self.lives) if known.name == life), -1)

    def begun(self, life: str, head: int, tail: int) -> Lineage:
        """Return the lineage with a new life; lives that ended below the log's tail are forgotten."""
        lives = (*self.lives, Life(life, head))
        kept = tuple(
            it for number, it in enumerate(lives) if number + 1 == len(lives) or lives[number + 1].after >= tail
        )
        return Lineage(kept[-LIVES_MAX:], self.renewed)

    def renewed_as(self, life: str, head: int) -> Lineage:
        """Return the lineage with a new life, before which no position holds any more."""
        return Lineage((*self.lives, Life(life, head))[-LIVES_MAX:], life)


def encode(lineage: Lineage) -> str:
    """Return a lineage as JSON text."""
    return msgspec.json.encode(lineage).decode()


def decode(text: str | None, epoch: str) -> Lineage:
    """Return the lineage of a text; a file that has none yet is in its first life, named like its epoch."""
    return msgspec.json.decode(text, type=Lineage) if text else Lineage((Life(epoch, 0),))
