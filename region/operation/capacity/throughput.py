"""Capacity settings: billing mode, provisioned, on-demand and warm throughput of tables and indexes.

What: the checks of these settings, their form as shared registers, and their form in descriptions. Write capacity is
shared by all replicas; read capacity is too, but a replica may override it, and a later change anywhere overwrites the
override. So every read setting carries the timestamp of its last change (``ReadHlc``), and an override counts only
while it is the later of the two.

Shapes: provisioned ``{ReadCapacityUnits, WriteCapacityUnits, ReadHlc, …}``, on-demand ``{MaxReadRequestUnits,
MaxWriteRequestUnits, ReadHlc}``, warm ``{ReadUnitsPerSecond, WriteUnitsPerSecond}``; all in units per second, with
times in ms. The register ``billing`` is ``{BillingMode, ModeHlc?}`` with the provisioned shape where it is PROVISIONED;
``ModeHlc`` is when the mode last changed, which ends all overrides of capacity.

Source: AWS developer guide, "Read/write capacity mode", "Warm throughput", "Global tables" (settings).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from region.errors import ValidationError
from region.model.values import INVALID

PROVISIONED: Final = "PROVISIONED"
PAY_PER_REQUEST: Final = "PAY_PER_REQUEST"
TABLE_UNITS_MAX: Final = 40_000
ACCOUNT_UNITS_MAX: Final = 80_000
WARM_READ_DEFAULT: Final = 12_000
WARM_WRITE_DEFAULT: Final = 4_000
UNLIMITED: Final = -1
DAY_MS: Final = 86_400_000

Value = dict[str, Any]

NO_LIMITS: Final = {"MaxReadRequestUnits": UNLIMITED, "MaxWriteRequestUnits": UNLIMITED}


def check_table_billing(mode: str, provisioned: Mapping[str, int] | None) -> None:
    """Check a table's billing mode against its ``ProvisionedThroughput``."""
    if mode == PAY_PER_REQUEST:
        if provisioned is not None:
            raise ValidationError(
                f"{INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
                "PAY_PER_REQUEST"
            )
        return
    if provisioned is None:
        raise ValidationError(
            f"{INVALID}ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    check_units(provisioned)


def check_index_billing(mode: str, index: Mapping[str, Any]) -> None:
    """Check a new index's throughput against the table's billing mode."""
    name, provisioned = index["IndexName"], index.get("ProvisionedThroughput")
    if mode == PAY_PER_REQUEST:
        if provisioned is not None:
            raise ValidationError(
                f"{INVALID}ProvisionedThroughput should not be specified for index: {name} when BillingMode is "
                "PAY_PER_REQUEST"
            )
    elif provisioned is None:
        raise ValidationError(f"{INVALID}ProvisionedThroughput is not specified for index: {name}")
    else:
        check_units(provisioned)
    check_on_demand(mode, index.get("OnDemandThroughput"), f"index {name}")
    check_warm(index.get("WarmThroughput"), warm_floor(mode, provisioned), f"index {name}")


def check_units(provisioned: Mapping[str, int]) -> None:
    """Refuse more than the quota of a table."""
    if max(provisioned["ReadCapacityUnits"], provisioned["WriteCapacityUnits"]) > TABLE_UNITS_MAX:
        raise ValidationError(
            f"Cannot increase provisioned throughput to more than {TABLE_UNITS_MAX:,} units per table"
        )


def check_on_demand(mode: str, limits: Mapping[str, int] | None, subject: str) -> None:
    """Check maximum on-demand throughput; ``subject`` is ``table`` or ``index <name>``."""
    if limits is None:
        return
    if mode == PROVISIONED:
        raise ValidationError(
            f"{INVALID}OnDemandThroughput should not be specified for {subject} when BillingMode is PROVISIONED"
        )
    if not limits:
        raise ValidationError(
            f"{INVALID}MaxReadRequestUnits or MaxWriteRequestUnits must be specified for OnDemandThroughput for "
            f"{subject}"
        )
    for name in ("MaxReadRequestUnits", "MaxWriteRequestUnits"):
        units = limits.get(name)
        if units is not None and units != UNLIMITED and not 1 <= units <= TABLE_UNITS_MAX:
            raise ValidationError(
                f"{INVALID}Requested {name} for OnDemandThroughput for {subject} is outside of valid range"
            )


def check_warm(warm: Mapping[str, int] | None, floor: Mapping[str, int], subject: str) -> None:
    """Refuse warm throughput below ``floor``: what there is already, or the least of the billing mode."""
    for name, units in (warm or {}).items():
        if units < floor[name]:
            raise ValidationError(
                f"{INVALID}Requested {name} for WarmThroughput for {subject} is lower than current WarmThroughput, "
                "decreasing WarmThroughput is not supported"
            )


def warm_floor(mode: str, provisioned: Mapping[str, int] | None, warm: Mapping[str, int] | None = None) -> Value:
    """Return the warm throughput that a table or an index has, configured or not."""
    read, write = WARM_READ_DEFAULT, WARM_WRITE_DEFAULT
    if mode == PROVISIONED:
        read, write = (provisioned["ReadCapacityUnits"], provisioned["WriteCapacityUnits"]) if provisioned else (1, 1)
    configured = warm or {}
    return {
        "ReadUnitsPerSecond": max(read, configured.get("ReadUnitsPerSecond", 0)),
        "WriteUnitsPerSecond": max(write, configured.get("WriteUnitsPerSecond", 0)),
    }


def provisioned_value(
    old: Mapping[str, Any] | None, new: Mapping[str, int], hlc: int, now_ms: int, own_read: int | None = None
) -> Value:
    """Return the stored form of provisioned throughput that replaces ``old`` at ``hlc``.

    ``own_read`` is the read capacity of the replica that is asked, where it overrides the shared one: a request that
    repeats it does not change the shared one, and any other does.
    """
    read, write = new["ReadCapacityUnits"], new["WriteCapacityUnits"]
    if old is not None and read == own_read and "ReadCapacityUnits" in old:
        read, own_read = old["ReadCapacityUnits"], None
    value: Value = {"ReadCapacityUnits": read, "WriteCapacityUnits": write, "ReadHlc": hlc}
    if old is None or "ReadCapacityUnits" not in old:
        return value
    if read == old["ReadCapacityUnits"] and own_read is None:
        value["ReadHlc"] = old["ReadHlc"]
    for name in ("LastIncreaseMs", "LastDecreaseMs", "DecreasesToday"):
        if name in old:
            value[name] = old[name]
    if read > old["ReadCapacityUnits"] or write > old["WriteCapacityUnits"]:
        value["LastIncreaseMs"] = now_ms
    if read < old["ReadCapacityUnits"] or write < old["WriteCapacityUnits"]:
        value["DecreasesToday"] = _decreases_today(old, now_ms) + 1
        value["LastDecreaseMs"] = now_ms
    return value


def on_demand_value(old: Mapping[str, Any] | None, new: Mapping[str, int], hlc: int) -> Value:
    """Return the stored form of on-demand limits: what the request leaves out stays."""
    value: Value = {**NO_LIMITS, "ReadHlc": 0, **(old or {})}
    value.update(new)
    if "MaxReadRequestUnits" in new:
        value["ReadHlc"] = hlc
    return value


def describe_provisioned(value: Mapping[str, Any] | None, now_ms: int, read_override: int | None = None) -> Value:
    """Return a ``ProvisionedThroughputDescription``; zeros where the mode is on-demand."""
    if not value or "ReadCapacityUnits" not in value:
        return {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    answer: Value = {}
    if "LastIncreaseMs" in value:
        answer["LastIncreaseDateTime"] = value["LastIncreaseMs"] / 1000
    if "LastDecreaseMs" in value:
        answer["LastDecreaseDateTime"] = value["LastDecreaseMs"] / 1000
    answer["NumberOfDecreasesToday"] = _decreases_today(value, now_ms)
    answer["ReadCapacityUnits"] = read_override or value["ReadCapacityUnits"]
    answer["WriteCapacityUnits"] = value["WriteCapacityUnits"]
    return answer


def describe_on_demand(value: Mapping[str, Any] | None, read_override: int | None = None) -> Value | None:
    """Return an ``OnDemandThroughput``, ``None`` where nothing is limited, here or in all replicas."""
    if not value and read_override is None:
        return None
    limits = {"MaxReadRequestUnits": UNLIMITED, "MaxWriteRequestUnits": UNLIMITED, **(value or {})}
    return {
        "MaxReadRequestUnits": limits["MaxReadRequestUnits"] if read_override is None else read_override,
        "MaxWriteRequestUnits": limits["MaxWriteRequestUnits"],
    }


def describe_warm(mode: str, provisioned: Mapping[str, Any] | None, warm: Mapping[str, int] | None) -> Value:
    """Return a ``WarmThroughput`` description."""
    units = provisioned if provisioned and "ReadCapacityUnits" in provisioned else None
    return {**warm_floor(mode, units, warm), "Status": "ACTIVE"}


def _decreases_today(value: Mapping[str, Any], now_ms: int) -> int:
    last_ms = value.get("LastDecreaseMs")
    if last_ms is None or last_ms // DAY_MS != now_ms // DAY_MS:
        return 0
    return int(value.get("DecreasesToday", 0))
