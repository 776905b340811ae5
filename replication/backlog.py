"""The backlog: how many of this region's own changes lie after a position of its log, table by table.

What: the numbers of a link whose sink is away, and the RPO meter (``replication.exposure``), ask the same question
for many positions again and again. The store adds up the log's rows without reading images; a count is remembered and
goes on from where it ended.

Invariants: a bounded piece of the log is counted each time someone asks; what is not counted yet is counted in full, so
that a number is too high for a while and never too low. What is remembered is bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from region.model.change import Tally
from region.store.port import Reader

COUNT_RECORDS: Final = 4000
"""How many records are counted each time, which takes a millisecond or two."""
COUNTS_KEPT: Final = 64

Member = Callable[[str], bool]
Upto = Callable[[str], int]


class Count(NamedTuple):
    """Own changes after a position, by the uid of their table, up to a sequence of the log."""

    upto: int
    tallies: dict[str, Tally]


class Lacking(NamedTuple):
    """Own changes that are not durable somewhere: how many, their bytes, and when the oldest was committed.

    ``exact`` is false while not all of them are counted; then ``records`` is at most how many there are, and ``bytes``
    those counted. ``oldest_ms`` is by this region's wall clock, ``None`` when there is none.
    """

    records: int
    bytes: int
    oldest_ms: int | None
    exact: bool


class Backlog:
    """Counts one region's own changes."""

    def __init__(self, reader: Reader, region: str) -> None:
        self._reader = reader
        self._region = region
        self._counts: OrderedDict[int, Count] = OrderedDict()

    def after(self, position: int) -> Count:
        """Return the count after a position, as far as it has come."""
        head = self._reader.log_head()
        count = self._counts.pop(position, Count(position, {}))
        if count.upto < head:
            upto = min(head, count.upto + COUNT_RECORDS)
            more = self._reader.tally_log(count.upto, upto, origin=self._region)
            tallies = dict(count.tallies)
            for uid, tally in more.items():
                tallies[uid] = tallies[uid].plus(tally) if uid in tallies else tally
            count = Count(upto, tallies)
        self._counts[position] = count
        if len(self._counts) > COUNTS_KEPT:
            self._counts.popitem(last=False)
        return count

    def lacking(self, concerns: Member, durable_upto: Upto, positions: Iterable[int]) -> Lacking:
        """Return the own changes that lie after what is durable elsewhere.

        ``concerns(uid)`` says whether a table counts, ``durable_upto(uid)`` from where on; ``positions`` are all that
        it may answer.
        """
        records = size = uncounted = 0
        oldest_ms: int | None = None
        head = self._reader.log_head()
        for position in set(positions):
            count = self.after(position)
            uncounted = max(uncounted, head - count.upto)
            for uid, tally in count.tallies.items():
                if concerns(uid) and durable_upto(uid) == position:
                    records += tally.records
                    size += tally.bytes
                    oldest_ms = min(tally.first_hlc >> 16, oldest_ms or tally.first_hlc >> 16)
        return Lacking(records + uncounted, size, oldest_ms, not uncounted)
