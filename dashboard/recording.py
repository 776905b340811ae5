"""A session on the page as an experiment file: what was done to the cluster, when, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson


class Recording:
    """Notes the faults that are applied while it is on. ``regions`` are the fleet's."""

    def __init__(self, regions: tuple[str, ...]) -> None:
        self.on = False
        self._regions = regions
        self._began_ms = 0
        self._ended_ms = 0
        self._faults: dict[str, dict[str, Any]] = {}

    def begin(self, now_ms: int) -> None:
        """Begin anew."""
        self.on, self._began_ms, self._faults = True, now_ms, {}

    def end(self, now_ms: int) -> None:
        """Note nothing more."""
        if self.on:
            self.on, self._ended_ms = False, now_ms

    def applied(self, id_: str, fault: Mapping[str, Any], now_ms: int) -> None:
        """Note a fault."""
        if self.on:
            self._faults[id_] = {**fault, "at_ms": now_ms - self._began_ms}

    def ended(self, id_: str, now_ms: int) -> None:
        """Note that a fault has ended."""
        if self.on and id_ in self._faults:
            fault = self._faults[id_]
            fault["for_ms"] = now_ms - self._began_ms - fault["at_ms"]

    def toml(self, now_ms: int) -> str:
        """Return the experiment file."""
        end_ms = now_ms if self.on else self._ended_ms
        lines = [
            "# `atoll chaos run FILE` repeats what was done by hand; the invariants must hold all the same.",
            'title = "Recorded on the dashboard"',
            f"regions = {_value(list(self._regions))}",
            f"span_s = {max(end_ms - self._began_ms, 1000) / 1000:g}",
            "",
            "[[workloads]]",
            'name = "registers"',
        ]
        for fault in self._faults.values():
            lines += [
                "",
                "[[faults]]",
                *(f"{name} = {_value(value)}" for name, value in fault.items() if value is not None),
            ]
        return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """Return a string, number, truth value or list of strings as TOML writes it: as JSON does."""
    return orjson.dumps(value).decode().replace('","', '", "')
