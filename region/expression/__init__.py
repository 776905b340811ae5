"""DynamoDB's expression language: conditions, key conditions, projections and updates. Pure, and free of I/O.

Text is compiled by :func:`condition`, :func:`key_condition`, :func:`projection` and :func:`update` with the
:class:`Placeholders` of the request; other languages build the same things from ``region.expression.syntax`` with
``condition_of``, ``key_condition_of``, ``projection_of`` and ``update_of``.
"""

from region.expression.conditions import Condition, condition, condition_of, condition_written
from region.expression.key_conditions import (
    KeyCondition,
    RangeCondition,
    ResolvedKey,
    key_condition,
    key_condition_of,
)
from region.expression.paths import DocumentPath
from region.expression.placeholders import Placeholders
from region.expression.projections import Projection, projection, projection_of, touched
from region.expression.updates import Update, Updated, update, update_of

__all__ = [
    "Condition",
    "DocumentPath",
    "KeyCondition",
    "Placeholders",
    "Projection",
    "RangeCondition",
    "ResolvedKey",
    "Update",
    "Updated",
    "condition",
    "condition_of",
    "condition_written",
    "key_condition",
    "key_condition_of",
    "projection",
    "projection_of",
    "touched",
    "update",
    "update_of",
]
