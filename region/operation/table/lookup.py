"""Finding the table that an operation of the control plane is about to change, in a state in which it may.

Source: AWS API reference, ResourceInUseException and ResourceNotFoundException of UpdateTable.
"""

from __future__ import annotations

from region.errors import ResourceNotFoundError
from region.model.table import ACTIVE, CREATING, UPDATING, Table
from region.operation.context import Context
from region.operation.table import records
from region.operation.table.description import status_of
from region.operation.table.tables import find, in_use


def changeable(context: Context, name_or_arn: str) -> Table:
    """Return the table if it may be changed now. A replica that is still being made is not there yet.

    Raises:
        ResourceNotFoundError: there is no such table.
        ResourceInUseError: it is being created, updated or deleted.
        KeyUnavailableError: its master key cannot be used.
    """
    return _in_state(context, name_or_arn, (ACTIVE,))


def existing(context: Context, name_or_arn: str) -> Table:
    """Return the table if settings beside its schema may be changed now, which is also while it is being updated.

    Raises:
        ResourceNotFoundError: there is no such table.
        ResourceInUseError: it is being created or deleted.
    """
    return _in_state(context, name_or_arn, (ACTIVE, UPDATING))


def _in_state(context: Context, name_or_arn: str, allowed: tuple[str, ...]) -> Table:
    table = find(context, name_or_arn)
    status = status_of(context, table)
    if status in allowed:
        return table
    if status == CREATING and records.own_membership(context, table.registers) is not None:
        raise ResourceNotFoundError(f"Requested resource not found: Table: {table.name} not found")
    raise in_use(table, status)
