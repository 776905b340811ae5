"""Tags: TagResource, UntagResource, ListTagsOfResource. They belong to one region's replica and never travel.

Invariants: at most 50 tags a table; keys of 1 to 128 characters, values of up to 256, both of letters, digits, spaces
and ``_.:/=+-@``; keys that begin with ``aws:`` are AWS's own.

Source: AWS developer guide, "Adding tags and labels to resources"; AWS API reference, the three operations.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from region.errors import AccessDeniedError, ResourceNotFoundError, ValidationError
from region.model import limits
from region.model.change import Response
from region.model.table import CREATING, DELETING, Table
from region.model.values import INVALID
from region.operation.context import Context

PAGE_TAGS: Final = limits.TAGS_MAX
RESERVED: Final = "aws:"
_PUNCTUATION: Final = frozenset("_.:/=+-@")
_ARN: Final = re.compile(r"arn:[^:]*:([^:]*):([^:]*):([^:]*):(.*)")
_TABLE: Final = re.compile(r"table/([a-zA-Z0-9_.-]{3,255})")

Request = dict[str, Any]


def tag_resource(context: Context, request: Request) -> Response:
    """Add tags to a table, or give those that it has a new value."""
    name = _table_name(context, request["ResourceArn"], "TagResource")
    if not request["Tags"]:
        raise ValidationError("Atleast one Tag needs to be provided as Input.")
    added = checked(request["Tags"])
    table = _table(context, name, request["ResourceArn"])
    tags = {**table.local.tags, **added}
    _check_number(tags)
    _save(context, table, tags)
    return {}


def untag_resource(context: Context, request: Request) -> Response:
    """Remove tags from a table; keys that it does not have are no error."""
    name = _table_name(context, request["ResourceArn"], "UntagResource")
    if not request["TagKeys"]:
        raise ValidationError("Atleast one Tag Key needs to be provided as Input.")
    table = _table(context, name, request["ResourceArn"])
    _save(context, table, {k: v for k, v in table.local.tags.items() if k not in request["TagKeys"]})
    return {}


def list_tags_of_resource(context: Context, request: Request) -> Response:
    """Return a page of a table's tags in the order of their keys."""
    name = _table_name(context, request["ResourceArn"], "ListTagsOfResource")
    table = _table(context, name, request["ResourceArn"])
    after = request.get("NextToken")
    if after is not None and after not in table.local.tags:
        raise ValidationError(f"{INVALID}NextToken is not valid")
    keys = sorted(key for key in table.local.tags if after is None or key > after)
    page = keys[:PAGE_TAGS]
    answer: Response = {"Tags": [{"Key": key, "Value": table.local.tags[key]} for key in page]}
    if len(page) < len(keys):
        answer["NextToken"] = page[-1]
    return answer


def checked(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Check a list of tags and return it as a mapping.

    Raises:
        ValidationError: a key is reserved or given twice, a character is not allowed, or there are too many.
    """
    result: dict[str, str] = {}
    for tag in tags:
        key, value = tag["Key"], tag["Value"]
        if key.lower().startswith(RESERVED):
            raise ValidationError(f"{INVALID}Tag keys that begin with {RESERVED} are reserved. Tag key: {key}")
        if key in result:
            raise ValidationError(f"{INVALID}Duplicate tag key: {key}")
        for text, what in ((key, "key"), (value, "value")):
            if not all(map(_allowed, text)):
                raise ValidationError(f"{INVALID}Tag {what} contains invalid characters: {text}")
        result[key] = value
    _check_number(result)
    return result


def _check_number(tags: Mapping[str, str]) -> None:
    if len(tags) > limits.TAGS_MAX:
        raise ValidationError(f"{INVALID}Number of tags exceeds the limit of {limits.TAGS_MAX} per resource")


def _allowed(character: str) -> bool:
    return character in _PUNCTUATION or unicodedata.category(character)[0] in "LZN"


def _table_name(context: Context, resource: str, operation: str) -> str:
    """Return the table's name from its ARN: the account is checked before the region, as AWS does."""
    match = _ARN.fullmatch(resource)
    if match is None:
        raise ValidationError(f"Invalid TableArn: Invalid ResourceArn provided as input {resource}")
    service, region, account, rest = match.groups()
    if service != "dynamodb" or account != context.settings.account:
        raise AccessDeniedError(
            f"User: arn:aws:iam::{context.settings.account}:root is not authorized to perform: "
            f"dynamodb:{operation} on resource: {resource}"
        )
    table = _TABLE.fullmatch(rest)
    if table is None or region != context.settings.region:
        raise ValidationError(f"Invalid TableArn: Invalid ResourceArn provided as input {resource}")
    return table[1]


def _table(context: Context, name: str, resource: str) -> Table:
    table = context.catalogue.by_name.get(name)
    if table is None or (table.local.status in (CREATING, DELETING) and not context.usable(table)):
        raise ResourceNotFoundError(f"Requested resource not found: ResourceArn: {resource} not found")
    return table


def _save(context: Context, table: Table, tags: dict[str, str]) -> None:
    if tags != table.local.tags:
        context.save_table(msgspec.structs.replace(table.record, local=msgspec.structs.replace(table.local, tags=tags)))
