"""The operations of global tables version 2017.11.29, as AWS answers them today: none can be made, none exist.

Source: the project's facts on global tables (observed answers of the real service).
"""

from __future__ import annotations

from typing import Any

from region.errors import GlobalTableNotFoundError, ValidationError
from region.model.change import Response
from region.operation.context import Context

Request = dict[str, Any]


def create_global_table(_context: Context, _request: Request) -> Response:
    """Refuse: the version can no longer be created."""
    raise ValidationError(
        "Creating a global table with global tables version 2017.11.29 is not supported. Use UpdateTable with "
        "ReplicaUpdates, global tables version 2019.11.21 (Current)."
    )


def update_global_table(_context: Context, request: Request) -> Response:
    """Refuse: there is no such global table."""
    raise _not_found(request)


def describe_global_table(_context: Context, request: Request) -> Response:
    """Refuse, for tables of the current version too."""
    raise _not_found(request)


def describe_global_table_settings(_context: Context, request: Request) -> Response:
    """Refuse, for tables of the current version too."""
    raise _not_found(request)


def update_global_table_settings(_context: Context, request: Request) -> Response:
    """Refuse: there is no such global table."""
    raise _not_found(request)


def list_global_tables(_context: Context, _request: Request) -> Response:
    """Return the empty list."""
    return {"GlobalTables": []}


def _not_found(request: Request) -> GlobalTableNotFoundError:
    return GlobalTableNotFoundError(f"Global table with name: '{request['GlobalTableName']}' does not exist.")
