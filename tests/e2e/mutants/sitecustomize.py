"""Bugs for real regions: loaded by Python itself in every process of a test that puts this folder on PYTHONPATH.

``MUTANT`` names the bug; it is put into the processes of ``atoll start`` alone, as a patch at start-up. The product
knows nothing of it.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def drop_late_changes() -> None:
    """After a while, changes from peers are counted as applied, and are not."""
    from replication import applier

    settle, count = applier._settle, iter(range(1 << 30))

    def forgetful(context: Any, change: Any, *args: Any, **kwargs: Any) -> None:
        if change.table.name != "registers" or next(count) < 20:
            settle(context, change, *args, **kwargs)

    applier._settle = forgetful  # type: ignore[assignment]  # The patch is the point.


def let_the_earlier_write_win() -> None:
    """One region settles concurrent writes the other way round."""
    from replication import applier
    from replication.conflict import Resolution, Verdict, merge, resolve

    def upside_down(incumbent: Any, incoming: Any) -> Any:
        verdict, version = resolve(incumbent, incoming)
        if verdict is Verdict.CONCURRENT_WON:
            return Resolution(Verdict.CONCURRENT_LOST, merge(incumbent, incoming))
        if verdict is Verdict.CONCURRENT_LOST:
            return Resolution(Verdict.CONCURRENT_WON, merge(incoming, incumbent))
        return Resolution(verdict, version)

    if "eu-west-1" in " ".join(sys.orig_argv):
        applier.resolve = upside_down  # type: ignore[assignment]  # The patch is the point.


def keep_no_conflicts() -> None:
    """What lost is not written down."""
    from region.store.transaction import SqliteTransaction

    SqliteTransaction.record_conflict = lambda *_, **__: 1  # type: ignore[method-assign,assignment]  # The point.


def ignore_conditions() -> None:
    """A write happens, whatever its condition says."""
    from region.operation.item import items

    items._check = lambda *_, **__: None  # type: ignore[assignment]  # The patch is the point.


def acknowledge_before_the_commit() -> None:
    """Most commits do not reach the disk."""
    from region.store.sqlite import SqliteStore

    end, count = SqliteStore._end, iter(range(1 << 30))

    def lazy(self: Any, statement: Any) -> None:
        if statement != "COMMIT" or next(count) % 40 == 0:
            end(self, statement)

    SqliteStore._end = lazy  # type: ignore[method-assign]  # The patch is the point.


def believe_to_have_everything() -> None:
    """A region's safe time is its own clock, a second ahead as if rounded up, whatever has arrived."""
    from replication import Replication

    Replication.safe_time = lambda self: self._engine.clock.last + (1000 << 16)  # type: ignore[method-assign]  # The point.


MUTANTS = {
    mutant.__name__: mutant
    for mutant in (
        drop_late_changes,
        let_the_earlier_write_win,
        keep_no_conflicts,
        ignore_conditions,
        acknowledge_before_the_commit,
        believe_to_have_everything,
    )
}

if "start" in sys.orig_argv and os.environ.get("MUTANT"):
    MUTANTS[os.environ["MUTANT"]]()
