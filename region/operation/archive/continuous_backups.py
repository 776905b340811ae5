"""UpdateContinuousBackups, DescribeContinuousBackups and RestoreTableToPointInTime.

What: switching point-in-time recovery of a replica on saves its state and a mark that keeps the log from here on; the
historian (:mod:`region.archive.historian`) takes the first base in the moment of that commit. A restore is a new table
with the source's present settings and the items of a past moment.

Invariants: recovery belongs to one replica and never travels. A moment can be restored to the millisecond, from
``EarliestRestorableDateTime`` to now: what was committed here up to it is in, in this region's order, and nothing else.

Source: AWS API reference, the three operations; developer guide, "Point-in-time backups for DynamoDB"; messages as AWS
sends them where they are public.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from region.errors import (
    ContinuousBackupsUnavailableError,
    InvalidRestoreTimeError,
    PointInTimeRecoveryUnavailableError,
    ValidationError,
)
from region.model import recovery
from region.model.change import Response
from region.model.job import ArchiveFile
from region.model.recovery import RecoveryState
from region.model.table import CREATING, DELETING, Table
from region.model.values import INVALID
from region.operation.archive import names as archive_names
from region.operation.archive import restoration
from region.operation.context import Context
from region.operation.table import options
from region.operation.table.description import status_of

Request = dict[str, Any]
ENABLED: Final = "ENABLED"
DISABLED: Final = "DISABLED"


def update_continuous_backups(context: Context, request: Request) -> Response:
    """Switch point-in-time recovery of this replica on or off, or change how far back it reaches.

    Raises:
        TableNotFoundError: there is no such table.
        ContinuousBackupsUnavailableError: it is being created or deleted.
        ValidationError: a period is given with recovery off.
    """
    specification = request["PointInTimeRecoverySpecification"]
    days = specification.get("RecoveryPeriodInDays")
    enabled = specification["PointInTimeRecoveryEnabled"]
    if days is not None and not enabled:
        raise ValidationError(
            f"{INVALID}RecoveryPeriodInDays can only be specified when PointInTimeRecoveryEnabled is true"
        )
    table = archive_names.known_table(context, request["TableName"])
    if status_of(context, table) in (CREATING, DELETING):
        raise ContinuousBackupsUnavailableError(
            f"Backups are being enabled for the table: {table.name}. Please retry later"
        )
    state = recovery.state_of(table.local)
    if not enabled:
        wanted = None
    elif state is None:
        wanted = RecoveryState(days=days or recovery.DAYS_MAX, since_ms=_mark(context, table))
    else:
        wanted = state if days is None else msgspec.structs.replace(state, days=days)
    if wanted != state:
        table = _save(context, table, wanted)
    return {"ContinuousBackupsDescription": _describe(context, table)}


def describe_continuous_backups(context: Context, request: Request) -> Response:
    """Return whether recovery of this replica is on, and from when to when it reaches.

    Raises:
        TableNotFoundError: there is no such table.
    """
    table = archive_names.known_table(context, request["TableName"])
    return {"ContinuousBackupsDescription": _describe(context, table)}


def restore_table_to_point_in_time(context: Context, request: Request) -> Response:
    """Make a new table of what a table held at a moment; the answer shows it CREATING.

    Raises:
        TableAlreadyExistsError: there is a table of the target's name.
        TableNotFoundError: there is no such source.
        TableInUseError: the source is being created or deleted.
        PointInTimeRecoveryUnavailableError: the source has no point-in-time recovery.
        InvalidRestoreTimeError: the moment is outside of what can be restored.
        ValidationError: a parameter is missing, or an override is wrong.
    """
    target = context.table_name(request["TargetTableName"])
    options.refuse_unsupported(request, restoration.UNSUPPORTED, "RestoreTableToPointInTime")
    given = request.get("SourceTableArn") or request.get("SourceTableName")
    if given is None:
        raise ValidationError(f"{INVALID}Either SourceTableName or SourceTableArn must be specified")
    moment = request.get("RestoreDateTime")
    if (moment is None) == (not request.get("UseLatestRestorableTime")):
        raise ValidationError(f"{INVALID}Exactly one of RestoreDateTime and UseLatestRestorableTime must be specified")
    restoration.check_free(context, target)
    table = archive_names.source_table(context, given)
    at_ms = reachable(context, table, context.now_ms() if moment is None else round(moment * 1000))
    if at_ms is None:
        raise InvalidRestoreTimeError(
            "RestoreDateTime must be between EarliestRestorableDateTime and LatestRestorableDateTime"
        )
    source = restoration.Source(
        table_name=table.name,
        registers=table.registers,
        kms_key=table.local.extra.get("KMSMasterKeyId"),
        restored_ms=at_ms,
        details=past(context, table, at_ms),
    )
    return restoration.begin(context, target, source, request)


def reachable(context: Context, table: Table, at_ms: int) -> int | None:
    """Return a moment if a table's state at it can be read, ``None`` if it cannot.

    Many SDKs cut times to whole seconds. So the second of the earliest moment stands for that moment.

    Raises:
        PointInTimeRecoveryUnavailableError: it has no point-in-time recovery.
    """
    state = recovery.state_of(table.local)
    if state is None:
        raise PointInTimeRecoveryUnavailableError(f"Point in time recovery is not enabled for table '{table.name}'")
    now_ms = context.now_ms()
    earliest_ms = state.earliest_ms(now_ms)
    if at_ms == earliest_ms // 1000 * 1000:
        return earliest_ms
    return at_ms if earliest_ms <= at_ms <= now_ms else None


def past(context: Context, table: Table, at_ms: int) -> dict[str, Any]:
    """Return how a job names a table's state at a moment: nothing that is committed from now on belongs to it."""
    return {"history": table.uid, "at_ms": at_ms, "upto": context.reader.log_head()}


