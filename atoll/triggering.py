"""Triggers of a cluster: a function that every region calls with what changes in its replica of a table.

What: :class:`Triggering` is the part of :class:`~atoll.cluster.Cluster` that adds triggers to its regions and waits
for them. A function may be given as itself; each region runs it in processes of its own, which import it from where it
stands.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from atoll.failure import UsageError
from atoll.provision import wait
from atoll.remote import AdminClient
from atoll.triggers.report import TriggerReport
from atoll.triggers.settings import TriggerSettings, check


class Triggering:
    """The verbs of triggers."""

    regions: tuple[str, ...]

    if TYPE_CHECKING:  # The rest of the cluster, as this part of it needs it.

        def admin(self, region: str) -> AdminClient:
            """Return a client of a region's admin address."""

    def trigger(
        self,
        table: str,
        function: str | Callable[[Any, Any], Any],
        *,
        name: str | None = None,
        regions: Sequence[str] | None = None,
        **settings: Any,
    ) -> list[TriggerReport]:
        """Let regions call a function with what changes in their replicas of a table; all of them if not given.

        ``function`` is a Python function of a module's top level, ``module:callable``, an HTTP URL, or
        ``lambda://host:port/NAME``. ``settings`` are those of a trigger (``batch_size``, ``filters``, …). ``name`` is
        the function's if not given. The trigger outlives restarts of its region.

        Raises:
            UsageError: the settings make no sense.
            RequestError: a region refuses them.
        """
        target = function if isinstance(function, str) else target_of(function)
        plain = target.rpartition(":")[2] if callable(function) else table
        try:
            asked = msgspec.convert(
                {"name": name or plain, "table": table, "function": target, **settings}, TriggerSettings
            )
        except msgspec.ValidationError as error:
            raise UsageError(f"A setting of the trigger is wrong: {error}.", "") from error
        check(asked)
        return [self.admin(region).add_trigger(asked) for region in regions or self.regions]

    def triggers(self) -> list[TriggerReport]:
        """Return the triggers of all regions, and how they do."""
        return [report for region in self.regions for report in self.admin(region).triggers()]

    def wait_triggered(self, timeout: float = 30.0) -> None:
        """Wait until the functions of all enabled triggers have dealt with everything that their regions hold.

        Raises:
            DeadlineError: they have not after ``timeout`` seconds.
        """
        wait(
            lambda: not any(each.behind for each in self.triggers() if each.state == "Enabled"),
            time.monotonic() + timeout,
            "The triggers did not catch up.",
        )


def target_of(function: Callable[[Any, Any], Any]) -> str:
    """Return the text by which a worker process finds a function.

    Raises:
        UsageError: it cannot be found, because it is not on the top level of a file.
    """
    name = getattr(function, "__qualname__", "")
    file = inspect.getsourcefile(function) if inspect.isfunction(function) else None
    if file is None or not name.isidentifier():
        raise UsageError(f"{function!r} is no function of a module's top level.", "Give it a name there.")
    module, path = function.__module__, Path(file).resolve()
    packages = module.split(".")
    folder = path.parents[len(packages) - 1 + (path.name == "__init__.py")]
    if module != "__main__" and folder.joinpath(*packages[:-1], path.name) == path:
        return f"{folder}/{module}:{name}"
    return f"{path}:{name}"
