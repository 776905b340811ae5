"""Key skew: which item the next request is about, when some are asked for far more often than others.

What: YCSB's choosers of keys. :class:`Zipfian` draws ranks 0, 1, 2, … with probabilities that fall as
``1 / (rank + 1) ** theta``, by the method of Gray and others, in constant time; :class:`Scrambled` spreads the popular
ranks over the key space by a hash; :class:`Latest` favours what was inserted last; :class:`Uniform` favours nothing.

Invariant: a draw lies in ``range(count)``; the same randomness gives the same draws.

Hazard: growing by one costs one step, so counts must grow one by one or be set anew.

Source: J. Gray et al., "Quickly Generating Billion-Record Synthetic Databases" (SIGMOD 1994); B. Cooper et al.,
"Benchmarking Cloud Serving Systems with YCSB" (2010), ``ZipfianGenerator``, ``ScrambledZipfianGenerator``,
``SkewedLatestGenerator``.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, Protocol

from region.randomness import Rng

THETA: Final = 0.99
"""YCSB's skew: of a thousand items the most popular gets an eighth of the requests."""


class Chooser(Protocol):
    """Draws the number of an item."""

    def draw(self, rng: Rng) -> int:
        """Return a number in ``range(count)``."""

    def grow(self) -> None:
        """Take note that there is one item more."""


class Uniform:
    """Every item alike."""

    def __init__(self, count: int) -> None:
        self.count = count

    def draw(self, rng: Rng) -> int:
        """Return any number."""
        return min(int(rng.uniform(0, self.count)), self.count - 1)

    def grow(self) -> None:
        """Take note that there is one item more."""
        self.count += 1


class Zipfian:
    """Ranks by Zipf's law: 0 is the most popular. ``theta`` lies between 0 (uniform) and 1, neither included."""

    def __init__(self, count: int, theta: float = THETA) -> None:
        if not 0 < theta < 1:
            raise ValueError(f"the skew must lie between 0 and 1, not {theta}")
        self.count = 0
        self._theta = theta
        self._alpha = 1 / (1 - theta)
        self._zeta = 0.0
        self._zeta2 = 1 + 0.5**theta
        for _ in range(count):
            self.grow()

    def grow(self) -> None:
        """Take note that there is one item more."""
        self.count += 1
        self._zeta += self.count**-self._theta

    def draw(self, rng: Rng) -> int:
        """Return a rank."""
        u = rng.uniform(0, 1)
        uz = u * self._zeta
        if uz < 1 or self.count == 1:
            return 0
        if uz < self._zeta2:
            return 1
        eta = (1 - (2 / self.count) ** (1 - self._theta)) / (1 - self._zeta2 / self._zeta)
        return min(int(self.count * (eta * u - eta + 1) ** self._alpha), self.count - 1)


class Scrambled:
    """Zipf's law, with the popular items anywhere in the key space."""

    def __init__(self, count: int, theta: float = THETA) -> None:
        self._ranks = Zipfian(count, theta)

    def grow(self) -> None:
        """Take note that there is one item more."""
        self._ranks.grow()

    def draw(self, rng: Rng) -> int:
        """Return a number."""
        rank = self._ranks.draw(rng)
        digest = blake2b(rank.to_bytes(8, "big"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self._ranks.count


class Latest:
    """What was inserted last is the most popular."""

    def __init__(self, count: int, theta: float = THETA) -> None:
        self._ages = Zipfian(count, theta)

    def grow(self) -> None:
        """Take note that there is one item more."""
        self._ages.grow()

    def draw(self, rng: Rng) -> int:
        """Return a number."""
        return self._ages.count - 1 - self._ages.draw(rng)


def chooser(kind: str, count: int, theta: float = THETA) -> Chooser:
    """Return the chooser of a kind: ``zipf``, ``latest`` or ``uniform``."""
    if kind == "uniform":
        return Uniform(count)
    return Latest(count, theta) if kind == "latest" else Scrambled(count, theta)
