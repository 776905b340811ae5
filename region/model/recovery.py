"""Point-in-time recovery: what a replica knows of its own, and when a change of its log was committed.

What: a table with recovery has a history: bases (the whole table at one moment) and segments (what changed since), as
files, and what has changed since the last of them in the log. The state at a time T is that of the longest prefix of
the log in which no change was committed after T.

Invariant: the commit time of a change is the latest wall time seen up to it in the log, in ms: own changes say it in
their timestamp, applied ones beside it. So a clock that is set back cannot make a later change look earlier than one
before it, and a restored state is always one that clients could see.

Source: AWS developer guide, "Point-in-time backups for DynamoDB".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from region.model.change import PastChange
from region.model.job import ArchiveFile
from region.model.table import LocalState

OWN: Final = "recovery"
"""Under which name a replica's own state stands in :attr:`LocalState.extra`."""
DAYS_MAX: Final = 35
DAY_MS: Final = 24 * 60 * 60 * 1000


class RecoveryState(msgspec.Struct, frozen=True, kw_only=True):
    """Point-in-time recovery of one replica, while it is on."""

    days: int = DAYS_MAX
    since_ms: int
    """From when on every state can be restored."""

    def earliest_ms(self, now_ms: int) -> int:
        """Return the first moment that can be restored now."""
        return max(self.since_ms, now_ms - self.days * DAY_MS)


def state_of(local: LocalState) -> RecoveryState | None:
    """Return the state of a replica's recovery, ``None`` while it is off."""
    value = local.extra.get(OWN)
    return None if value is None else msgspec.convert(value, RecoveryState)


def with_state(local: LocalState, state: RecoveryState | None) -> LocalState:
    """Return the local state with another state of recovery."""
    extra: dict[str, Any] = {name: value for name, value in local.extra.items() if name != OWN}
    if state is not None:
        extra[OWN] = msgspec.to_builtins(state)
    return msgspec.structs.replace(local, extra=extra)


def timed(changes: Iterable[PastChange], reached_ms: int) -> Iterator[PastChange]:
    """Give each change its commit time; ``reached_ms`` is that of the change before the first one."""
    for change in changes:
        reached_ms = max(reached_ms, change.ms)
        yield change._replace(ms=reached_ms)


def base_for(files: Iterable[ArchiveFile], at_ms: int, upto: int) -> ArchiveFile | None:
    """Return the latest base from which the state at a time, and not behind a sequence, can be made."""
    bases = [it for it in files if it.base and it.path and it.last_ms <= at_ms and it.upto <= upto]
    return bases[-1] if bases else None


def expendable(files: Iterable[ArchiveFile], earliest_ms: int) -> list[ArchiveFile]:
    """Return the files that no moment from ``earliest_ms`` on needs: those before the base that serves it."""
    known = list(files)
    oldest = base_for(known, earliest_ms, max((it.upto for it in known), default=0))
    if oldest is None:
        return []
    return [it for it in known if it.upto <= oldest.upto and it != oldest]
