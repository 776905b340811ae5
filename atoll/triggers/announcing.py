"""A region tells the others, in registers of its global tables, which functions it calls with what changes there.

What: :func:`announce` brings this region's register of every table up to date. Registers travel and merge as all
settings of tables do, so a region learns of the others' triggers over the links that it has anyway, and after a cut as
soon as it heals.

Invariant: a table is touched only where what it says differs; a region without triggers, now and before, touches none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atoll.triggers.effects import TRIGGERS
from region.engine import Engine
from region.errors import AtollError
from region.model.table import Table
from region.operation.context import Context
from region.operation.table import records


def announce(engine: Engine, wanted: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Have every global table say what this region calls; ``wanted`` is that by table name, the rest says nothing."""
    name = TRIGGERS + engine.settings.region
    if not any(_differs(table, name, wanted.get(table.name)) for table in engine.catalogue.by_name.values()):
        return

    def write(context: Context) -> None:
        for table in list(context.catalogue.by_name.values()):
            says = wanted.get(table.name)
            if _differs(table, name, says):
                hlc = records.next_hlc(context, table.registers)
                registers = records.written(context, table.registers, hlc, {name: says})
                context.publish_table(records.save(context, table, registers))

    engine.write(write, _ignore)


def _differs(table: Table, name: str, wanted: Mapping[str, Any] | None) -> bool:
    return bool(table.members()) and table.setting(name) != wanted


def _ignore(result: Any, error: AtollError | None) -> None:
    """Nobody waits for it: the next change of a table or a trigger tries again."""
