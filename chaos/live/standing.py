"""The faults that stand in a running cluster: applied, proved, listed, ended by themselves or by healing.

What: :meth:`Standing.apply` begins a fault everywhere it strikes, probes its effect, and keeps how to end it. One
thread ends faults whose time is over and repeats those that strike again and again.

Invariants: a fault that could not be begun everywhere is begun nowhere. What a region does to itself is always the sum
of the faults that stand, also after it was started again. :meth:`Standing.heal` ends all, last first, starts every
region that is down, and returns when every link that no pause holds answers a probe. All methods may be called from
any thread.

Hazard: ``at_ms`` is for scripts: a fault that is applied begins now.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any, Final

import msgspec

from chaos import faults
from chaos.faults import SIMULATED_ONLY, ClockJump, Crash, Fault, LinkFault, Loss, RegionFault, RestoreOldCopy, Suspend
from chaos.live import links, processes
from chaos.live.fleet import Condition, Disturbance, Fleet
from chaos.live.links import Effect, Undo
from chaos.live.toxiproxy import Toxiproxy

PROOF_S: Final = 3.0
"""A fault's effect shows within this, or it has none."""
HEALED_S: Final = 10.0
AGAIN_S: Final = 1.0
RETRY_S: Final = 0.05


class IneffectiveError(Exception):
    """A fault was applied, and a probe shows that it has no effect."""


class StandingFault(msgspec.Struct, kw_only=True):
    """One fault that stands."""

    number: int
    fault: dict[str, Any]
    """The fault as a table, as scripts have it."""
    since_s: float
    """When it began, in seconds on the machine's stopwatch."""
    until_s: float | None
    """When it ends by itself."""
    effects: list[Effect]
    """What probes measured of it, target by target."""


class _Entry:
    def __init__(self, number: int, fault: Fault) -> None:
        self.fault = fault
        self.undo = ExitStack()
        now = time.monotonic()
        self.shown = StandingFault(
            number=number,
            fault=faults.encode(fault),
            since_s=now,
            until_s=None if fault.for_ms is None else now + fault.for_ms / 1000,
            effects=[],
        )


