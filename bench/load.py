"""Load with wrk from one core on a server on the other, and what it cost the server's process."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

SCRIPT: Final = Path(__file__).with_name("load.lua")
OPERATIONS: Final = ("GetItem", "PutItem", "UpdateItem", "Query", "BatchWriteItem")
_UNIT_MS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Sample(NamedTuple):
    """One run: operations per second, latencies in ms, CPU of the server per operation in µs (``None``: unknown)."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float | None


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


def run(
    url: str, pid: int | None, operation: str, *, items: int, connections: int, seconds: float, seed: int
) -> Sample:
    """Send one operation for some seconds; every answer must be a success."""
    before = cpu_seconds(pid) if pid else 0.0
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "-s", str(SCRIPT)]
    command += [url, "--", operation, str(items), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=_load_core)
    after = cpu_seconds(pid) if pid else 0.0
    requests = int(_find(r"(\d+) requests in", done.stdout))
    if "Non-2xx" in done.stdout or not requests:
        raise RuntimeError(f"{operation} on {url} failed:\n{done.stdout}\n{done.stderr}")
    return Sample(
        float(_find(r"Requests/sec:\s+([\d.]+)", done.stdout)),
        _milliseconds(_find(r"50%\s+(\S+)", done.stdout)),
        _milliseconds(_find(r"99%\s+(\S+)", done.stdout)),
        (after - before) * 1e6 / requests if pid else None,
    )


def pin(pid: int, core: int) -> None:
    """Keep a process on one core, where there is more than one."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(pid, {cores[core % len(cores)]})


def _load_core() -> None:
    pin(0, 1)


def _find(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk printed something unexpected:\n{text}")
    return match[1]


def _milliseconds(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    return float(match[1]) * _UNIT_MS[match[2]] if match else float("nan")
