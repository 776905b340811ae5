"""The differences that are known and explained; `make docs` writes them into `docs/reference/deviations.md`.

``explanations.toml`` is the data: each entry says in ``what`` which difference it explains and holds ``operation``,
``ours`` and ``oracle`` (regular expressions that match a whole difference; one left out matches all), ``reason`` in
words, and ``source``, the page of AWS's that says what is right.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final, NamedTuple

FILE: Final = Path(__file__).with_name("explanations.toml")


class Explanation(NamedTuple):
    """One known difference."""

    operation: re.Pattern[str]
    ours: re.Pattern[str]
    oracle: re.Pattern[str]
    what: str
    reason: str
    source: str

    def covers(self, operation: str, ours: str, oracle: str) -> bool:
        """Whether a difference is this one."""
        return bool(self.operation.fullmatch(operation) and self.ours.fullmatch(ours) and self.oracle.fullmatch(oracle))


def explanations() -> list[Explanation]:
    """Return all explanations of the data file."""
    entries = tomllib.loads(FILE.read_text())["explained"]
    return [
        Explanation(
            *(re.compile(entry.get(name, ".*"), re.DOTALL) for name in ("operation", "ours", "oracle")),
            what=entry["what"],
            reason=entry["reason"],
            source=entry["source"],
        )
        for entry in entries
    ]
