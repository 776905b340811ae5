"""Bugs of what sets regions right again: noticing a lost future, resynchronisation, comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from chaos.faults import ClockJump, Cut, RestoreOldCopy
from mutants.bank import mutant
from region.model.lineage import Lineage
from region.model.table import Table
from region.operation.context import Context
from replication import repair, resynchronisation
from replication.applier import Outcome
from replication.comparison import Comparison, Difference
from replication.deferral import Deferral
from replication.inquiry import Row
from replication.message import Refuse, Subscribe, Welcome
from replication.resynchronisation import Plan
from replication.source import Source

BUSY = {"pause_ms": 80.0, "delay_ms": 1.0, "jitter_ms": 0.2}
CALM = {"pause_ms": 400.0, "delay_ms": 1.0, "jitter_ms": 0.2}
RARELY = {"replication": {"compare_ms": 0}}
"""No comparisons in the background, which would mend what a resynchronisation leaves."""
LATE = RestoreOldCopy(region="eu-west-1", at_ms=6000, for_ms=8500)
"""A region falls back far, and so late that little is written over what it lost."""


def _cut(link: str, at_ms: int, for_ms: int) -> Cut:
    return Cut(link=link, mode="blackhole", at_ms=at_ms, for_ms=for_ms)


@mutant("values", "fold", "convergence", "durability", script=(LATE,), workloads=("sets", "registers"), **CALM)
def lost_future_not_noticed(patch: pytest.MonkeyPatch) -> None:
    """A region restored from a copy goes on as if nothing had happened (Active Directory's USN rollback)."""
    subscribe = Source.subscribe

    def clamped(self: Source, frame: Subscribe, head: int, *rest: Any) -> Welcome | Refuse:
        return subscribe(self, msgspec.structs.replace(frame, after=min(frame.after, head)), head, *rest)

    patch.setattr(Lineage, "lost", lambda self, life, sequence: False)
    patch.setattr(Lineage, "holds", lambda self, life, sequence: True)
    patch.setattr(Source, "subscribe", clamped)


@mutant(
    "values", "fold", "convergence", "durability", script=(LATE,), workloads=("sets", "registers"), **CALM, **RARELY
)
def resynchronisation_skipped(patch: pytest.MonkeyPatch) -> None:
    """After a refused cursor the stream goes on, and nothing is compared (MySQL replicas that skip what is missing)."""

    async def nothing(self: repair.Repairer, *arguments: Any, **named: Any) -> repair.Tally:
        return repair.Tally()

    patch.setattr(repair.Repairer, "compare", nothing)


@mutant(
    "convergence",
    "values",
    "fold",
    script=(RestoreOldCopy(region="eu-west-1", at_ms=6000, for_ms=6500), _cut("eu-west-1->us-east-1", 5000, 9500)),
    workloads=("sets", "registers"),
    **CALM,
    **RARELY,
)
def recovered_writes_not_spread(patch: pytest.MonkeyPatch) -> None:
    """Writes that came back to their writer reach nobody else, as no log tells of them (MongoDB's rollback files)."""
    patch.setattr(Plan, "renews", property(lambda self: False))
    patch.setattr(resynchronisation, "renewal_due", lambda reader: False)


@mutant(
    "streams",
    workloads=("bank",),
    script=(
        _cut("ap-northeast-1->us-east-1", 2000, 10_000),
        RestoreOldCopy(region="eu-west-1", at_ms=8000, for_ms=375),
    ),
    **BUSY,
    **RARELY,
)
def comparison_overtakes_a_third_region(patch: pytest.MonkeyPatch) -> None:
    """What a third region has still to bring is taken from another: no stream shows what came before (Atoll itself)."""
    patch.setattr(Deferral, "_brought", lambda *arguments: {})


@mutant("streams", workloads=("bank",), nemeses=("isolate",), replication={"compare_ms": 1000}, **BUSY)
def comparison_overtakes_a_link(patch: pytest.MonkeyPatch) -> None:
    """A comparison takes what is on its way already, so no stream shows what came before it (Atoll itself)."""
    compare = repair.Repairer.compare

    async def everything(self: repair.Repairer, *arguments: Any, **named: Any) -> repair.Tally:
        return await compare(self, *arguments, **{**named, "behind": True})

    patch.setattr(repair.Repairer, "compare", everything)


@mutant("convergence", "fold", "values", "streams", "timestamps", nemeses=("restore",), **BUSY)
def repaired_without_the_rule(patch: pytest.MonkeyPatch) -> None:
    """What a comparison fetched replaces what is here, whichever is later (a restore over a table in use)."""
    apply_repair = repair.applier.apply_repair

    def overwrite(context: Context, peer: str, table: Table, rows: list[Row]) -> Outcome:
        for row in rows:
            stored = context.transaction.get(table, row.key)
            if stored is not None:
                context.transaction.erase(table, row.key, stored)
        return apply_repair(context, peer, table, rows)

    patch.setattr(repair.applier, "apply_repair", overwrite)


@mutant("convergence", "values", "resurrection", "fold", script=(LATE,), workloads=("registers",), **CALM, **RARELY)
def deletions_not_compared(patch: pytest.MonkeyPatch) -> None:
    """A comparison looks at items alone, and what was deleted meanwhile stays (rsync without ``--delete``)."""
    judge = Comparison._judge

    def living(self: Comparison, *arguments: Any) -> Iterator[Difference]:
        return (it for it in judge(self, *arguments) if it.there is None or it.there[2])

    patch.setattr(Comparison, "_judge", living)


@mutant(
    "timestamps",
    "values",
    "convergence",
    script=(
        RestoreOldCopy(region="eu-west-1", at_ms=4000, for_ms=6000),
        _cut("us-east-1->eu-west-1", 9500, 5000),
        _cut("ap-northeast-1->eu-west-1", 9500, 5000),
        ClockJump(region="eu-west-1", ms=-5000, at_ms=9900),
    ),
    **BUSY,
)
def clock_falls_back_with_the_file(patch: pytest.MonkeyPatch) -> None:
    """A restored region does not learn how late it had been, and issues timestamps again (a snapshot, resumed)."""

    def begin(peer: str, reason: str, watermark: int, context: Context) -> Plan:
        return resynchronisation.begin(context, peer, reason, lost=True, cursor=None)

    patch.setattr(resynchronisation, "begin_lost", begin)
