"""Requests against botocore's model of CloudWatch: types, constraints, and timestamps as seconds.

What: :func:`check` takes what a protocol has read and returns it as the operations want it, or refuses it in
CloudWatch's way, naming the member. A member that the model does not know is left out.

Source: botocore's service model of CloudWatch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from atoll.monitoring.errors import CloudWatchError, InvalidParameterValueError, MissingParameterError
from region.wire.service_model import read

SERVICE: Final = "cloudwatch"

Definition = Mapping[str, Any]


@cache
def model() -> Mapping[str, Any]:
    """Return botocore's service model of CloudWatch; read once."""
    return read(SERVICE)


def shape(name: str) -> Definition:
    """Return the definition of a shape."""
    definition: Definition = model()["shapes"][name]
    return definition


def check(name: str, value: Any, path: str = "") -> Any:
    """Return a value as a shape wants it.

    Raises:
        MissingParameterError: a member that is required is not there.
        InvalidParameterValueError: a value is not as the model wants it.
        CloudWatchError: a value has another type.
    """
    definition = shape(name)
    kind = definition["type"]
    if kind == "structure":
        return _structure(definition, value, path)
    if kind == "list":
        if value == "":  # How the query protocol writes an empty list.
            value = []
        if not isinstance(value, list):
            raise CloudWatchError(f"The parameter {path} must be a list.")
        _bounds(definition, len(value), path, "items")
        member = definition["member"]["shape"]
        return [check(member, each, f"{path}.member.{number}") for number, each in enumerate(value, 1)]
    if kind == "timestamp":
        return _seconds(value, path)
    return _scalar(definition, kind, value, path)


def _structure(definition: Definition, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CloudWatchError(f"The parameter {path or 'list'} must be a structure.")
    prefix = f"{path}." if path else ""
    for name in definition.get("required", ()):
        if value.get(name) is None:
            raise MissingParameterError(f"The parameter {prefix}{name} is required.")
    return {
        name: check(member["shape"], value[name], prefix + name)
        for name, member in definition["members"].items()
        if value.get(name) is not None
    }


def _scalar(definition: Definition, kind: str, value: Any, path: str) -> Any:
    if kind == "string":
        if not isinstance(value, str):
            raise CloudWatchError(f"The parameter {path} must be a string.")
        _bounds(definition, len(value), path, "characters")
        if "enum" in definition and value not in definition["enum"]:
            values = ", ".join(definition["enum"])
            raise InvalidParameterValueError(f"The parameter {path} must be a value in the set [{values}].")
        if "pattern" in definition and re.fullmatch(definition["pattern"], value) is None:
            raise InvalidParameterValueError(f"The parameter {path} must match {definition['pattern']}.")
        return value
    if kind == "boolean":
        if value in (True, False):
            return bool(value)
        if value in ("true", "false"):
            return value == "true"
        raise CloudWatchError(f"The parameter {path} must be true or false.")
    try:
        number = int(value) if kind == "integer" else float(value)
    except (TypeError, ValueError, OverflowError):
        raise CloudWatchError(f"The parameter {path} must be a number.") from None
    _bounds(definition, number, path, "")
    return number


def _bounds(definition: Definition, size: float, path: str, of: str) -> None:
    least, most = definition.get("min"), definition.get("max")
    suffix = f" {of}" if of else ""
    if least is not None and size < least:
        raise InvalidParameterValueError(
            f"The parameter {path} must be greater than or equal to {least}{suffix}; it is {size}."
        )
    if most is not None and size > most:
        raise InvalidParameterValueError(
            f"The parameter {path} must be less than or equal to {most}{suffix}; it is {size}."
        )


def _seconds(value: Any, path: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise CloudWatchError(f"The parameter {path} must be a time in ISO 8601.") from None
    if not isinstance(value, datetime):
        raise CloudWatchError(f"The parameter {path} must be a time.")
    return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()
