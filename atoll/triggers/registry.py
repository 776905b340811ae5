"""All triggers of a region: those of its configuration and those that were added to it, kept over restarts.

What: :class:`Triggers` makes, changes, pauses and removes triggers, and wakes them when something is committed. What
was added, and what was paused, stands in the region's file; the settings of configured ones stand in the configuration.

Invariants: without a trigger nothing listens and nothing runs. A name belongs to one trigger of a region. A change is
durable before it is answered. A trigger that is taken out of the configuration does not run and keeps its place: put in
again, it goes on. One that is removed forgets it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from atoll.failure import UsageError
from atoll.triggers.announcing import announce
from atoll.triggers.destination import destination
from atoll.triggers.effects import announcement
from atoll.triggers.function import Function, function_name
from atoll.triggers.http import HttpFunction
from atoll.triggers.keeping import keep, meta_name
from atoll.triggers.process import CallableFunction
from atoll.triggers.report import TriggerRecord
from atoll.triggers.settings import TriggerSettings, check, kind_of, url_of
from atoll.triggers.trigger import DISABLED, Trigger
from region.engine import Engine
from region.events import Committed, Event, TableChanged
from region.randomness import uuid

META: Final = "triggers"
"""Under which name a region's file keeps what was added and what was paused."""

Build = Callable[[str, str], Function]


class UnknownTriggerError(UsageError):
    """There is no trigger of that name or UUID."""


def functions_in(folder: Path | None) -> Build:
    """Return what makes functions; what callables print goes to files in a folder, ``None``: to standard error."""

    def build(name: str, target: str) -> Function:
        if kind_of(target) == "http":
            return HttpFunction(url_of(target))
        return CallableFunction(name, target, None if folder is None else folder / f"{name}.log")

    return build


class UnknownFunctionError(UsageError):
    """The configuration has no function of that name."""

    def __init__(self, function: str, known: Mapping[str, str]) -> None:
        names = ", ".join(known) or "none"
        super().__init__(f"There is no function {function}.", f"[functions] of the configuration has {names}.")
        self.function = function


