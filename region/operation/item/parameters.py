"""The expression parameters of a request, and the legacy parameters in their stead, read in AWS's order.

What: conditions, filters, projections, updates and their placeholders are parsed and checked before the table is
looked up, because AWS answers for a bad expression before it answers for a missing table. Where a request says with a
legacy parameter what others say with an expression, the answer here is of the same kind.

Source: AWS API reference, "Legacy conditional parameters"; messages as AWS sends them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from region.errors import ValidationError
from region.expression import Condition, KeyCondition, Placeholders, Projection, Update
from region.expression import condition as parse_condition
from region.expression import key_condition as parse_key_condition
from region.expression import projection as parse_projection
from region.expression import update as parse_update
from region.operation.item import legacy
from region.operation.item import legacy_conditions as conditions
from region.operation.item.legacy_conditions import OPERATOR, LegacyKeyCondition

LEGACY: Final = legacy.NAMES


def refuse_mixed(request: Mapping[str, Any]) -> None:
    """Refuse a request that uses legacy parameters and expressions together, in AWS's words."""
    if not LEGACY.isdisjoint(request):
        legacy.refuse_mixed(request)


def condition_of(request: Mapping[str, Any], placeholders: Placeholders) -> Condition | None:
    """Return the condition of a write: ``ConditionExpression``, or ``Expected``, if there is one."""
    text = request.get("ConditionExpression")
    if text is not None:
        return parse_condition(text, placeholders)
    if "Expected" in request or OPERATOR in request:
        return conditions.expected(request.get("Expected"), request.get(OPERATOR))
    return None


def filter_of(request: Mapping[str, Any], placeholders: Placeholders) -> Condition | None:
    """Return the filter of a read: ``FilterExpression``, ``QueryFilter`` or ``ScanFilter``, if there is one."""
    text = request.get("FilterExpression")
    if text is not None:
        return parse_condition(text, placeholders, parameter="FilterExpression")
    if LEGACY.isdisjoint(request):
        return None
    return conditions.filters(request.get("QueryFilter") or request.get("ScanFilter"), request.get(OPERATOR))


def projection_of(request: Mapping[str, Any], placeholders: Placeholders) -> Projection | None:
    """Return what of an item is answered: ``ProjectionExpression``, or ``AttributesToGet``, if there is one."""
    text = request.get("ProjectionExpression")
    if text is not None:
        return parse_projection(text, placeholders)
    names = request.get("AttributesToGet")
    return None if names is None else legacy.projection(names)


def update_of(request: Mapping[str, Any], placeholders: Placeholders) -> Update | None:
    """Return the update: ``UpdateExpression``, or ``AttributeUpdates``, if there is one."""
    text = request.get("UpdateExpression")
    if text is not None:
        return parse_update(text, placeholders)
    updates = request.get("AttributeUpdates")
    return None if updates is None else legacy.update(updates)


def require_key_condition(request: Mapping[str, Any]) -> None:
    """Refuse a Query that does not say which keys it wants, in AWS's words."""
    if request.get("KeyConditionExpression") is None and request.get("KeyConditions") is None:
        raise ValidationError(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )


def key_condition_of(request: Mapping[str, Any], placeholders: Placeholders) -> KeyCondition | LegacyKeyCondition:
    """Return the key condition of a Query, which has one: ``KeyConditionExpression``, or ``KeyConditions``."""
    text = request.get("KeyConditionExpression")
    if text is not None:
        return parse_key_condition(text, placeholders)
    return conditions.key_condition(request["KeyConditions"])


def filter_name(request: Mapping[str, Any]) -> str:
    """Return what AWS calls a Query's filter in errors."""
    return "QueryFilter" if request.get("FilterExpression") is None else "Filter Expression"
