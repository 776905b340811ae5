"""Alarms: what waits for a person, out of what a region knows of its links, its clock and its streams.

What: an alarm is a state, not an event: it is there for as long as its cause is. ``/status``, the metrics, the event
stream and ``atoll lag`` show the same list.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from atoll.report import Alarm, KinesisReport
from region.model.table import Table
from replication import LinkState, LinkStatus
from replication.fencing import ClockWatch

STREAM_BEHIND_S: Final = 60.0
"""For how long a Kinesis stream may refuse changes before somebody should look."""


def alarms(
    region: str,
    links: Iterable[LinkStatus],
    watch: ClockWatch,
    streams: Iterable[KinesisReport] = (),
    tables: Iterable[Table] = (),
) -> list[Alarm]:
    """Return the alarms of a region."""
    found = [alarm for link in links if (alarm := _link(link)) is not None]
    found += [alarm for stream in streams if (alarm := _stream(stream)) is not None]
    found += [_closed(region, table) for table in tables if table.local.inaccessible is not None]
    if watch.off_ms:
        way = "ahead of" if watch.off_ms > 0 else "behind"
        found.append(
            Alarm(
                kind="clock off",
                subject=region,
                message=f"The clock of {region} is {abs(watch.off_ms)} ms {way} most other regions"
                + ("; it refuses writes." if watch.refusing else "."),
                remedy="Set the machine's clock right.",
            )
        )
    return found


def _closed(region: str, table: Table) -> Alarm:
    return Alarm(
        kind="key gone",
        subject=f"{table.name} in {region}",
        message=f"The master key of {table.name} cannot be used in {region}: the table answers nothing there.",
        remedy="Enable the key (`atoll keys enable`), or bring the keyring back.",
    )


def _stream(stream: KinesisReport) -> Alarm | None:
    if stream.problem is None or stream.oldest_s is None or stream.oldest_s < STREAM_BEHIND_S:
        return None
    return Alarm(
        kind="stream behind",
        subject=f"{stream.table}->{stream.stream}",
        message=f"The stream has taken no change of {stream.table} for {stream.oldest_s:.0f} s: {stream.problem}",
        remedy="See that it takes records, or disable the destination: the log is kept for it, and not for ever.",
    )


def _link(link: LinkStatus) -> Alarm | None:
    name = f"{link.source}->{link.sink}"
    if link.state is LinkState.PARKED:
        return Alarm(
            kind="parked",
            subject=name,
            message=f"Changes of {link.source} wait at {link.sink}, since their clock is too far ahead: {link.detail}",
            remedy=f"Set the clock of {link.source} right; then wait, or let them pass with `atoll force {name}`.",
        )
    if link.state is LinkState.NEEDS_RESYNCHRONISATION:
        return Alarm(
            kind="needs resynchronisation",
            subject=name,
            message=f"{link.sink} cannot go on from its cursor: {link.detail}",
            remedy=f"Let {link.sink} fetch its tables from another replica.",
        )
    return None