class Triggers:
    """The triggers of one region. ``build`` makes a function of its name and its target."""

    def __init__(
        self,
        engine: Engine,
        configured: tuple[TriggerSettings, ...],
        functions: Mapping[str, str],
        build: Build,
    ) -> None:
        self._engine = engine
        self._configured = configured
        self._functions = functions
        self._build = build
        self._triggers: dict[str, Trigger] = {}
        self._called: dict[str, Function] = {}
        self._unsubscribe: Callable[[], None] | None = None
        self._changing = asyncio.Lock()

    def start(self) -> None:
        """Run the triggers that there are.

        Raises:
            UsageError: one of the configuration names a function that there is none of.
        """
        text = self._engine.store.meta(META)
        kept = msgspec.json.decode(text, type=list[TriggerRecord]) if text else []
        paused = {record.uuid for record in kept if record.paused}
        now_ms = self._engine.source.now_ms()
        records = [record for record in kept if not record.configured]
        for settings in self._configured:
            uuid_ = configured_uuid(self._engine.settings.region, settings.name)
            records.append(
                TriggerRecord(
                    uuid=uuid_,
                    settings=check(settings),
                    created_ms=now_ms,
                    modified_ms=now_ms,
                    configured=True,
                    paused=uuid_ in paused,
                )
            )
        for record in records:
            self._take(self._make(record))
        self._announce()

    async def stop(self) -> None:
        """Stop all at once; what is under way is handed over again after the next start."""
        self._listen(wanted=False)
        ending = [trigger.stop() for trigger in self._triggers.values()]
        await asyncio.gather(*ending, *[function.close() for function in self._called.values()])

    def all(self) -> list[Trigger]:
        """Return the triggers, in the order in which they were made."""
        return list(self._triggers.values())

    def find(self, name: str) -> Trigger:
        """Return a trigger by its name or its UUID.

        Raises:
            UnknownTriggerError: there is none.
        """
        for trigger in self._triggers.values():
            if name in (trigger.name, trigger.record.uuid):
                return trigger
        raise UnknownTriggerError(f"There is no trigger {name} in {self._engine.settings.region}.", "")

    def function(self, name: str) -> Function:
        """Return a function of the configuration, to be called by itself.

        Raises:
            UnknownFunctionError: there is none of that name.
        """
        if name not in self._functions:
            raise UnknownFunctionError(name, self._functions)
        if name not in self._called:
            self._called[name] = self._build(name, self._functions[name])
        return self._called[name]

    async def add(self, settings: TriggerSettings, uuid_: str | None = None) -> Trigger:
        """Add a trigger, durably, and let it run; it has a UUID of its own where none is given.

        Raises:
            UsageError: the settings cannot be meant so, or the name is taken.
        """
        async with self._changing:
            check(settings)
            if any(trigger.name == settings.name for trigger in self._triggers.values()):
                raise UsageError(f"There is a trigger {settings.name} already.", "Choose another name, or remove it.")
            now_ms = self._engine.source.now_ms()
            record = TriggerRecord(
                uuid=uuid_ or uuid(self._engine.rng), settings=settings, created_ms=now_ms, modified_ms=now_ms
            )
            trigger = self._make(record)
            await self._keep([*self._records(), record], {meta_name(record.uuid): trigger.positions_text()})
            self._take(trigger)
            self._announce()
            return trigger

    async def change(self, name: str, settings: TriggerSettings) -> Trigger:
        """Give a trigger other settings, which hold from the next batch on.

        Raises:
            UsageError: there is none, the settings cannot be meant so, or they stand in the configuration.
        """
        async with self._changing:
            before = self.find(name)
            if before.record.configured:
                raise UsageError(
                    f"{before.name} stands in the configuration.", "Change it there and restart the region."
                )
            record = msgspec.structs.replace(
                before.record, settings=check(settings), modified_ms=self._engine.source.now_ms(), paused=False
            )
            return await self._replace(before, record)

    async def pause(self, name: str, *, paused: bool) -> Trigger:
        """Pause a trigger once its calls have ended, or let it go on.

        Raises:
            UnknownTriggerError: there is none.
        """
        async with self._changing:
            before = self.find(name)
            settings = before.record.settings
            if not paused and not settings.enabled and not before.record.configured:
                settings = msgspec.structs.replace(settings, enabled=True)
            record = msgspec.structs.replace(
                before.record, settings=settings, paused=paused, modified_ms=self._engine.source.now_ms()
            )
            return await self._replace(before, record)

    async def remove(self, name: str) -> Trigger:
        """Remove a trigger once its calls have ended, and forget how far it had come.

        Raises:
            UsageError: there is none, or it stands in the configuration.
        """
        async with self._changing:
            trigger = self.find(name)
            if trigger.record.configured:
                raise UsageError(f"{trigger.name} stands in the configuration.", "Take it out there, or pause it.")
            trigger.change_state("Deleting")
            await trigger.rest()
            uuid_ = trigger.record.uuid
            left = [record for record in self._records() if record.uuid != uuid_]
            await self._keep(left, {meta_name(uuid_): ""})
            del self._triggers[uuid_]
            self._listen(wanted=bool(self._triggers))
            self._announce()
            return trigger

    async def _replace(self, before: Trigger, record: TriggerRecord) -> Trigger:
        """Put a trigger with another record in the place of one, once that one's calls have ended."""
        before.change_state("Disabling" if record.paused or not record.settings.enabled else "Updating")
        await before.rest()
        await self._keep([record if each.uuid == record.uuid else each for each in self._records()])
        trigger = self._make(record)
        trigger.tally = before.tally
        if trigger.state == DISABLED:
            before.change_state(DISABLED)
        self._take(trigger)
        self._announce()
        return trigger

    def _announce(self) -> None:
        """Tell the other regions which functions are called here."""
        told: dict[str, list[tuple[str, TriggerRecord]]] = {}
        for trigger in self._triggers.values():
            settings = trigger.record.settings
            told.setdefault(settings.table, []).append((function_name(settings), trigger.record))
        announce(self._engine, {table: announcement(records) for table, records in told.items()})

    def _records(self) -> list[TriggerRecord]:
        return [trigger.record for trigger in self._triggers.values()]

    def _make(self, record: TriggerRecord) -> Trigger:
        settings = record.settings
        return Trigger(self._engine, record, self._function(settings), destination(settings.on_failure))

    def _take(self, trigger: Trigger) -> None:
        self._triggers[trigger.record.uuid] = trigger
        self._listen(wanted=True)
        trigger.start()

    def _function(self, settings: TriggerSettings) -> Function:
        target, name = settings.function, function_name(settings)
        if kind_of(target) == "name":
            if target not in self._functions:
                raise UnknownFunctionError(target, self._functions)
            target = self._functions[target]
        return self._build(name, target)

    def _listen(self, *, wanted: bool) -> None:
        if wanted and self._unsubscribe is None:
            self._unsubscribe = self._engine.events.subscribe(self._heard)
        elif not wanted and self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _heard(self, event: Event) -> None:
        if type(event) is Committed:
            for trigger in self._triggers.values():
                trigger.wake()
        elif type(event) is TableChanged:
            for trigger in self._triggers.values():
                trigger.look()
            self._announce()

    async def _keep(self, records: list[TriggerRecord], positions: Mapping[str, str] = MappingProxyType({})) -> None:
        """Make the list of triggers durable, of configured ones only that they are paused; and positions with it."""
        kept = [record for record in records if not record.configured or record.paused]
        await keep(self._engine, {META: msgspec.json.encode(kept).decode(), **positions})


def configured_uuid(region: str, name: str) -> str:
    """Return the UUID of a trigger of a region's configuration, which is always the same."""
    digits = blake2b(f"{region}/{name}".encode(), digest_size=16).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
