"""What could be wrong, looked at one by one: this machine, a running cluster, a region's file.

What: each function here looks at one thing and returns :class:`Finding`s: what was looked at, whether it is well, what
was found, and what to do where it is not. Nothing is changed, and no file that a region serves is touched.

Invariant: a finding that is not well has a remedy. What could not be looked at is not well, either.
"""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from atoll import __version__, ports, rendezvous
from atoll.failure import RemedyError, UnreachableError
from atoll.remote import AdminClient
from atoll.report import LIVE, Status
from atoll.trust import expires_s
from clock import SystemClock

if TYPE_CHECKING:
    import apsw

    from region.store.sealing import SealedKeys

PYTHON_MIN: Final = (3, 11)
FILES_MIN: Final = 1024
DISK_FREE_MIN: Final = 1 << 30
USUAL_PORTS: Final = (*range(8000, 8004), 8080)
SKEW_MS_MAX: Final = 500
CERTIFICATE_DAYS_MIN: Final = 30
_HOST: Final = "127.0.0.1"
_LOG: Final = "SELECT max(sequence), count(*), min(sequence) FROM log"
_RESTORE: Final = "Put an older copy in its place, or none: the region then fetches what it lacks from its peers."

_REPAIR: Final = "Start the region and run `atoll repair`: what differs is taken from its peers."


class Finding(NamedTuple):
    """What was looked at, whether it is well, what was found, and what to do."""

    what: str
    well: bool
    found: str
    remedy: str = ""


