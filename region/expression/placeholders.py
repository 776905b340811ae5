"""The placeholders of one request: ExpressionAttributeNames and ExpressionAttributeValues.

What: :class:`Placeholders` checks both maps, brings the values to canonical form, hands them to the expressions of the
request, and knows in the end which of them no expression used.

Invariants: after construction every value is canonical. One object serves one request and is thrown away.

Hazards: the values are normalised in place. AWS refuses maps without an expression before it looks into them, so the
expressions are best named at construction, by :meth:`Placeholders.of`; named at :meth:`Placeholders.finish`, a map
that is both malformed and useless is refused for the former.

Source: AWS developer guide, "Expression attribute names (aliases)" and "Using expression attribute values"; wording and
order as DynamoDB Local sends them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from region.errors import ValidationError
from region.model import limits
from region.model.values import AttributeValue, normalise, text_size

NAMES: Final = "ExpressionAttributeNames"
VALUES: Final = "ExpressionAttributeValues"
PROJECTION: Final = "ProjectionExpression"

_ALIAS: Final = re.compile(r"#[A-Za-z0-9_]+")
_PARAMETER: Final = re.compile(r":[A-Za-z0-9_]+")
_NAME_BYTES_MAX: Final = 65535
_KEY_TOO_LONG: Final = "The expression attribute map contains a key that is too long;"
_NOTHING: Final[Mapping[str, Any]] = {}

Uses = tuple[tuple[str, ...], tuple[str, ...]]
"""The placeholders of one expression: those for names and those for values, each once."""


class Placeholders:
    """ExpressionAttributeNames and ExpressionAttributeValues of one request, and what was used of them.

    ``expressions`` maps the name of every expression parameter that the operation has to its text, or ``None`` where
    the request does not give it, in the order in which AWS names them (``UpdateExpression`` before
    ``ConditionExpression``, ``FilterExpression`` before ``KeyConditionExpression``, ``ProjectionExpression`` last);
    with it, maps without an expression to use them are refused. Left out, nothing is assumed about expressions.

    Raises:
        ValidationError: in AWS's words, for maps that are empty, malformed, too large, or have no expression.
        MalformedValueError: a value has the wrong JSON type.
    """

    __slots__ = ("_uses", "names", "values")

    def __init__(
        self,
        names: Mapping[str, str] | None,
        values: Mapping[str, AttributeValue] | None,
        *,
        expressions: Mapping[str, str | None] | None = None,
    ) -> None:
        self.names: Mapping[str, str] = _NOTHING
        self.values: Mapping[str, AttributeValue] = _NOTHING
        self._uses: list[Uses] = []
        if names is None and values is None:
            return
        if expressions is not None:
            _require_expressions(names, values, expressions)
        size = 0
        if names is not None:
            size = _check_names(names)
            self.names = names
        if values is not None:
            size += _check_values(values)
            self.values = values
        if size > limits.EXPRESSION_SUBSTITUTIONS_BYTES_MAX:
            raise ValidationError(f"{NAMES if values is None else VALUES} exceeds max size")

    @classmethod
    def of(cls, request: Mapping[str, Any], *parameters: str) -> Placeholders:
        """Return the placeholders of a request whose expression parameters are named ``parameters``, in AWS's order."""
        return cls(
            request.get(NAMES),
            request.get(VALUES),
            expressions={parameter: request.get(parameter) for parameter in parameters},
        )

    @classmethod
    def of_projection(cls, request: Mapping[str, Any]) -> Placeholders:
        """Return the placeholders of a request that has no expression but a projection, and so no values in its model.

        Values that it brings all the same are ignored, as every member that the model does not know.
        """
        return cls(request.get(NAMES), None, expressions={PROJECTION: request.get(PROJECTION)})

    def use(self, uses: Uses) -> None:
        """Note what an expression uses."""
        self._uses.append(uses)

    def finish(self, **expressions: str | None) -> None:
        """Raise AWS's error if a name or a value was used by no expression; to be called once all are compiled.

        ``expressions`` are the expression parameters of the operation, as at construction, for callers that did not
        name them there. They come in the order in which AWS names them.
        """
        if expressions and (self.names or self.values):
            _require_expressions(self.names or None, self.values or None, expressions)
        if self.names:
            _require_use(NAMES, self.names, [aliases for aliases, _ in self._uses])
        if self.values:
            _require_use(VALUES, self.values, [parameters for _, parameters in self._uses])