class Standing:
    """The faults of one running cluster."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._proxies = Toxiproxy(fleet.proxy_api)
        self._numbers = itertools.count(1)
        self._entries: dict[int, _Entry] = {}
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._again_s = 0.0
        self._closed = False
        self._problem = ""
        self._thread: threading.Thread | None = None

    @staticmethod
    def now_s() -> float:
        """Return the time that :class:`StandingFault` speaks of."""
        return time.monotonic()

    def standing(self) -> list[StandingFault]:
        """Return what stands, oldest first."""
        with self._lock:
            return [entry.shown for entry in self._entries.values()]

    def apply(self, fault: Fault, *, prove: bool = True) -> StandingFault:
        """Begin a fault; return it with what probes measured.

        Raises:
            ValueError: it names a region that there is not, or real processes cannot do it.
            IneffectiveError: a probe sees nothing of it; it is ended again.
        """
        if isinstance(fault, SIMULATED_ONLY):
            raise ValueError(f"{fault.kind} is for the simulation only: TCP does not do that")
        faults.strikes(fault, self._fleet.regions)
        with self._lock:
            entry = _Entry(next(self._numbers), fault)
            self._entries[entry.shown.number] = entry
            try:
                self._begin(entry, prove=prove)
            except BaseException:
                self._end(entry)
                raise
            self._watch()
            return entry.shown

    def _begin(self, entry: _Entry, *, prove: bool) -> None:
        fault, fleet = entry.fault, self._fleet
        if isinstance(fault, LinkFault):
            pairs = faults.links(fault, fleet.regions)
            for source, sink in pairs:
                entry.undo.callback(links.begin(fault, entry.shown.number, fleet, self._proxies, source, sink))
            if prove:
                probes = [partial(self._prove_link, entry, fault, source, sink) for source, sink in pairs]
                with ThreadPoolExecutor(
                    max_workers=max(1, len(probes))
                ) as pool:  # Each waits for an answer, or for none.
                    entry.shown.effects += pool.map(lambda probe: probe(), probes)
        elif isinstance(fault, RegionFault):
            for region in faults.strikes(fault, fleet.regions):
                self._begin_at(entry, fault, region, prove=prove)
        if fault.kind == "tear":
            self._end(entry)  # It happens once.

    def _begin_at(self, entry: _Entry, fault: RegionFault, region: str, *, prove: bool) -> None:
        fleet = self._fleet
        if isinstance(fault, processes.OWN) and not self._answers(region):
            entry.undo.callback(lambda: self._disturb_again(region))
            entry.shown.effects.append(Effect(region, "not measured: the region is down; it will know", True))
        elif isinstance(fault, processes.OWN):
            before = fleet.condition(region)
            after = self._disturb(region)
            entry.undo.callback(lambda: self._disturb_again(region))
            if prove:
                entry.shown.effects.append(self._checked(processes.prove_own(fault, region, before, after, fleet)))
        elif isinstance(fault, Crash):
            entry.undo.callback(self._then_disturb(region, processes.crash(fleet, region)))
            entry.shown.effects.append(self._checked(processes.prove_dead(fleet, region)))
        elif isinstance(fault, Suspend):
            entry.undo.callback(processes.suspend(fleet, region))
            if prove:
                entry.shown.effects.append(self._proved(lambda: processes.prove_suspended(fleet, region)))
        elif isinstance(fault, RestoreOldCopy):
            entry.undo.callback(self._then_disturb(region, processes.restore_old_copy(fleet, region)))

    def _then_disturb(self, region: str, undo: Undo) -> Undo:
        def both() -> None:
            undo()
            self._disturb_again(region)

        return both

    def _disturb(self, region: str) -> Condition:
        return self._fleet.disturb(region, self._disturbance(region))

    def _disturb_again(self, region: str) -> None:
        """Let a region know what still stands; one that is down is told when it starts again."""
        if self._answers(region):
            self._disturb(region)

    def _answers(self, region: str) -> bool:
        """Whether a region's process is there and not suspended."""
        return self._fleet.running(region) and not any(
            isinstance(entry.fault, Suspend) and region in faults.strikes(entry.fault, self._fleet.regions)
            for entry in self._entries.values()
        )

    def _hidden_by(self, entry: _Entry, link: str, ends: tuple[str, ...]) -> int | None:
        """Return the number of another fault that strikes the same link, or stops an end of it."""
        for number, other in self._entries.items():
            fault = other.fault
            if other is entry:
                continue
            if isinstance(fault, LinkFault) and link in (
                "->".join(it) for it in faults.links(fault, self._fleet.regions)
            ):
                return number
            if isinstance(fault, Crash | Suspend) and set(ends) & set(faults.strikes(fault, self._fleet.regions)):
                return number
        return None

    def _disturbance(self, region: str) -> Disturbance:
        struck = [
            entry.fault
            for entry in self._entries.values()
            if isinstance(entry.fault, processes.OWN) and region in faults.strikes(entry.fault, self._fleet.regions)
        ]
        return processes.disturbance(struck)

    def _prove_link(self, entry: _Entry, fault: LinkFault, source: str, sink: str) -> Effect:
        """Probe a link; where another fault strikes, too, a probe would measure both."""
        other = self._hidden_by(entry, f"{source}->{sink}", (source, sink))
        if other is not None:
            return Effect(f"{source}->{sink}", f"not measured: fault {other} strikes there, too", True)
        return self._proved(partial(links.prove, fault, self._fleet, source, sink))

    def _proved(self, probe: Callable[[], Effect]) -> Effect:
        """Probe until the effect shows; a fault may take a moment to reach a connection."""
        deadline = time.monotonic() + PROOF_S
        effect = probe()
        while not effect.holds and time.monotonic() < deadline:
            time.sleep(RETRY_S)
            effect = probe()
        return self._checked(effect)

    @staticmethod
    def _checked(effect: Effect) -> Effect:
        if not effect.holds:
            raise IneffectiveError(f"The fault has no effect at {effect.target}: {effect.measured}.")
        return effect

    # Ending

    def end(self, number: int) -> StandingFault | None:
        """End one fault; ``None`` if it does not stand."""
        with self._lock:
            entry = self._entries.get(number)
            if entry is None:
                return None
            self._end(entry)
            return entry.shown

    def _end(self, entry: _Entry) -> None:
        self._entries.pop(entry.shown.number, None)
        entry.undo.close()  # All that was begun is undone, last first, also when one of them fails.

    def heal(self) -> list[StandingFault]:
        """End every fault, last first, and start every region that is down; return what was ended.

        Raises:
            IneffectiveError: a link still does not answer, or a fault whose time was over could not be ended.
        """
        with self._lock:
            ended = list(reversed(self._entries.values()))
            for entry in ended:
                self._end(entry)
            for region in self._fleet.regions:
                if not self._fleet.running(region):
                    self._fleet.restart(region)
            deadline = time.monotonic() + HEALED_S
            for source, sink in faults.links(LinkFault(), self._fleet.regions):
                while not links.passes(self._fleet, source, sink, 2.0):
                    if time.monotonic() > deadline:
                        raise IneffectiveError(f"The link {source}->{sink} still does not answer.")
            if self._problem:
                problem, self._problem = self._problem, ""
                raise IneffectiveError(problem)
            return [entry.shown for entry in reversed(ended)]

    def close(self) -> None:
        """Watch no more, and let suspended processes go on; the cluster itself is about to end."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()
            for entry in [entry for entry in self._entries.values() if isinstance(entry.fault, Suspend)]:
                self._end(entry)
            self._entries.clear()
        if self._thread is not None:
            self._thread.join()

    # Time

    def _watch(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="faults", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        with self._lock:
            while not self._closed:
                now = time.monotonic()
                for entry in list(self._entries.values()):
                    if entry.shown.until_s is not None and entry.shown.until_s <= now and not _for_good(entry.fault):
                        self._end_by_itself(entry)
                if now >= self._again_s:
                    self._again_s = now + AGAIN_S
                    self._strike_again()
                self._changed.wait(self._pause_s())

    def _end_by_itself(self, entry: _Entry) -> None:
        try:
            self._end(entry)
        except Exception as error:  # Nobody waits for this thread: whoever heals next is told.
            self._problem = f"{faults.describe(entry.fault)} did not end: {error}"

    def _pause_s(self) -> float | None:
        times = [entry.shown.until_s for entry in self._entries.values() if entry.shown.until_s is not None]
        if any(isinstance(entry.fault, Loss) for entry in self._entries.values()):
            times.append(self._again_s)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _strike_again(self) -> None:
        for entry in self._entries.values():
            if isinstance(entry.fault, Loss):
                for source, sink in faults.links(entry.fault, self._fleet.regions):
                    links.strike_again(entry.shown.number, self._fleet, self._proxies, source, sink)


def _for_good(fault: Fault) -> bool:
    """Whether only healing ends a fault, whatever it says."""
    return isinstance(fault, ClockJump)
