"""Versioned table settings: what travels between the replicas of a table, merged register by register.

What: everything about a table that its replicas share (key schema, indexes, capacity, stream, TTL, and which regions
hold it) is kept as named **registers**, each stamped with the time and region of its last change. Two replicas merge
by keeping the later write of each register, so concurrent changes of different settings both survive and the result
does not depend on the order of delivery.

Register names: ``definition`` (attribute definitions, key schema, local indexes; fixed at creation), ``billing``,
``stream``, ``ttl``, ``sse``, ``class``, ``on_demand``, ``warm``, ``index:<name>`` for a global secondary index
(``None`` once deleted), ``replica:<region>`` for a member (``None`` once removed), ``kept:<region>`` for one that left
with its items (``None`` once a later replica there was removed), ``detached:<region>`` for one that was away for too
long and counts as none until it is made anew, ``scaling:…`` for auto scaling of a capacity
(:mod:`region.operation.setting.auto_scaling`), ``triggers:<region>`` for the functions that a region calls with what
changes there.

Invariant: merge is commutative, associative and idempotent.

Source: the project's design, section 4; AWS developer guide, "Global tables: how it works" (synchronised settings).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

DEFINITION: Final = "definition"
BILLING: Final = "billing"
STREAM: Final = "stream"
TTL: Final = "ttl"
SSE: Final = "sse"
TABLE_CLASS: Final = "class"
ON_DEMAND: Final = "on_demand"
WARM: Final = "warm"
INDEX: Final = "index:"
REPLICA: Final = "replica:"
KEPT: Final = "kept:"
DETACHED: Final = "detached:"
SCALING: Final = "scaling:"
CREATED_HLC: Final = "CreatedHlc"
"""When what a register is about was made, where that matters: what others say of the one before does not count."""


class Register(msgspec.Struct, frozen=True, array_like=True):
    """One setting with the timestamp ``(hlc, origin)`` of its last change; ``value`` is JSON-ready, or ``None``."""

    hlc: int
    origin: str
    value: Any


Registers = Mapping[str, Register]


def merge(left: Registers, right: Registers) -> dict[str, Register]:
    """Return the later of each register of both sides."""
    merged = dict(left)
    for name, register in right.items():
        mine = merged.get(name)
        if mine is None or (register.hlc, register.origin) > (mine.hlc, mine.origin):
            merged[name] = register
    return merged


def family(registers: Registers, prefix: str) -> dict[str, Any]:
    """Return the present members of a family of registers (:data:`INDEX`, :data:`REPLICA`) by their bare name."""
    return {
        name.removeprefix(prefix): register.value
        for name, register in registers.items()
        if name.startswith(prefix) and register.value is not None
    }


def detached(registers: Registers) -> frozenset[str]:
    """Return the regions that have been detached and not been made replicas anew since."""
    found = []
    for name, register in registers.items():
        if name.startswith(DETACHED):
            region = name.removeprefix(DETACHED)
            replica = registers.get(REPLICA + region)
            member = (replica.value if replica else None) or {}
            if register.hlc > member.get(CREATED_HLC, 0):
                found.append(region)
    return frozenset(found)


def members(registers: Registers) -> dict[str, Any]:
    """Return the replicas by region, those that are detached left out."""
    away = detached(registers)
    return {region: it for region, it in family(registers, REPLICA).items() if region not in away}


def encode(registers: Registers) -> bytes:
    """Encode registers as JSON, as they stand in the catalogue, the change log and on the wire."""
    return msgspec.json.encode(dict(registers))


def decode(data: bytes) -> dict[str, Register]:
    """Decode what :func:`encode` wrote."""
    return msgspec.json.decode(data, type=dict[str, Register])
