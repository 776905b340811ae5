"""Faults of regions on real processes: signals, restarts, and what a region does to itself when asked.

What: kills with ``kill -9``, suspends with SIGSTOP, restores old copies of a region's database; clocks and disks are
set wrong by the region itself (:class:`~chaos.live.fleet.Disturbance`), as the sum of all faults that stand.

Invariants: a suspended process goes on when the one that suspended it ends, in whatever way: a shell on a pipe that
only this process holds sends SIGCONT when the pipe closes. A copy is taken through SQLite's own backup, so it is a
database as of one moment.

Source: signal(7); https://sqlite.org/backup.html.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

from chaos.faults import ClockDrift, ClockFreeze, ClockJump, ClockOffset, DiskFull, DiskSlow, RegionFault
from chaos.live.fleet import Condition, Disturbance, Fleet
from chaos.live.links import Effect, Undo

DATABASE: Final = "region.sqlite"
GUARD: Final = 'kill -STOP "$1" && echo stopped; cat >/dev/null; kill -CONT "$1"'
CLOCK_SLACK_MS: Final = 60
MOMENT_S: Final = 0.1
OWN: Final = (ClockOffset, ClockDrift, ClockJump, ClockFreeze, DiskFull, DiskSlow)
"""The faults that a region does to itself."""


def disturbance(standing: Iterable[RegionFault]) -> Disturbance:
    """Return what is wrong with a region altogether."""
    faults = list(standing)
    moved = [fault.ms for fault in faults if isinstance(fault, ClockOffset | ClockJump)]
    slow = [fault.ms for fault in faults if isinstance(fault, DiskSlow)]
    return Disturbance(
        clock_offset_ms=sum(moved),
        clock_drift_ppm=sum(fault.ppm for fault in faults if isinstance(fault, ClockDrift)),
        clock_frozen=any(isinstance(fault, ClockFreeze) for fault in faults),
        disk_full=any(isinstance(fault, DiskFull) for fault in faults),
        disk_slow_ms=max(slow, default=0),
    )


def crash(fleet: Fleet, region: str) -> Undo:
    """Kill a region; the end of the fault starts it again."""
    fleet.kill(region)
    return lambda: None if fleet.running(region) else fleet.restart(region)


def suspend(fleet: Fleet, region: str) -> Undo:
    """Stop a region's process where it stands; the end of the fault lets it go on."""
    guard = subprocess.Popen(
        ["/bin/sh", "-c", GUARD, "guard", str(fleet.pid(region))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert guard.stdout is not None
    guard.stdout.readline()

    def undo() -> None:
        guard.communicate()

    return undo


def restore_old_copy(fleet: Fleet, region: str) -> Undo:
    """Copy a region's database now; the end of the fault starts the region from the copy."""
    file = fleet.folder(region) / DATABASE
    copy = file.with_name("old-copy.sqlite")
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)

    def undo() -> None:
        fleet.stop_region(region)
        for leftover in (file, *(Path(f"{file}{suffix}") for suffix in ("-wal", "-shm"))):
            leftover.unlink(missing_ok=True)
        shutil.move(copy, file)
        fleet.restart(region)

    return undo


def prove_own(fault: RegionFault, region: str, before: Condition, after: Condition, fleet: Fleet) -> Effect:
    """Measure the effect of a fault that a region does to itself, from how it did before and after."""
    match fault:
        case ClockOffset(ms=ms) | ClockJump(ms=ms):
            moved = (after.wall_ms - after.real_ms) - (before.wall_ms - before.real_ms)
            return Effect(region, f"clock moved by {moved} ms", abs(moved - ms) <= CLOCK_SLACK_MS)
        case ClockDrift(ppm=ppm):
            time.sleep(MOMENT_S)
            later = fleet.condition(region)
            span_ms = later.real_ms - after.real_ms
            gained = (later.wall_ms - after.wall_ms) - span_ms
            return Effect(region, f"gained {gained} ms in {span_ms} ms", abs(gained - span_ms * ppm / 1e6) <= 2)
        case ClockFreeze():
            time.sleep(MOMENT_S)
            passed = fleet.condition(region).wall_ms - after.wall_ms
            return Effect(region, f"clock went on by {passed} ms in {MOMENT_S * 1000:.0f} ms", passed == 0)
        case DiskFull():
            return Effect(
                region, "a commit " + ("failed" if after.commit_ms is None else "worked"), after.commit_ms is None
            )
        case DiskSlow(ms=ms):
            took = after.commit_ms
            return Effect(region, f"a commit took {took} ms", took is not None and took >= ms)
    raise AssertionError(f"{fault.kind} is not done by the region itself")


def prove_dead(fleet: Fleet, region: str) -> Effect:
    """Look whether a process is gone."""
    gone = not fleet.running(region)
    return Effect(region, "the process is gone" if gone else "the process runs", gone)


def prove_suspended(fleet: Fleet, region: str) -> Effect:
    """Look at the state of a process."""
    status = Path(f"/proc/{fleet.pid(region)}/status").read_text()
    state = next(line.partition(":")[2].strip() for line in status.splitlines() if line.startswith("State:"))
    return Effect(region, f"process state {state}", state.startswith("T"))
