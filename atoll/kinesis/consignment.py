"""A stretch of changes on its way: which of them may be sent next, so that the changes of an item stay in order.

What: PutRecords takes up to 500 records, and may take some and refuse others. So a request holds one change of an item
at most: the next one of that item goes out when the one before it has arrived. What is refused stays first in its line.

Invariants: within an item, the order of arrival is the order of the log. Every request is within Kinesis's limits. What
has arrived is never sent again from here; only what a crash made the region forget comes twice.

Hazard: a stretch of changes of one single item goes out one by one.

Source: AWS API reference, PutRecords.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from atoll.kinesis.record import Outgoing

REQUEST_RECORDS_MAX: Final = 500
REQUEST_BYTES_MAX: Final = 5 << 20
RECORD_BYTES_MAX: Final = 1 << 20


class Consignment:
    """Changes that have not arrived, in lines by item, the items in the order of their first change."""

    def __init__(self, changes: Iterable[Outgoing]) -> None:
        self._lines: dict[str, deque[Outgoing]] = {}
        self.oversized: list[Outgoing] = []
        """Changes that no request can hold, which are left out."""
        for change in changes:
            if change.size > RECORD_BYTES_MAX:
                self.oversized.append(change)
            else:
                self._lines.setdefault(change.partition_key, deque()).append(change)

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    @property
    def oldest_ms(self) -> int | None:
        """When this region saw the first change that has not arrived; ``None`` when all have."""
        return min((line[0].seen_ms for line in self._lines.values()), default=None)

    def next(self) -> list[Outgoing]:
        """Return what the next request holds: of each item the first change, as far as there is room."""
        chosen: list[Outgoing] = []
        size = 0
        for line in self._lines.values():
            size += line[0].size
            if len(chosen) == REQUEST_RECORDS_MAX or size > REQUEST_BYTES_MAX:
                break
            chosen.append(line[0])
        return chosen

    def arrived(self, sent: Sequence[Outgoing], refused: Collection[int] = ()) -> list[Outgoing]:
        """Take note that what was sent has arrived, but for the positions ``refused``; return what has arrived."""
        found = [change for position, change in enumerate(sent) if position not in refused]
        for change in found:
            line = self._lines[change.partition_key]
            line.popleft()
            if not line:
                del self._lines[change.partition_key]
        return found