def machine() -> Iterator[Finding]:
    """Look at what Atoll runs on."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= PYTHON_MIN, version, "Atoll needs Python 3.11 or later.")
    yield from _packages()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    yield Finding(
        "open files",
        files >= FILES_MIN,
        f"up to {files}",
        f"Allow more: `ulimit -n {FILES_MIN}`; each client takes one.",
    )
    free = shutil.disk_usage(tempfile.gettempdir()).free
    yield Finding(
        "disk",
        free >= DISK_FREE_MIN,
        f"{free >> 20:,} MiB free in {tempfile.gettempdir()}",
        "Free some, or use --data.",
    )
    try:
        yield Finding("runtime folder", True, str(rendezvous.notes()))
    except (RemedyError, OSError) as error:
        remedy = error.remedy if isinstance(error, RemedyError) else "Set XDG_RUNTIME_DIR to a folder of yours."
        yield Finding("runtime folder", False, str(error), remedy)
    taken = [port for port in USUAL_PORTS if not _free(port)]
    found = f"{', '.join(map(str, taken))} in use" if taken else "free"
    # Not a fault: a demo that finds its usual ports taken uses others, and it may be a demo that has them.
    yield Finding("usual ports", True, f"{found} (8000 to 8003, 8080)")


def _packages() -> Iterator[Finding]:
    """Compare what is installed with what this Atoll asks for."""
    try:
        required = metadata.requires("atolldb") or []
    except metadata.PackageNotFoundError:
        yield Finding("packages", False, "atolldb is not installed", "Run `make setup`, or `pip install atolldb`.")
        return
    missing = []
    for name in (line.split(";")[0] for line in required if "extra ==" not in line):
        bare = name.split(">")[0].split("=")[0].split("<")[0].strip()
        with suppress(metadata.PackageNotFoundError):
            metadata.version(bare)
            continue
        missing.append(bare)
    found = f"missing: {', '.join(missing)}" if missing else f"all of atolldb {__version__}'s"
    yield Finding("packages", not missing, found, "Run `make setup`, or `pip install --force-reinstall atolldb`.")


def _free(port: int) -> bool:
    try:
        ports.Reservation(_HOST, port).release()
    except OSError:
        return False
    return True


def cluster(clients: Mapping[str, AdminClient]) -> Iterator[Finding]:
    """Look at a running cluster: every region, link and clock."""
    for region, client in clients.items():
        try:
            status = client.status()
        except UnreachableError as error:
            yield Finding(region, False, error.problem, error.remedy)
            continue
        yield Finding(region, status.state == LIVE, f"{status.state}, {status.addresses.api}", "Look into its log.")
        if status.version != __version__:
            yield Finding(region, False, f"runs Atoll {status.version}, this is {__version__}", "Restart the cluster.")
        yield from _links(region, status)
        yield from _certificate(region, client)
        for table in status.tables:
            if table.status == "INACCESSIBLE_ENCRYPTION_CREDENTIALS":
                found = "its master key cannot be used"
                yield Finding(f"{table.name} in {region}", False, found, "Enable its key, or bring the keyring back.")


def _certificate(region: str, client: AdminClient) -> Iterator[Finding]:
    """Look at how long the certificate still holds that a region shows."""
    if not client.url.startswith("https:"):
        return
    left_s = expires_s(urlsplit(client.url), client.trust) - SystemClock().now_ms() / 1000
    days = int(left_s // 86_400)
    remedy = "Make a new one with `atoll certificates`, and send the region SIGHUP."
    yield Finding(f"certificate of {region}", days >= CERTIFICATE_DAYS_MIN, f"holds for {days} days", remedy)


def _links(region: str, status: Status) -> Iterator[Finding]:
    into = [link for link in status.links if link.sink == region]
    ill = [link for link in into if link.state != LIVE]
    if into and not ill:
        yield Finding(f"links into {region}", True, f"{len(into)} live")
    for link in ill:
        detail = f": {link.detail}" if link.detail else ""
        yield Finding(f"{link.source}->{region}", False, f"{link.state}{detail}", "`atoll lag` shows more.")
    skews = sorted(-link.skew_ms for link in into)
    if skews and abs(skew := skews[len(skews) // 2]) > SKEW_MS_MAX:
        yield Finding(
            f"clock of {region}", False, f"{skew:+} ms from its peers", "Synchronise the machine's clock (NTP)."
        )


def data(folder: Path, keyring: Path | None = None) -> Iterator[Finding]:
    """Look at the files of a cluster or of a region that does not run; ``keyring`` opens what is encrypted.

    The file of a running region is left alone: its lock says so.
    """
    files = sorted(folder.glob("region.sqlite")) + sorted(folder.glob("*/region.sqlite"))
    if not files:
        yield Finding(
            str(folder), False, "no region.sqlite in it or one folder below", "Name a region's or a cluster's folder."
        )
    for file in files:
        yield from _file(file, keyring)


def _file(file: Path, keyring: Path | None) -> Iterator[Finding]:
    # Loaded where it is needed: looking at a machine must work where SQLite itself is what is wrong.
    import apsw  # noqa: PLC0415  See above.

    from region.errors import StoreError  # noqa: PLC0415  As above.
    from region.store.lock import FileLock  # noqa: PLC0415  As above.
    from region.store.schema import VERSION  # noqa: PLC0415  As above.
    from region.store.verification import damage  # noqa: PLC0415  As above.

    try:
        lock = FileLock(file)
    except StoreError as error:
        yield Finding(str(file), True, str(error).split(":", maxsplit=1)[0])
        return
    try:
        with closing(apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            problems = [row[0] for row in connection.execute("PRAGMA quick_check")]
            meta = dict(connection.execute("SELECT name, value FROM meta"))
            head, records, tail = next(
                iter(connection.execute("SELECT max(sequence), count(*), min(sequence) FROM log"))
            )
            # An older layout has no digests and no checksums; the next start gives them to it.
            keys = _keys(connection, keyring, meta)
            damaged = list(damage(connection, str(file), keys)) if meta.get("schema_version") == str(VERSION) else []
    except apsw.Error as error:
        yield Finding(str(file), False, f"cannot be read: {error}", _RESTORE)
        return
    finally:
        lock.release()
    whole = problems == ["ok"]
    found = f"{meta.get('region')}, layout {meta.get('schema_version')}, {records:,} records in the log"
    yield Finding(str(file), whole, found if whole else "; ".join(problems[:3]), _RESTORE)
    for problem in damaged:
        yield Finding(f"rows of {file}", False, problem, _RESTORE if "encrypted" in problem else _REPAIR)
    gaps = 0 if head is None else head - tail + 1 - records
    if gaps:
        yield Finding(f"log of {file}", False, f"{gaps} records are missing", _RESTORE)


def _keys(connection: apsw.Connection, keyring: Path | None, meta: Mapping[str, str]) -> SealedKeys | None:
    if keyring is None:
        return None
    # Loaded on first use, as in _file.
    from atoll.keyring import FileKeyring  # noqa: PLC0415
    from region.randomness import SystemRng  # noqa: PLC0415
    from region.store.sealing import SealedKeys  # noqa: PLC0415

    rng, now_ms, region = SystemRng(), SystemClock().now_ms, meta["region"]
    ring = FileKeyring(str(keyring), region=region, account="", rng=rng, now_ms=now_ms, environment={})
    return SealedKeys(connection.execute, ring, rng, region)


def well(findings: Iterable[Finding]) -> bool:
    """Whether nothing is wrong."""
    return all(finding.well for finding in findings)
