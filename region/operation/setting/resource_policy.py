"""Resource-based policies: PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy, for tables and their streams.

What: a table and each of its streams have a slot for one policy, kept by this region alone: policies never travel
between replicas. They are checked and kept; no request is judged by them yet.

Invariants: revision ids of a table rise with its changes. A policy that says the same as the one that is there changes
nothing, and so does a deletion where there is none.

Source: AWS API reference, the three operations; messages as AWS sends them.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from region.errors import PolicyNotFoundError, ResourceNotFoundError, ValidationError
from region.model.change import Response
from region.model.table import CREATING, DELETING, Table
from region.model.values import INVALID
from region.operation.context import Context
from region.operation.table import policy_document, records
from region.operation.table.description import status_of
from region.operation.table.tables import find, in_use

NO_POLICY: Final = "NO_POLICY"
"""The expected revision of a caller who wants to put the first policy, and no other."""

_ARN: Final = re.compile(r"arn:([^:]*):([^:]*):([^:]*):([^:]*):(.*)")
_RESOURCE: Final = re.compile(r"table/([a-zA-Z0-9_.-]{3,255})(?:/(stream|index)/([^/]+))?")

Request = dict[str, Any]


class Slot(NamedTuple):
    """Where a policy is kept: the table, and the name of the slot."""

    table: Table
    name: str

    def revision(self) -> dict[str, str]:
        """Return what is in the slot: ``RevisionId`` of the last change, and ``Policy`` if there is one."""
        slots: dict[str, dict[str, str]] = self.table.local.extra.get(policy_document.OWN, {})
        return slots.get(self.name, {})


def put_resource_policy(context: Context, request: Request) -> Response:
    """Attach a policy to a table or a stream, in place of the one that is there.

    Raises:
        ValidationError: the ARN or the document is wrong.
        ResourceNotFoundError: there is no such table or stream.
        ResourceInUseError: the table is being deleted.
        PolicyNotFoundError: the policy that is there is not the expected one.
    """
    arn = request["ResourceArn"]
    name, label = _parse(context, arn)
    policy = policy_document.canonical(request["Policy"], context.settings.account)
    slot = _changeable(context, name, label)
    present = slot.revision()
    expected = request.get("ExpectedRevisionId")
    if not (expected == NO_POLICY and "Policy" not in present):
        _check_revision(slot, expected)
    if present.get("Policy") == policy:
        return {"RevisionId": present["RevisionId"]}
    return {"RevisionId": _save(context, slot, policy)}


def get_resource_policy(context: Context, request: Request) -> Response:
    """Return the policy of a table or a stream.

    Raises:
        ValidationError: the ARN is wrong.
        ResourceNotFoundError: there is no such table or stream.
        PolicyNotFoundError: it has no policy.
    """
    present = _slot(context, *_parse(context, request["ResourceArn"])).revision()
    if "Policy" not in present:
        raise PolicyNotFoundError(
            f"Resource-based policy not found for the provided ResourceArn: {request['ResourceArn']}"
        )
    return {"Policy": policy_document.versioned(present["Policy"]), "RevisionId": present["RevisionId"]}


def delete_resource_policy(context: Context, request: Request) -> Response:
    """Take the policy off a table or a stream; return its revision, or that of the deletion if it is gone already.

    Raises:
        ValidationError: the ARN is wrong.
        ResourceNotFoundError: there is no such table or stream.
        ResourceInUseError: the table is being deleted.
        PolicyNotFoundError: the policy that is there is not the expected one.
    """
    slot = _changeable(context, *_parse(context, request["ResourceArn"]))
    present = slot.revision()
    _check_revision(slot, request.get("ExpectedRevisionId"))
    if "Policy" in present:
        _save(context, slot, None)
    return {"RevisionId": present["RevisionId"]} if present else {}


def _parse(context: Context, arn: str) -> tuple[str, str | None]:
    """Return the table's name and the stream's label, if it is a stream's ARN."""
    if not arn.startswith("arn:"):
        raise ValidationError(f"{INVALID}ARNs must start with 'arn:': {arn}")
    match = _ARN.fullmatch(arn)
    if match is None:
        raise ValidationError(f"{INVALID}Invalid resource Arn: {arn}")
    partition, service, region, account, rest = match.groups()
    if account != context.settings.account:
        raise ValidationError("This action is only supported by accounts that match the resource owner\u2019s account.")
    if (partition, service, region) != ("aws", "dynamodb", context.settings.region):
        raise ValidationError(f"{INVALID}Invalid resource Arn: {arn}")
    resource = _RESOURCE.fullmatch(rest)
    if resource is None:
        raise ValidationError(f"{INVALID}Provided Arn is not a DynamoDB resource arn: {arn}")
    name, kind, label = resource.groups()
    if kind == "index":
        raise ValidationError(
            f"{INVALID}Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {arn}"
        )
    return name, label


def _slot(context: Context, name: str, label: str | None) -> Slot:
    table = find(context, name)
    if label is None:
        return Slot(table, policy_document.TABLE_SLOT)
    now_ms = context.now_ms()
    if not any(stream.label == label and not stream.expired(now_ms) for stream in table.local.streams):
        raise ResourceNotFoundError(f"Requested resource not found: Stream: {label} not found for Table: {name}")
    return Slot(table, f"stream:{label}")


def _changeable(context: Context, name: str, label: str | None) -> Slot:
    """Return a slot that may be changed now."""
    slot = _slot(context, name, label)
    status = status_of(context, slot.table)
    if status == CREATING:
        raise ResourceNotFoundError(f"Requested resource not found: Table: {name} not found")
    if status == DELETING:
        raise in_use(slot.table, status)
    return slot


def _check_revision(slot: Slot, expected: str | None) -> None:
    present = slot.revision()
    if expected is None or ("Policy" in present and present["RevisionId"] == expected):
        return
    asked = (
        "Resource-based policy not found for the provided ResourceArn: Requested update for policy with revision id "
        f"{expected}, but "
    )
    if "Policy" not in present:
        raise PolicyNotFoundError(f"{asked}table {slot.table.name} has no associated policy.")
    raise PolicyNotFoundError(f"{asked}the policy associated to target table {slot.table.name} did not match.")


def _save(context: Context, slot: Slot, policy: str | None) -> str:
    """Fill or empty a slot; return the revision of the change."""
    last = slot.revision().get("RevisionId", "0")
    revision = str(max(context.now_ms(), int(last) + 1))
    value = {"RevisionId": revision} if policy is None else {"RevisionId": revision, "Policy": policy}
    slots = {**slot.table.local.extra.get(policy_document.OWN, {}), slot.name: value}
    records.save_extra(context, slot.table, policy_document.OWN, slots)
    return revision
