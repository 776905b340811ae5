"""What the service enforces, or says, otherwise than its published model.

What: three small tables. :data:`CONSTRAINTS` holds the constraints that AWS applies to one member of one operation
and that the model, whose shapes are shared, does not state. :data:`ENUM_ORDERS` holds the order in which AWS lists the
values of an enumeration in its messages, which is not the model's. :data:`PATTERNS` holds Python forms of the model's
patterns that only Java understands.

Invariant: the keys of :data:`CONSTRAINTS` name members that exist; a test resolves each of them.

Source: messages of the service as quoted in public reports, and the API reference's "Length constraints".
"""

from __future__ import annotations

from typing import Any, Final

from region.wire.service_model import OperationSpec, Shape

CONSTRAINTS: Final[dict[str, dict[str, Any]]] = {
    # The KeySchema shape serves multi-attribute indexes too; a table or a local index still has at most two keys.
    "CreateTable.KeySchema": {"most": 2},
    "CreateTable.LocalSecondaryIndexes[].KeySchema": {"most": 2},
}
"""Constraints by path: members behind dots, the elements of a list or the values of a map as ``[]``."""

ENUM_ORDERS: Final[dict[str, tuple[str, ...]]] = {
    "ComparisonOperator": (
        *("IN", "NULL", "BETWEEN", "LT", "NOT_CONTAINS", "EQ", "GT", "NOT_NULL", "NE", "LE"),
        *("BEGINS_WITH", "GE", "CONTAINS"),
    ),
    "ConditionalOperator": ("OR", "AND"),
    "ProjectionType": ("ALL", "INCLUDE", "KEYS_ONLY"),
    "ReturnValue": ("ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"),
    "ScalarAttributeType": ("B", "N", "S"),
    "Select": ("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"),
}
"""The order of an enumeration in messages, by the name of its shape."""

PATTERNS: Final[dict[str, str]] = {
    r"\p{Print}+": r"[\x20-\x7e]+",
    r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*":
    # Java reads the surrogates as pairs: all characters beyond the basic plane.
    r"[\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff\r\n\t]*",
}
"""Python's form of a pattern that the model states in Java's."""


def input_shape(spec: OperationSpec) -> Shape:
    """Return the shape of an operation's input with the constraints of this module."""
    shape = spec.input
    for path, constraints in CONSTRAINTS.items():
        operation, _, rest = path.partition(".")
        if operation == spec.name:
            shape = _constrain(shape, rest.replace("[]", ".[]").split("."), constraints)
    return shape


def _constrain(shape: Shape, path: list[str], constraints: dict[str, Any]) -> Shape:
    if not path:
        return shape.but(**constraints)
    step, *rest = path
    if step == "[]":
        if shape.element is None:
            raise KeyError(f"{shape.name} has no elements")
        return shape.but(element=_constrain(shape.element, rest, constraints))
    return shape.but(members={**shape.members, step: _constrain(shape.members[step], rest, constraints)})
