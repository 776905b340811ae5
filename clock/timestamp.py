"""Timestamps: when a write happened, and in which order any two writes of the fleet stand.

What: a hybrid logical clock's value (``hlc``) is one 64-bit integer, 48 bits of milliseconds since the epoch above 16
bits of counter. With the name of the region that issued it, it is a :class:`Timestamp`: unique in the fleet and
totally ordered, by clock first and by region where clocks are equal.

Invariants: the byte form sorts like the timestamps themselves; bytes and text can be turned back without loss.

Hazard: an ``hlc`` counts as milliseconds only after :func:`wall_ms`; subtracting two of them gives 65,536ths.

Source: S. Kulkarni et al., "Logical Physical Clocks" (2014), section 6, for the 48 + 16 bit layout.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

COUNTER_BITS: Final = 16
COUNTER_MAX: Final = (1 << COUNTER_BITS) - 1
WALL_MS_MAX: Final = (1 << 48) - 1
HLC_BYTES: Final = 8

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CYCLE_YEARS: Final = 400
_CYCLE_MS: Final = 146_097 * 86_400_000
"""The Gregorian calendar repeats every 400 years; 48 bits of milliseconds outlast the year 9999 of ``datetime``."""

_TEXT: Final = re.compile(
    r"([0-9]{4,5})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{3})Z\+([0-9a-f]{4})@(.+)", re.DOTALL
)


class Timestamp(NamedTuple):
    """The identity and place in time of one write. Compares like the tuple ``(hlc, region)``."""

    hlc: int
    region: str

    def encode(self) -> bytes:
        """Return the byte form: ``hlc`` as 8 bytes, big-endian, and the region in UTF-8. Sorts like the timestamp."""
        return self.hlc.to_bytes(HLC_BYTES, "big") + self.region.encode()

    @classmethod
    def decode(cls, data: bytes) -> Timestamp:
        """Return the timestamp of a byte form.

        Raises:
            ValueError: there is no region behind the 8 bytes, or it is not UTF-8.
        """
        if len(data) <= HLC_BYTES:
            raise ValueError(f"a timestamp has more than {HLC_BYTES} bytes, this has {len(data)}")
        return cls(int.from_bytes(data[:HLC_BYTES], "big"), data[HLC_BYTES:].decode())

    def __str__(self) -> str:
        """The text form: UTC time, counter in hexadecimal and region, ``2026-11-23T06:30:00.123Z+0005@eu-west-1``."""
        cycles, ms = divmod(wall_ms(self.hlc), _CYCLE_MS)
        moment = _EPOCH + timedelta(milliseconds=ms)
        year = moment.year + cycles * _CYCLE_YEARS
        return f"{year}-{moment:%m-%dT%H:%M:%S}.{ms % 1000:03d}Z+{counter(self.hlc):04x}@{self.region}"

    @classmethod
    def parse(cls, text: str) -> Timestamp:
        """Return the timestamp of a text form.

        Raises:
            ValueError: it is not one, names no real date, or lies outside of 48 bits of milliseconds.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"not a timestamp like 2026-11-23T06:30:00.123Z+0005@eu-west-1: {text!r}")
        year, month, day, hour, minute, second, ms = (int(part) for part in match.groups()[:7])
        cycles = (year - _EPOCH.year) // _CYCLE_YEARS
        try:
            moment = datetime(year - cycles * _CYCLE_YEARS, month, day, hour, minute, second, tzinfo=UTC)
            seconds_ms = (moment - _EPOCH) // timedelta(milliseconds=1)
            return cls(hlc_of(cycles * _CYCLE_MS + seconds_ms + ms, int(match[8], 16)), match[9])
        except ValueError as error:
            raise ValueError(f"not a timestamp: {text!r}: {error}") from error


def hlc_of(ms: int, counter: int = 0) -> int:
    """Return the hlc of a wall time in milliseconds since the epoch and a counter.

    Raises:
        ValueError: one of them does not fit into its bits.
    """
    if not 0 <= ms <= WALL_MS_MAX:
        raise ValueError(f"{ms} ms is outside of 48 bits")
    if not 0 <= counter <= COUNTER_MAX:
        raise ValueError(f"counter {counter} is outside of 16 bits")
    return ms << COUNTER_BITS | counter


def wall_ms(hlc: int) -> int:
    """Return the milliseconds since the epoch of an hlc."""
    return hlc >> COUNTER_BITS


def counter(hlc: int) -> int:
    """Return the counter of an hlc, 0 to 65,535."""
    return hlc & COUNTER_MAX
