"""Regions, gateways and dashboards as child processes: started, waited for, stopped, killed; never left behind.

What: a child is ``python -P -m atoll VERB --tethered``. Its standard output is a pipe on which it reports, as one line
of JSON, that it is ready (:class:`Ready`, :class:`Serving`) or why it is not (:class:`Refused`). Its standard
input is the tether: a pipe that nobody writes to. When it closes, because the parent closed it or died in whatever way,
the child stops.

Invariants: a child in a session of its own does not see the terminal's Ctrl-C; it ends when its parent says so. Logs go
to ``region.log`` or, say, ``gateway.log`` in the child's folder.
"""

from __future__ import annotations

import os
import selectors
import signal
import site
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from atoll import config as configuration
from atoll.failure import CrashedError, StartError
from atoll.report import Addresses

NO_BYTECODE: Final = "PYTHONDONTWRITEBYTECODE"
BYTECODE_FOLDER: Final = "PYTHONPYCACHEPREFIX"
CONFIG_FILE: Final = "region.json"
STOP_S: Final = 5.0
PROGRAM: Final = (sys.executable, "-P", "-m", "atoll")
COMMAND: Final = (*PROGRAM, "start")


class Ready(msgspec.Struct, kw_only=True, tag=True):
    """The child's first line when it works: where it listens."""

    region: str
    addresses: Addresses


class Serving(msgspec.Struct, kw_only=True, tag=True):
    """The first line of a gateway or a dashboard when it works: its URL."""

    url: str


class Refused(msgspec.Struct, kw_only=True, tag=True):
    """The child's first line when it cannot start."""

    problem: str
    remedy: str


Report = TypeVar("Report", Ready, Serving)


class _Child:
    """One process on a tether; ``what`` names it in sentences, ``log`` is where its standard error goes."""

    def __init__(self, what: str, log: Path) -> None:
        self._what = what
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process, while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def _launch(self, command: Sequence[str]) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--tethered"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(),
                start_new_session=True,
            )

    def _wait(self, kind: type[Report], timeout_s: float) -> Report:
        """Wait until the child reports that it is ready.

        Raises:
            StartError: it refused, died or took too long; it is gone by then.
        """
        line = self._first_line(time.monotonic() + timeout_s)
        try:
            report: Report | Refused = msgspec.json.decode(line, type=kind | Refused)
        except msgspec.DecodeError:
            self.kill()
            last_words = self._last_words()
            raise CrashedError(
                f"{self._what} did not start{': ' + last_words if last_words else '.'}", f"Its log is {self._log}."
            ) from None
        if isinstance(report, Refused):
            self.kill()
            raise StartError(f"{self._what} did not start: {report.problem}", report.remedy)
        return report

    def _first_line(self, deadline: float) -> bytes:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while b"\n" not in line:
                readable = selector.select(max(0.0, deadline - time.monotonic()))
                piece = os.read(process.stdout.fileno(), 65536) if readable else b""
                if not piece:
                    break
                line += piece
        return line

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    def let_go(self) -> None:
        """Ask the process to stop, without waiting."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)

    def stop(self, timeout_s: float = STOP_S) -> int | None:
        """Stop the process cleanly, or kill it if it takes too long; return its exit code."""
        self.let_go()
        if self._process is None:
            return None
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self._reap()

    def kill(self) -> int | None:
        """End the process at once, as ``kill -9`` does."""
        if self._process is None:
            return None
        self._process.kill()
        return self._reap()

    def _reap(self) -> int:
        process = self._process
        assert process is not None
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        return code


class RegionChild(_Child):
    """The process of one region. Its configuration stays the same over kills and restarts."""

    def __init__(self, config: configuration.Config, folder: Path, command: Sequence[str] = COMMAND) -> None:
        super().__init__(f"The region {config.region}", folder / "region.log")
        self.config = config
        self.folder = folder
        self._command = command

    @property
    def region(self) -> str:
        """The region's name."""
        return self.config.region

    def launch(self) -> None:
        """Start the process; :meth:`wait_ready` must follow."""
        if self.running:
            raise StartError(f"{self.region} is already running.", "Stop or kill it first.")
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / CONFIG_FILE
        file.touch(mode=0o600)
        file.write_bytes(configuration.encode(self.config))
        self._launch([*self._command, "--config", str(file)])

    def wait_ready(self, timeout_s: float) -> Ready:
        """Wait until the region reports.

        Raises:
            StartError: it refused, died or took too long; it is gone by then.
        """
        return self._wait(Ready, timeout_s)


class ServingChild(_Child):
    """The process of what serves beside the regions, such as a gateway; ``arguments`` are the verb and its own.

    ``name`` is what it and its log are called; the verb, unless given.
    """

    def __init__(self, arguments: Sequence[str], folder: Path, name: str = "") -> None:
        super().__init__(f"The {name or arguments[0]}", folder / f"{name or arguments[0]}.log")
        self._arguments = arguments

    def launch(self) -> None:
        """Start the process; :meth:`wait_ready` must follow."""
        self._launch([*PROGRAM, *self._arguments])

    def wait_ready(self, timeout_s: float) -> str:
        """Wait until it serves; return its URL.

        Raises:
            StartError: it refused, died or took too long; it is gone by then.
        """
        return self._wait(Serving, timeout_s).url


def environment() -> dict[str, str]:
    """Return this process's environment without settings of Atoll, and so that the child finds this very Atoll.

    Where Python is told to write no bytecode beside the sources, as in many containers, the child keeps it in the
    user's cache: to compile everything at each start would double the time that a start takes.
    """
    variables = {setting.variable for setting in configuration.settings().values()}
    environment = {name: value for name, value in os.environ.items() if name not in variables}
    home = str(Path(__file__).resolve().parent.parent)
    if home not in (*site.getsitepackages(), site.getusersitepackages()):
        paths = [home, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
        environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    if environment.pop(NO_BYTECODE, None) and BYTECODE_FOLDER not in environment:
        cache = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        environment[BYTECODE_FOLDER] = str(Path(cache) / "atoll" / "bytecode")
    return environment
