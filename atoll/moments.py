"""Moments as people write them: ISO 8601, seconds since 1970, or how long ago.

Invariant: a moment is a number of milliseconds since 1970. A time without a zone is UTC, as everything else that Atoll
prints.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

EXPECTED: Final = "Write 2026-11-27T05:00:00Z, seconds since 1970, or how long ago: -30s, -5m, -2h, -1d or -500ms."

_AGO: Final = re.compile(r"-(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_SECONDS: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_UNIT_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse(text: str, now_ms: int) -> int:
    """Return the moment that a text means at ``now_ms``.

    Raises:
        ValueError: it means none.
    """
    text = text.strip()
    if ago := _AGO.fullmatch(text):
        return now_ms - round(float(ago[1]) * _UNIT_MS[ago[2]])
    if _SECONDS.fullmatch(text):
        return round(float(text) * 1000)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no moment. {EXPECTED}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def show(ms: int) -> str:
    """Return a moment as it is printed: ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def clock(ms: int) -> str:
    """Return the time of day of a moment in UTC, to the millisecond."""
    return show(ms)[11:-1]
