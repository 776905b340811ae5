"""The legacy parameters of requests, older than expressions, compiled to the same syntax trees.

What: ``AttributesToGet`` becomes a projection, ``AttributeUpdates`` an update; conditions are the business of
``region.operation.item.legacy_conditions``. What may not be given together with expressions is refused first of all.

Invariants: nothing here runs for a request without legacy parameters.

Hazard: values are brought to canonical form in place.

Source: AWS developer guide, "Legacy conditional parameters"; wording as AWS and DynamoDB Local send it, where they
differ AWS's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from region.errors import ValidationError
from region.expression import Projection, Update, Updated, projection_of, update_of
from region.expression.syntax import Action, Add, Delete, Function, Literal, Path, Remove, Set
from region.expression.updates import KIND_NAMES, WRONG_OPERAND_TYPE
from region.model.values import EMPTY_NAME, INVALID, AttributeValue, Item, normalise, type_of

KEY_CONDITIONS: Final = "KeyConditions"
KEY_CONDITION_EXPRESSION: Final = "KeyConditionExpression"
PARAMETERS: Final = (
    "AttributesToGet",
    "AttributeUpdates",
    "QueryFilter",
    "ScanFilter",
    "Expected",
    "ConditionalOperator",
    KEY_CONDITIONS,
)
"""The legacy parameters, in the order in which AWS names them."""
NAMES: Final = frozenset(PARAMETERS)
_EXPRESSIONS: Final = (
    "ProjectionExpression",
    "UpdateExpression",
    "ConditionExpression",
    "FilterExpression",
    KEY_CONDITION_EXPRESSION,
)
_SETS: Final = frozenset(("SS", "NS", "BS"))
_NOTHING: Final[AttributeValue] = {"L": []}


def refuse_mixed(request: Mapping[str, Any]) -> None:
    """Refuse legacy parameters beside expressions; ``KeyConditions`` exclude only the expression in their own place.

    Raises:
        ValidationError: in AWS's words.
    """
    expressions = [name for name in _EXPRESSIONS if request.get(name) is not None]
    legacy = [
        name
        for name in PARAMETERS
        if request.get(name) is not None and (name != KEY_CONDITIONS or KEY_CONDITION_EXPRESSION in expressions)
    ]
    if legacy and expressions:
        raise ValidationError(
            "Can not use both expression and non-expression parameters in the same request: "
            f"Non-expression parameters: {{{', '.join(legacy)}}} Expression parameters: {{{', '.join(expressions)}}}"
        )


def projection(names: list[str]) -> Projection:
    """Return the projection that ``AttributesToGet`` means: whole top-level attributes.

    Raises:
        ValidationError: a name is empty or comes twice.
    """
    seen: set[str] = set()
    for name in names:
        if not name:
            raise ValidationError(EMPTY_NAME)
        if name in seen:
            raise ValidationError(f"{INVALID}Duplicate value in attribute name: {name}")
        seen.add(name)
    return projection_of([Path((name,)) for name in names])


class LegacyUpdate(Update):
    """An update that ``AttributeUpdates`` ask for: what an expression would do, with its own words for faults."""

    __slots__ = ()

    by_expression: ClassVar[bool] = False

    def apply(self, item: Item | None, key: Item) -> Updated:
        """Return the new item; see :meth:`region.expression.Update.apply`."""
        try:
            return super().apply(item, key)
        except ValidationError as error:
            if error.message != WRONG_OPERAND_TYPE:
                raise
            raise ValidationError("Type mismatch for attribute to update") from None


def update(updates: Mapping[str, dict[str, Any]]) -> Update | None:
    """Return the update that ``AttributeUpdates`` ask for, if they ask for anything.

    Raises:
        ValidationError: in AWS's words.
    """
    if not updates:
        return None
    return update_of([_action(name, entry) for name, entry in updates.items()], kind=LegacyUpdate)


def _action(name: str, entry: Mapping[str, Any]) -> Action:
    """Return what an expression would say for one attribute's ``Action`` and ``Value``."""
    if not name:
        raise ValidationError(EMPTY_NAME)
    path, action, value = Path((name,)), entry.get("Action") or "PUT", entry.get("Value")
    if value is None:
        if action != "DELETE":
            raise ValidationError(f"{INVALID}Only DELETE action is allowed when no attribute value is specified")
        return Remove(path)
    normalise(value)
    if action == "PUT":
        return Set(path, Literal(value))
    return _addition(path, value) if action == "ADD" else _deletion(path, value)


def _addition(path: Path, value: AttributeValue) -> Action:
    """Return an ADD; to a list it appends, which no expression's ADD does."""
    kind = type_of(value)
    if kind == "L":
        present = Function("if_not_exists", (path, Literal(_NOTHING)))
        return Set(path, Function("list_append", (present, Literal(value))))
    if kind != "N" and kind not in _SETS:
        raise ValidationError(f"{INVALID}ADD action is not supported for the type {KIND_NAMES[kind]}")
    return Add(path, Literal(value))


def _deletion(path: Path, value: AttributeValue) -> Action:
    kind = type_of(value)
    if kind not in _SETS:
        raise ValidationError(f"{INVALID}DELETE action with value is not supported for the type {KIND_NAMES[kind]}")
    return Delete(path, Literal(value))
