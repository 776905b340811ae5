"""The Rng port: the one way to randomness, so that a simulation can replay it."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Rng(Protocol):
    """A source of random names and numbers."""

    def token(self, size: int) -> str:
        """Return ``size`` random bytes as lower-case hexadecimal digits."""

    def uniform(self, low: float, high: float) -> float:
        """Return a number evenly distributed between ``low`` and ``high``."""


class SystemRng:
    """The operating system's randomness."""

    def token(self, size: int) -> str:
        """Return ``size`` random bytes as hexadecimal digits."""
        return secrets.token_hex(size)

    def uniform(self, low: float, high: float) -> float:
        """Return a number evenly distributed between ``low`` and ``high``."""
        return random.uniform(low, high)


class SeededRng:
    """Randomness that a seed replays."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def token(self, size: int) -> str:
        """Return ``size`` pseudo-random bytes as hexadecimal digits."""
        return self._random.randbytes(size).hex()

    def uniform(self, low: float, high: float) -> float:
        """Return a pseudo-random number between ``low`` and ``high``."""
        return self._random.uniform(low, high)


def uuid(rng: Rng) -> str:
    """Return a random UUID (version 4) in text form, as AWS's table ids are."""
    digits = rng.token(16)
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def integer(rng: Rng, low: int, high: int) -> int:
    """Return a random whole number with ``low <= number <= high``."""
    return min(high, low + int(rng.uniform(0, high - low + 1)))


def chance(rng: Rng, share: float) -> bool:
    """Return true with this probability."""
    return rng.uniform(0, 1) < share


def pick(rng: Rng, choices: Sequence[T]) -> T:
    """Return one of several, each as likely as the others."""
    return choices[integer(rng, 0, len(choices) - 1)]


def shuffled(rng: Rng, values: Iterable[T]) -> list[T]:
    """Return values in a random order."""
    remaining = list(values)
    return [remaining.pop(integer(rng, 0, len(remaining) - 1)) for _ in range(len(remaining))]
