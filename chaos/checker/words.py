"""The words of checkers' sentences: versions, items and tags, said alike everywhere."""

from __future__ import annotations

from clock.timestamp import Timestamp
from region.model.change import LogRecord
from region.model.version import Version


def at(timestamp: tuple[int, str]) -> str:
    """Return a timestamp ``(hlc, region)`` for people."""
    return str(Timestamp(*timestamp))


def version(of: Version) -> str:
    """Return a version with what it builds on."""
    builds_on = ", ".join(at((hlc, region)) for region, hlc in sorted(of.vector.items()))
    return f"{at(of.timestamp)} (after {builds_on})" if builds_on else at(of.timestamp)


def write(record: LogRecord, tag: str | None) -> str:
    """Return a write of a log: its tag where it has one, and its version."""
    what = "the deletion" if record.image is None else "the write" if tag is None else f"the write {tag}"
    return f"{what} at {version(record.version)}"


def found(tag: str | None) -> str:
    """Return what a read found."""
    return "no item" if tag is None else tag
