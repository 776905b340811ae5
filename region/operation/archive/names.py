"""Names of the archive: the ARNs of backups, exports and imports, and the tables behind them.

Source: AWS API reference (``…:table/Music/backup/01489602797149-73d8d5bc``); messages as AWS sends them.
"""

from __future__ import annotations

from region.errors import BackupNotFoundError, KeyUnavailableError, TableInUseError, TableNotFoundError
from region.model.table import CREATING, DELETING, Table
from region.operation.context import Context, arn
from region.operation.table.description import status_of
from region.randomness import Rng


def new_id(rng: Rng, now_ms: int) -> str:
    """Return the id of a new backup, export or import: it begins with the time, so ids sort by it."""
    return f"{now_ms:014d}-{rng.token(4)}"


def table_arn(context: Context, name: str) -> str:
    """Return a table's ARN in this region."""
    return arn(context.settings, name)


def backup_arn(context: Context, table_name: str, backup_id: str) -> str:
    """Return the ARN under which this region knows a backup, wherever it was made."""
    return f"{table_arn(context, table_name)}/backup/{backup_id}"


def backup_parts(given_arn: str) -> tuple[str, str]:
    """Return the table's name and the id in a backup's ARN.

    Raises:
        BackupNotFoundError: it is no ARN of a backup.
    """
    head, separator, backup_id = given_arn.rpartition("/backup/")
    if not separator or not head.startswith("arn:") or not backup_id:
        raise BackupNotFoundError(f"Backup not found: {given_arn}")
    return head.rpartition("/")[2], backup_id


def source_table(context: Context, name_or_arn: str) -> Table:
    """Return the table that an operation of the archive reads.

    Raises:
        TableNotFoundError: there is none.
        TableInUseError: it is being created or deleted.
        KeyUnavailableError: its master key cannot be used.
    """
    table = known_table(context, name_or_arn)
    status = status_of(context, table)
    if status in (CREATING, DELETING):
        doing = "created" if status == CREATING else "deleted"
        raise TableInUseError(f"Table is being {doing}: {table.name}")
    if table.local.inaccessible is not None:
        raise KeyUnavailableError(table.local.inaccessible.message)
    return table


def known_table(context: Context, name_or_arn: str) -> Table:
    """Return the table in whatever state it is.

    Raises:
        TableNotFoundError: there is none.
    """
    name = context.table_name(name_or_arn)
    table = context.catalogue.by_name.get(name)
    if table is None:
        raise TableNotFoundError(f"Table not found: {name}")
    return table
