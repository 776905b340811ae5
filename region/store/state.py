"""What the store keeps in memory about its file, as of the last commit, and what it learned on the way.

Invariants: ``head`` and ``counters`` change only after the commit that changes them in the file. Everything else may
run ahead of the file without harm: numbers once given out stay given out, the identity of a table that was rolled back
is never looked up (a separation is undone), and ``gone`` is consulted only when SQLite says that a table is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from region.keyring import NoKeyring
from region.model import lineage as lineages
from region.model.lineage import Lineage
from region.model.table import Table
from region.randomness import SystemRng
from region.store.identity import Identities
from region.store.plan import TablePlan
from region.store.sealing import SealedKeys

_HEAD = "SELECT coalesce(max(sequence), 0) FROM log"
_META = "SELECT value FROM meta WHERE name = '{}'"


class State:
    """The memory of one open store, shared by its readers and its transaction."""

    __slots__ = (
        "chunks",
        "counters",
        "found",
        "gaps",
        "garbage",
        "gone",
        "head",
        "identities",
        "keys",
        "lineage",
        "next_id",
        "noted",
        "plans",
        "quiet",
    )

    def __init__(self, execute: Callable[..., Any], keys: SealedKeys | None = None) -> None:
        self.keys = SealedKeys(execute, NoKeyring(), SystemRng(), "") if keys is None else keys
        """The data keys of encrypted tables."""
        self.head: int = execute(_HEAD).get
        self.counters: dict[int, tuple[int, int]] = {
            number: (items, size) for number, items, size in execute("SELECT id, items, bytes FROM counters")
        }
        """Live items and their bytes, per table and per index."""
        self.identities = Identities(execute)
        self.next_id = int(execute("SELECT value FROM meta WHERE name = 'next_id'").get)
        """The next number for a table or an index."""
        self.plans: dict[int, TablePlan] = {}
        self.keys.changed = self.plans.clear
        self.garbage = True
        """Whether there may be rows of dropped tables to delete."""
        self.gone: set[int] = set()
        """Tables and indexes dropped since the file was opened: a reader with an older catalogue finds them empty."""
        self.chunks: dict[int, int] = {}
        """Chunks of digests as they are in the file (:mod:`region.store.digest`)."""
        self.noted: dict[tuple[int, str], int] = {}
        """Per table and origin, a block of the log that is known to be noted for them."""
        lives, epoch = execute(_META.format(lineages.META)).get, execute(_META.format("epoch")).get
        self.lineage: Lineage = lineages.decode(lives, epoch)
        self.quiet: dict[str, tuple[int, int]] = {}
        """Per origin, a range ``(after, upto]`` of the log that is known to hold nothing of it."""
        self.gaps: dict[str, tuple[int, int]] = {}
        """The same, as searches by timestamp meet them: the longest range for each origin."""
        self.found: dict[str, int] = {}
        """Per origin, the sequence of the last record that was searched for by its timestamp and found."""

    def plan(self, table: Table) -> TablePlan:
        """Return the table's plan, made again if this is another state of the table than last time."""
        plan = self.plans.get(table.id)
        if plan is None or plan.table is not table:
            plan = self.plans[table.id] = TablePlan(table, self.keys.sealer(table.id))
        return plan
