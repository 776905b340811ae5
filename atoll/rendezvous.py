"""Finding running clusters: the ``cluster.json`` of each, and the note in the user's runtime folder that leads to it.

What: a cluster writes ``cluster.json`` into its data folder, and leaves a note with that file's path in a folder of
the user's own. Commands look for their cluster at ``--cluster``, then at ``$ATOLL_CLUSTER``, then at the newest note
whose process still lives.

Invariants: files appear whole or not at all; the notes' folder belongs to this user alone. Notes of dead processes are
swept away by whoever meets them.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from atoll.failure import RemedyError, UnknownRegionError
from atoll.remote import AdminClient
from atoll.trust import SYSTEM, Trust, from_environment

CLUSTER_FILE: Final = "cluster.json"
VARIABLE: Final = "ATOLL_CLUSTER"


class RegionAddress(msgspec.Struct, kw_only=True, frozen=True):
    """One region of a cluster: its name, its URLs, its process."""

    region: str
    endpoint: str
    admin: str
    replication: str
    pid: int


class ClusterFile(msgspec.Struct, kw_only=True, frozen=True):
    """The content of ``cluster.json``. ``pid`` is the process that owns the cluster."""

    pid: int
    data: str
    regions: list[RegionAddress]
    gateway: str | None = None
    """The URL of the gateway, where there is one."""
    control: str | None = None
    """The URL where faults are applied and healed, where there is one."""
    trust: Trust | None = None
    """Whom to trust, and what to show, where the URLs are those of TLS."""


class NoClusterError(RemedyError):
    """There is no cluster to talk to."""


def write(file: ClusterFile) -> Path:
    """Write ``cluster.json`` into the cluster's data folder, whole or not at all."""
    path = Path(file.data) / CLUSTER_FILE
    _replace(path, msgspec.json.format(msgspec.json.encode(file), indent=2))
    return path


def announce(path: Path) -> Path:
    """Leave a note that leads to a ``cluster.json``; return the note."""
    note = notes() / f"{os.getpid()}-{path.parent.name}"
    _replace(note, str(path).encode())
    return note


def notes() -> Path:
    """Return the folder of notes, made if need be.

    Raises:
        RemedyError: the folder is not this user's own.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(base) / "atoll" if base else Path(tempfile.gettempdir()) / f"atoll-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise RemedyError(f"{folder} does not belong to you.", "Set XDG_RUNTIME_DIR to a folder that does.")
    return folder


def find(target: str | None, environment: Mapping[str, str]) -> dict[str, AdminClient]:
    """Return the admin clients of the cluster's regions, by region name.

    Args:
        target: a ``cluster.json``, the folder that holds one, or admin URLs separated by commas; ``None`` looks at
            ``$ATOLL_CLUSTER`` and then for the cluster that was started last.
        environment: the environment variables.

    Raises:
        NoClusterError: nothing is there, or nothing runs.
        UnreachableError: an admin URL does not answer.
    """
    target = target or environment.get(VARIABLE)
    if target is None:
        return _clients(newest())
    if "://" in target:
        trust = from_environment(environment)
        clients = [AdminClient(url.strip(), trust=trust) for url in target.split(",") if url.strip()]
        return {client.health().region: client for client in clients}
    return _clients(_read(target))


def _read(target: str) -> ClusterFile:
    """Read a ``cluster.json``, given itself or by its folder."""
    path = Path(target)
    path = path / CLUSTER_FILE if path.is_dir() else path
    file = read(path)
    if file is None:
        raise NoClusterError(f"There is no cluster file at {path}.", "Give a cluster.json, its folder or admin URLs.")
    return file


def control(target: str | None, environment: Mapping[str, str]) -> str | None:
    """Return the URL where the cluster's faults are controlled, ``None`` if it has none; the target is as for ``find``.

    Raises:
        NoClusterError: nothing is there, or nothing runs.
    """
    target = target or environment.get(VARIABLE)
    if target is None:
        return newest().control
    return None if "://" in target else _read(target).control


def newest() -> ClusterFile:
    """Return the cluster that was started last and still lives, and sweep away the notes of those that do not.

    Where several live, it says on standard error which one it is: a test run elsewhere may be the newest.
    """
    living: list[tuple[Path, ClusterFile]] = []
    for note in sorted(notes().iterdir(), key=_age, reverse=True):
        with contextlib.suppress(OSError):
            path = Path(note.read_text())
            file = read(path)
            if file is not None and alive(file.pid):
                living.append((path, file))
            elif not alive(_owner(note)):
                note.unlink()
    if not living:
        raise NoClusterError("No cluster is running.", "Start one with `atoll demo`, or name one with --cluster.")
    path, file = living[0]
    if len(living) > 1:
        sys.stderr.write(f"{len(living)} clusters run; this is the newest, {path.parent}. --cluster names another.\n")
    return file


def read(path: Path) -> ClusterFile | None:
    """Read a ``cluster.json``; ``None`` if there is none, or something else is there."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ClusterFile)
    except (OSError, msgspec.DecodeError):
        return None


def this_process() -> int:
    """Return the number of this process, as ``ClusterFile.pid`` wants it."""
    return os.getpid()


def alive(pid: int) -> bool:
    """Whether a process of that number exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def require_region(region: str, clients: Mapping[str, AdminClient]) -> AdminClient:
    """Return the client of a region.

    Raises:
        UnknownRegionError: the cluster has no such region.
    """
    if region not in clients:
        raise UnknownRegionError(f"This cluster has no region {region!r}.", f"It has {', '.join(sorted(clients))}.")
    return clients[region]


def _clients(file: ClusterFile) -> dict[str, AdminClient]:
    return {address.region: AdminClient(address.admin, trust=file.trust or SYSTEM) for address in file.regions}


def _age(note: Path) -> float:
    with contextlib.suppress(OSError):
        return note.stat().st_mtime
    return 0.0


def _owner(note: Path) -> int:
    digits = note.name.partition("-")[0]
    return int(digits) if digits.isdigit() and int(digits) > 0 else os.getpid()


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(path)