def _require_expressions(
    names: Mapping[str, str] | None,
    values: Mapping[str, AttributeValue] | None,
    expressions: Mapping[str, str | None],
) -> None:
    if names is not None and all(text is None for text in expressions.values()):
        raise ValidationError(f"{NAMES} can only be specified when using expressions")
    if values is None:
        return
    absent = [parameter for parameter, text in expressions.items() if text is None and parameter != PROJECTION]
    if absent and len(absent) == sum(parameter != PROJECTION for parameter in expressions):
        verb = "is" if len(absent) == 1 else "are"
        raise ValidationError(
            f"{VALUES} can only be specified when using expressions: {' and '.join(absent)} {verb} null"
        )


def _require_use(parameter: str, given: Mapping[str, Any], uses: list[tuple[str, ...]]) -> None:
    # The common case is one expression that uses all there is; it lists each placeholder once.
    if len(uses) == 1 and len(uses[0]) == len(given):
        return
    used = {key for use in uses for key in use}
    unused = ", ".join(key for key in given if key not in used)
    if unused:
        raise ValidationError(f"Value provided in {parameter} unused in expressions: keys: {{{unused}}}")


def _check_names(names: Mapping[str, str]) -> int:
    """Check the map of names and return its size in bytes."""
    if not names:
        raise ValidationError(f"{NAMES} must not be empty")
    total = 0
    for key, name in names.items():
        total += _alias_size(key)
        if not name:
            raise ValidationError(f"{NAMES} contains invalid value: Empty attribute name for key {key}")
        size = text_size(name)
        if size > _NAME_BYTES_MAX:
            raise ValidationError(
                f"{NAMES} contains invalid value: Attribute name is too large, "
                f"must be less than {_NAME_BYTES_MAX + 1} bytes for key {key}"
            )
        total += size
    return total


def _check_values(values: Mapping[str, AttributeValue]) -> int:
    """Check the map of values, normalise them in place, and return its size in bytes."""
    if not values:
        raise ValidationError(f"{VALUES} must not be empty")
    total = 0
    for key, value in values.items():
        total += _parameter_size(key)
        try:
            total += normalise(value)
        except ValidationError as error:
            raise ValidationError(f"{VALUES} contains invalid value: {error.message} for key {key}") from None
    return total


@lru_cache(maxsize=4096)
def _alias_size(key: str) -> int:
    """Check a placeholder for a name and return its size in bytes."""
    _check_key(NAMES, key, _ALIAS)
    if len(key) > limits.PLACEHOLDER_BYTES_MAX:
        raise ValidationError(f"{NAMES} contains invalid key: {_KEY_TOO_LONG} size of key: {len(key)}")
    return len(key)


@lru_cache(maxsize=4096)
def _parameter_size(key: str) -> int:
    """Check a placeholder for a value and return its size in bytes."""
    _check_key(VALUES, key, _PARAMETER)
    if len(key) > limits.PLACEHOLDER_BYTES_MAX:
        raise ValidationError(f"{VALUES} contains invalid key: {_KEY_TOO_LONG}")
    return len(key)


def _check_key(parameter: str, key: str, pattern: re.Pattern[str]) -> None:
    if not key:
        raise ValidationError(f"{parameter} contains invalid key: The expression attribute map contains an empty key;")
    if not pattern.fullmatch(key):
        raise ValidationError(f'{parameter} contains invalid key: Syntax error; key: "{key}"')
