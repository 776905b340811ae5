"""What a replica may set for itself: read capacity, maximum on-demand reads and table class.

What: overrides stand in the replica's register, each with the timestamp at which it was set, and count only while that
is later than the last change of the shared setting, or of the billing mode: a later change anywhere overwrites the
override. Auto scaling of reads is kept for each replica by itself (:mod:`region.operation.setting.auto_scaling`).

Source: AWS developer guide, "Global tables" (settings synchronised with the possibility to override).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from region.model import settings
from region.model.settings import Registers
from region.model.table import Table
from region.operation.capacity import throughput

OVERRIDES: Final = "Overrides"
READ: Final = "read"
ON_DEMAND_READ: Final = "on_demand_read"
TABLE_CLASS: Final = "class"
INDEX_READ: Final = "index_read:"
INDEX_ON_DEMAND_READ: Final = "index_on_demand_read:"


def requested(action: Mapping[str, Any], hlc: int) -> dict[str, Any]:
    """Return the overrides that a Create or Update action asks for, stamped with ``hlc``."""
    values: dict[str, Any] = {}
    _read_throughput(action, READ, ON_DEMAND_READ, values)
    if "TableClassOverride" in action:
        values[TABLE_CLASS] = action["TableClassOverride"]
    for index in action.get("GlobalSecondaryIndexes") or ():
        name = index["IndexName"]
        _read_throughput(index, INDEX_READ + name, INDEX_ON_DEMAND_READ + name, values)
    return {key: {"value": value, "hlc": hlc} for key, value in values.items() if value is not None}


def set_ms(member: Mapping[str, Any] | None, key: str) -> int:
    """Return when a replica's override was set, in milliseconds since the epoch."""
    return int((member or {})[OVERRIDES][key]["hlc"]) >> 16


def effective(table: Table, member: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a replica's overrides that count now, by their key; ``member`` is its register's value."""
    overrides = (member or {}).get(OVERRIDES) or {}
    return {key: it["value"] for key, it in overrides.items() if it["hlc"] > _changed_hlc(table.registers, key)}


def settled(table: Table, member: Mapping[str, Any], hlc: int) -> dict[str, Any]:
    """Return the registers that make a replica's overrides the settings of a table of its own, changed at ``hlc``."""
    values: dict[str, Any] = {}

    def change(register: str, **fields: Any) -> None:
        values[register] = {**(values.get(register) or table.setting(register) or {}), **fields}

    for key, value in effective(table, member).items():
        family, _, index = key.partition(":")
        if index and table.setting(settings.INDEX + index) is None:
            continue
        if key == TABLE_CLASS:
            change(settings.TABLE_CLASS, TableClass=value)
        elif key == READ:
            change(settings.BILLING, ReadCapacityUnits=value, ReadHlc=hlc)
        elif key == ON_DEMAND_READ:
            values[settings.ON_DEMAND] = _limited(table.setting(settings.ON_DEMAND), value, hlc)
        elif family + ":" == INDEX_READ:
            old = (values.get(settings.INDEX + index) or table.setting(settings.INDEX + index))["ProvisionedThroughput"]
            change(settings.INDEX + index, ProvisionedThroughput={**old, "ReadCapacityUnits": value, "ReadHlc": hlc})
        else:
            old = (values.get(settings.INDEX + index) or table.setting(settings.INDEX + index)).get(
                "OnDemandThroughput"
            )
            change(settings.INDEX + index, OnDemandThroughput=_limited(old, value, hlc))
    return values


def _limited(old: Mapping[str, Any] | None, value: int, hlc: int) -> dict[str, Any]:
    return throughput.on_demand_value(old, {"MaxReadRequestUnits": value}, hlc)


def _read_throughput(source: Mapping[str, Any], read: str, on_demand: str, values: dict[str, Any]) -> None:
    provisioned = source.get("ProvisionedThroughputOverride")
    if provisioned:
        values[read] = provisioned.get("ReadCapacityUnits")
    limits = source.get("OnDemandThroughputOverride")
    if limits:
        values[on_demand] = limits.get("MaxReadRequestUnits")


def own(region: str, table: Table) -> dict[str, Any]:
    """Return the overrides that count in a region's own replica."""
    return effective(table, table.members().get(region))


def _changed_hlc(registers: Registers, key: str) -> int:
    """Return when the shared setting behind an override last changed."""
    if key == TABLE_CLASS:
        register = registers.get(settings.TABLE_CLASS)
        return register.hlc if register else 0
    billing = _value(registers, settings.BILLING) or {}
    index: Mapping[str, Any] = {}
    if key == READ:
        value = billing
    elif key == ON_DEMAND_READ:
        value = _value(registers, settings.ON_DEMAND)
    else:
        family, name = key.split(":", 1)
        index = _value(registers, settings.INDEX + name) or {}
        value = index.get("OnDemandThroughput" if family + ":" == INDEX_ON_DEMAND_READ else "ProvisionedThroughput")
    stamps = ((value or {}).get("ReadHlc"), index.get(settings.CREATED_HLC), billing.get("ModeHlc"))
    return max(int(stamp or 0) for stamp in stamps)


def _value(registers: Registers, name: str) -> Any:
    register = registers.get(name)
    return register.value if register else None
