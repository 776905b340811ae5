"""Faults for the network in memory."""

from __future__ import annotations

import random

from replication import Fate
from replication.message import Batch, Catalogue, decode


class Cut:
    """Everything to and from some regions is swallowed without a word, until it heals; nobody can connect to them."""

    def __init__(self, *regions: str) -> None:
        self.regions = set(regions)

    def heal(self) -> None:
        self.regions.clear()

    def refuses(self, caller: str, callee: str) -> bool:
        return bool(self.regions & {caller, callee})

    def fate(self, sender: str, receiver: str, frame: bytes) -> Fate:
        return Fate(copies=0) if self.regions & {sender, receiver} else Fate()


class Uninformed:
    """One region hears nothing from another, and from nobody any change or which tables there are."""

    def __init__(self, region: str, *, by: str) -> None:
        self._region = region
        self._by = by

    def refuses(self, caller: str, callee: str) -> bool:
        return False

    def fate(self, sender: str, receiver: str, frame: bytes) -> Fate:
        deaf = receiver == self._region and (sender == self._by or isinstance(decode(frame), Catalogue | Batch))
        return Fate(copies=0) if deaf else Fate()


class Storm:
    """Connections tear at random, frames are duplicated and late, until it is over."""

    def __init__(self, seed: int, *, tear: float = 0.02, duplicate: float = 0.1, delay_s: float = 0.003) -> None:
        self._random = random.Random(seed)
        self._tear = tear
        self._duplicate = duplicate
        self._delay_s = delay_s
        self.over = False

    def refuses(self, caller: str, callee: str) -> bool:
        return not self.over and self._random.random() < 0.2

    def fate(self, sender: str, receiver: str, frame: bytes) -> Fate:
        if self.over:
            return Fate()
        roll = self._random.random()
        if roll < self._tear:
            return Fate(tear=True)
        copies = 2 if roll < self._tear + self._duplicate else 1
        return Fate(delay_s=self._random.uniform(0, self._delay_s), copies=copies)


class Narrow:
    """What goes into one region takes a time for each byte."""

    def __init__(self, region: str, *, bytes_per_s: float) -> None:
        self._region = region
        self._bytes_per_s = bytes_per_s

    def refuses(self, caller: str, callee: str) -> bool:
        return False

    def fate(self, sender: str, receiver: str, frame: bytes) -> Fate:
        return Fate(delay_s=len(frame) / self._bytes_per_s if receiver == self._region else 0.0)
