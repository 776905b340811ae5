"""Workloads: clients that use a table as applications do, and write down what they were told.

What: coroutines against the :class:`~chaos.workload.client.Client` protocol, one file a workload, which record into a
:class:`~chaos.history.Recorder`. Nothing in here knows whether its regions are simulated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chaos.workload.bank import Bank
from chaos.workload.carts import Carts
from chaos.workload.churn import Churn
from chaos.workload.client import CallError, Client
from chaos.workload.counters import Counters
from chaos.workload.locks import Locks
from chaos.workload.mix import MIXES, Load, Mix
from chaos.workload.registers import Registers
from chaos.workload.sets import Sets
from chaos.workload.streams import Streams
from chaos.workload.ttl import Expiring
from chaos.workload.workload import Ground, Workload, create

WORKLOADS: Final[Mapping[str, type[Workload]]] = {
    kind.name: kind for kind in (Registers, Counters, Carts, Bank, Sets, Churn, Expiring, Locks, Streams)
}
"""All workloads by name."""

__all__ = ["MIXES", "WORKLOADS", "CallError", "Client", "Ground", "Load", "Mix", "Workload", "create"]