def founded(context: Context, base: ArchiveFile) -> None:
    """The first base of a history is there: its mark goes, and the table can be restored from its moment on."""
    archive = context.transaction.archive
    for file in archive.files(base.table_uid):
        if file.base and not file.path:
            archive.delete_file(file)
    archive.save_file(base)
    context.written += 1
    table = context.catalogue.by_uid[base.table_uid]
    state = recovery.state_of(table.local)
    if state is not None and state.since_ms != base.last_ms:
        _save(context, table, msgspec.structs.replace(state, since_ms=base.last_ms))


def resume(context: Context, uid: str) -> None:
    """Begin a history for a table that has recovery on and no history of its own uid."""
    table = context.catalogue.by_uid.get(uid)
    state = None if table is None else recovery.state_of(table.local)
    if table is not None and state is not None and not context.reader.archive.files(uid):
        _save(context, table, msgspec.structs.replace(state, since_ms=_mark(context, table)))


def _mark(context: Context, table: Table) -> int:
    """Keep the log of this table from here on; return this moment in ms."""
    now_ms, head = context.now_ms(), context.reader.log_head()
    mark = ArchiveFile(table_uid=table.uid, base=True, after=head, upto=head, first_ms=now_ms, last_ms=now_ms)
    context.transaction.archive.save_file(mark)
    return now_ms


def _save(context: Context, table: Table, state: RecoveryState | None) -> Table:
    local = recovery.with_state(table.local, state)
    return context.save_table(msgspec.structs.replace(table.record, local=local))


def _describe(context: Context, table: Table) -> dict[str, Any]:
    state = recovery.state_of(table.local)
    answer: dict[str, Any] = {"PointInTimeRecoveryStatus": DISABLED if state is None else ENABLED}
    if state is not None:
        now_ms = context.now_ms()
        answer["RecoveryPeriodInDays"] = state.days
        answer["EarliestRestorableDateTime"] = state.earliest_ms(now_ms) / 1000
        answer["LatestRestorableDateTime"] = max(state.since_ms, now_ms) / 1000
    return {"ContinuousBackupsStatus": ENABLED, "PointInTimeRecoveryDescription": answer}
