"""The expression parameters of a request, read in AWS's order.

What: conditions, filters, projections and their placeholders are parsed and checked before the table is looked up,
because AWS answers for a bad expression before it answers for a missing table. The legacy parameters are refused where
they are not built, never ignored.

Source: AWS API reference, "Legacy conditional parameters"; messages as AWS sends them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from region.errors import ValidationError
from region.expression import Condition, Placeholders, Projection
from region.expression import condition as parse_condition
from region.expression import projection as parse_projection

LEGACY: Final[Mapping[str, str]] = {
    "AttributesToGet": "ProjectionExpression",
    "AttributeUpdates": "UpdateExpression",
    "Expected": "ConditionExpression",
    "ConditionalOperator": "ConditionExpression",
    "KeyConditions": "KeyConditionExpression",
    "QueryFilter": "FilterExpression",
    "ScanFilter": "FilterExpression",
}
_EXPRESSIONS: Final = (
    "ProjectionExpression",
    "UpdateExpression",
    "ConditionExpression",
    "KeyConditionExpression",
    "FilterExpression",
)


def refuse_legacy(request: Mapping[str, Any]) -> None:
    """Refuse the legacy parameters: with AWS's words beside expressions, and honestly on their own."""
    legacy = [name for name in LEGACY if request.get(name) is not None]
    if not legacy:
        return
    expressions = [name for name in _EXPRESSIONS if request.get(name) is not None]
    if expressions:
        raise ValidationError(
            "Can not use both expression and non-expression parameters in the same request: "
            f"Non-expression parameters: {{{', '.join(legacy)}}} Expression parameters: {{{', '.join(expressions)}}}"
        )
    raise ValidationError(f"The legacy parameter {legacy[0]} is not supported; use {LEGACY[legacy[0]]}")


def condition_of(request: Mapping[str, Any], placeholders: Placeholders) -> Condition | None:
    """Return the parsed ``ConditionExpression``, if there is one."""
    text = request.get("ConditionExpression")
    return None if text is None else parse_condition(text, placeholders)


def filter_of(request: Mapping[str, Any], placeholders: Placeholders) -> Condition | None:
    """Return the parsed ``FilterExpression``, if there is one."""
    text = request.get("FilterExpression")
    return None if text is None else parse_condition(text, placeholders, parameter="FilterExpression")


def projection_of(request: Mapping[str, Any], placeholders: Placeholders) -> Projection | None:
    """Return the parsed ``ProjectionExpression``, if there is one."""
    text = request.get("ProjectionExpression")
    return None if text is None else parse_projection(text, placeholders)
