"""What a request needs: an action on a resource, and what conditions may ask of it.

What: every operation has a function that names its :class:`Demand` objects, from the request alone and from the tables
as they are known, without reading an item.

Invariants: a resource is named in one way, however the request names it, so that a Deny cannot be got round by another
spelling of an ARN. A demand on a table that does not exist is like one on a table that does, without tags and policy.

Source: AWS service authorization reference, "Actions, resources, and condition keys for Amazon DynamoDB".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from region.model.table import Table
from region.operation.context import Context, arn
from region.operation.table.policy_document import TABLE_SLOT

Request = dict[str, Any]

EVERYTHING: Final = "*"
"""The resource of actions that are about none in particular."""
_ARN: Final = re.compile(r"arn:[^:]*:dynamodb:([^:]*):([^:]*):(.*)", re.DOTALL)
_TABLE: Final = re.compile(r"table/([^/]+)(?:/stream/([^/]+))?")


class Details(Protocol):
    """What conditions may ask of one access."""

    def get(self, key: str, /) -> tuple[str, ...] | None:
        """Return the values of a condition key, whose name is in lower case."""


class Demand(NamedTuple):
    """One action on one resource."""

    action: str
    resource: str
    table: Table | None = None
    """The table whose tags and policy count."""
    slot: str = TABLE_SLOT
    """Which of its policies: the table's, or a stream's."""
    details: Callable[[], Details] | None = None
    """What conditions may ask, made when one does."""


Demands = Callable[[Context, Request], Iterable[Demand]]


def place(context: Context, name_or_arn: str) -> tuple[str, Table | None]:
    """Return the ARN of the table that a request names, and the table if there is one.

    Raises:
        ValidationError: it is neither a name nor an ARN.
        ResourceNotFoundError: it is an ARN of another region or account.
    """
    name = context.table_name(name_or_arn)
    return arn(context.settings, name), context.catalogue.by_name.get(name)


def canonical(context: Context, given: str) -> str:
    """Return an ARN of this region and account as it is written here; any other is left as it is."""
    match = _ARN.fullmatch(given)
    settings = context.settings
    if match is None or (match[1], match[2]) != (settings.region, settings.account):
        return given
    return f"arn:aws:dynamodb:{settings.region}:{settings.account}:{match[3]}"


def of_arn(context: Context, action: str, given: str, details: Callable[[], Details] | None = None) -> Demand:
    """Return the demand for an action on what an ARN names: a table, or one of its streams."""
    resource = canonical(context, given)
    found = _TABLE.fullmatch(resource.split(":", 5)[-1]) if resource.startswith("arn:aws:dynamodb:") else None
    if found is None:
        return Demand(action, resource, details=details)
    name, label = found.groups()
    if label is None:
        return Demand(action, resource, context.catalogue.by_name.get(name), details=details)
    return Demand(action, resource, _with_stream(context, name, label), f"stream:{label}", details)


def _with_stream(context: Context, name: str, label: str) -> Table | None:
    """Return the table of a stream, which may be gone."""
    present = context.catalogue.by_name.get(name)
    if present is not None and any(stream.label == label for stream in present.local.streams):
        return present
    for table in context.catalogue.by_uid.values():
        if table.name == name and any(stream.label == label for stream in table.local.streams):
            return table
    return present


class Tags:
    """The tags that a request brings, as conditions ask for them."""

    def __init__(self, tags: Mapping[str, str] | Iterable[str]) -> None:
        values = tags if isinstance(tags, Mapping) else dict.fromkeys(tags)
        self._keys = tuple(values)
        self._values = {f"aws:requesttag/{key.lower()}": value for key, value in values.items()}

    def get(self, key: str, /) -> tuple[str, ...] | None:
        """Return ``aws:TagKeys``, or the value of ``aws:RequestTag/…``."""
        if key == "aws:tagkeys":
            return self._keys or None
        value = self._values.get(key)
        return None if value is None else (value,)
