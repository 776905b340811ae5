"""Live items and their bytes, per table and index: counted in the open transaction, and written at its end.

Invariant: what the store's memory says is what the last commit said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from region.store.state import State

_SAVE: Final = (
    "INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE "
    "SET items = excluded.items, bytes = excluded.bytes"
)
_DROP: Final = "DELETE FROM counters WHERE id = ?"


class Counters:
    """The statistics as the open transaction sees them."""

    __slots__ = ("_changed", "_dropped", "_execute", "_state")

    def __init__(self, execute: Callable[[str, tuple[Any, ...]], Any], state: State) -> None:
        self._execute = execute
        self._state = state
        self._changed: dict[int, tuple[int, int] | None] = {}
        self._dropped: set[int] = set()

    def of(self, number: int) -> tuple[int, int]:
        """Return items and bytes of a table or an index."""
        return self._changed.get(number, self._state.counters.get(number)) or (0, 0)

    def add(self, number: int, items: int, size: int) -> None:
        """Add to the statistics of a table or an index."""
        counter = self._changed.get(number) or self._state.counters[number]
        self._changed[number] = (counter[0] + items, counter[1] + size)

    def start(self, number: int, live: bool) -> None:
        """Start or end the statistics of a table or an index that is created or dropped."""
        if live:
            self._changed[number] = (0, 0)
            self._state.gone.discard(number)
        else:
            self._changed[number] = None
            self._state.gone.add(number)
            self._dropped.add(number)

    def flush(self) -> None:
        """Write what has changed."""
        for number, counter in self._changed.items():
            if counter is None:
                self._execute(_DROP, (number,))
            else:
                self._execute(_SAVE, (number, *counter))

    def publish(self) -> None:
        """The transaction is committed."""
        state = self._state
        for number, counter in self._changed.items():
            if counter is None:
                state.counters.pop(number, None)
                state.plans.pop(number, None)
            else:
                state.counters[number] = counter
        self._changed, self._dropped = {}, set()

    def discard(self) -> None:
        """The transaction was rolled back."""
        self._state.gone -= self._dropped
        self._changed, self._dropped = {}, set()
