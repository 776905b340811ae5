"""What the page may do to the fleet: apply a fault, end one, heal everything.

What: a port. The page knows faults as the tables of scenario files; whoever runs the dashboard gives it
:class:`Controls` that carry them out, or none, and then the page only watches.
"""

from __future__ import annotations

from typing import Any, Protocol

Json = dict[str, Any]


class RefusedError(Exception):
    """A control was refused: the fault makes no sense, or cannot be had here. The text is for people."""


class Controls(Protocol):
    """The faults of one running cluster."""

    async def faults(self) -> list[Json]:
        """Return the faults in force.

        Each has ``id``, ``fault`` (its table), ``text``, ``command`` and ``toml`` (what does the same), and ``effects``
        (what was measured of it, in words).
        """

    async def kinds(self) -> list[str]:
        """Return the kinds of faults that can be applied here."""

    async def apply(self, fault: Json) -> Json:
        """Apply a fault; return it as :meth:`faults` lists it.

        Raises:
            RefusedError: it makes no sense, or cannot be had here.
        """

    async def heal(self, fault_id: str | None = None) -> None:
        """End a fault, or all of them and every pause.

        Raises:
            RefusedError: there is no such fault.
        """
