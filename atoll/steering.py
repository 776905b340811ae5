"""What the dashboard's controls are carried out by: the control address of a cluster, or the admin addresses alone.

What: :class:`Laboratories` applies every fault, through the process that owns the cluster. :class:`Pauses` is for a
cluster that was not started with faults: replication of its links can be paused all the same. Both block, and so are
called in a thread each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from atoll import pausing
from atoll.control import ShownFault, command, toml
from atoll.failure import RemedyError
from atoll.remote import AdminClient
from atoll.remote_control import ControlClient
from chaos import faults
from dashboard import RefusedError

T = TypeVar("T")
Json = dict[str, Any]

PAUSE: Final = "pause"


async def _beside(work: Callable[[], T]) -> T:
    """Do what blocks beside the event loop; what went wrong is a refusal, in words."""
    try:
        return await asyncio.to_thread(work)
    except (RemedyError, ValueError) as error:
        raise RefusedError(str(error)) from error


class Laboratories:
    """Every fault, through a cluster's control address."""

    def __init__(self, url: str) -> None:
        self._client = ControlClient(url)

    async def faults(self) -> list[Json]:
        """Return the faults in force."""
        return [_shown(fault) for fault in await _beside(self._client.faults)]

    async def kinds(self) -> list[str]:
        """Return the kinds of faults that real processes can have."""
        simulated = {kind.__name__ for kind in faults.SIMULATED_ONLY}
        return [name for name, kind in faults.KINDS.items() if kind.__name__ not in simulated]

    async def apply(self, fault: Json) -> Json:
        """Apply a fault; it is in force, and proved, when this returns."""
        return _shown(await _beside(lambda: self._client.apply(fault)))

    async def heal(self, fault_id: str | None = None) -> None:
        """End a fault, or everything."""
        if fault_id is None:
            await _beside(self._client.heal)
        elif fault_id.isdecimal():
            await _beside(lambda: self._client.end(int(fault_id)))
        else:
            raise RefusedError(f"There is no fault {fault_id}.")


def _shown(fault: ShownFault) -> Json:
    effects = [f"{target}: {measured}" for target, measured, _ in fault.effects]
    return {
        "id": str(fault.number),
        "fault": {name: value for name, value in fault.fault.items() if value is not None},
        "text": _text(fault.fault),
        "command": fault.command,
        "toml": fault.toml,
        "effects": effects,
    }


def _text(table: Mapping[str, Any]) -> str:
    """Return a fault in a few words: its kind, whom it strikes, and how."""
    named = ("kind", "link", "region", "at_ms", "for_ms")
    how = ", ".join(f"{name} {value}" for name, value in table.items() if name not in named and value is not None)
    return f"{table['kind']} {table.get('link') or table.get('region')}{f' ({how})' if how else ''}"


class Pauses:
    """Pauses of replication, through the admin addresses: all that can be had where there are no proxies."""

    def __init__(self, clients: Mapping[str, AdminClient]) -> None:
        self._clients = clients
        self._paused: dict[str, Json] = {}
        self._numbers = 0

    async def faults(self) -> list[Json]:
        """Return the pauses that were made here and not ended here."""
        return list(self._paused.values())

    async def kinds(self) -> list[str]:
        """Return the one kind that there is."""
        return [PAUSE]

    async def apply(self, fault: Json) -> Json:
        """Pause a link."""
        value = await _beside(lambda: faults.decode(fault))
        if not isinstance(value, faults.Pause):
            raise RefusedError("This cluster was not started with faults: only replication can be paused.")
        links = await _beside(lambda: faults.links(value, list(self._clients)))
        for source, sink in links:
            await self._steer(AdminClient.pause, source, sink, value.for_ms)
        table = faults.encode(value)
        self._numbers += 1
        id_ = str(self._numbers)
        self._paused[id_] = {
            "id": id_,
            "fault": table,
            "text": _text(table),
            "command": command(table),
            "toml": toml(table),
            "effects": [],
        }
        return self._paused[id_]

    async def heal(self, fault_id: str | None = None) -> None:
        """End a pause, or all of them, whoever made them."""
        if fault_id is None:
            for source in self._clients:
                for sink in self._clients:
                    if source != sink:
                        await self._steer(AdminClient.resume, source, sink)
            self._paused.clear()
            return
        if fault_id not in self._paused:
            raise RefusedError(f"There is no fault {fault_id}.")
        paused = faults.decode(self._paused.pop(fault_id)["fault"])
        assert isinstance(paused, faults.Pause)
        for source, sink in faults.links(paused, list(self._clients)):
            await self._steer(AdminClient.resume, source, sink)

    async def _steer(self, ask: pausing.Ask, source: str, sink: str, for_ms: int | None = None) -> None:
        target = pausing.Target(source=source, sink=sink)
        await _beside(lambda: pausing.apply(self._clients, target, ask, direction="both", for_ms=for_ms))
