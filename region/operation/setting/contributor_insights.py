"""Contributor Insights: UpdateContributorInsights, DescribeContributorInsights, ListContributorInsights.

What: the state of insights, for a table and for each of its global indexes apart, as AWS reports it. It belongs to this
region alone and never travels. Nothing is counted yet: the rules are named, and there is no CloudWatch to read them.

Shape in :attr:`LocalState.extra` under :data:`OWN`: ``{"" | index name: {Enabled, Mode, UpdatedMs, RulesMs, UntilMs,
IndexId}}``; an entry counts for the index that had its number, not for a later one of the same name.

Source: AWS API reference, the three operations; developer guide, "CloudWatch Contributor Insights for DynamoDB";
messages as AWS sends them.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from region.errors import ResourceNotFoundError, ValidationError
from region.model.change import Response
from region.model.table import ACTIVE, CREATING, KeySchema, Table
from region.model.values import INVALID
from region.operation.context import Context
from region.operation.table import records
from region.operation.table.description import status_of
from region.operation.table.tables import find

OWN: Final = "insights"
ALL_KEYS: Final = "ACCESSED_AND_THROTTLED_KEYS"
THROTTLED_KEYS: Final = "THROTTLED_KEYS"
ENABLING: Final = "ENABLING"
ENABLED: Final = "ENABLED"
DISABLING: Final = "DISABLING"
DISABLED: Final = "DISABLED"
PAGE_MAX: Final = 100
RULE_NAME_MAX: Final = 128
_PREFIX: Final = "DynamoDBContributorInsights"

Request = dict[str, Any]


class Target(NamedTuple):
    """What insights are about: a table, or one of its global indexes."""

    table: Table
    index_name: str | None

    @property
    def key(self) -> str:
        """The name of its entry, which is also its position in a listing."""
        return self.index_name or ""

    @property
    def index_id(self) -> int:
        """The number of the index, 0 for the table."""
        return 0 if self.index_name is None else self.table.indexes[self.index_name].id

    @property
    def keys(self) -> KeySchema:
        """The key schema of the table or the index."""
        return self.table.keys if self.index_name is None else self.table.indexes[self.index_name].keys

    def entry(self) -> dict[str, Any] | None:
        """Return what is known of it; ``None`` where insights were never asked for."""
        entry: dict[str, Any] | None = self.table.local.extra.get(OWN, {}).get(self.key)
        return entry if entry is not None and entry["IndexId"] == self.index_id else None

    def named(self) -> dict[str, str]:
        """Return the members of an answer that name it."""
        name = {"TableName": self.table.name}
        return name if self.index_name is None else {**name, "IndexName": self.index_name}


def update_contributor_insights(context: Context, request: Request) -> Response:
    """Switch insights on, in one of two modes, or off; what is so already is answered as it stands.

    Raises:
        ResourceNotFoundError: there is no such table or global index.
        ValidationError: it is being created.
    """
    target = _target(context, request)
    _check_status(context, target)
    entry = target.entry()
    mode = request.get("ContributorInsightsMode") or ALL_KEYS
    if request["ContributorInsightsAction"] == "ENABLE":
        if entry is None or not entry["Enabled"] or entry["Mode"] != mode:
            entry = _save(context, target, entry, enabled=True, mode=mode)
            return {**target.named(), "ContributorInsightsStatus": ENABLING, "ContributorInsightsMode": mode}
    elif entry is not None and entry["Enabled"]:
        mode = entry["Mode"]
        _save(context, target, entry, enabled=False, mode=mode)
        return {**target.named(), "ContributorInsightsStatus": DISABLING, "ContributorInsightsMode": mode}
    return _summary(context, target)


def describe_contributor_insights(context: Context, request: Request) -> Response:
    """Return the state of insights, with the names of the rules while they are on.

    Raises:
        ResourceNotFoundError: there is no such table or global index.
    """
    target = _target(context, request)
    entry = target.entry()
    answer: Response = _summary(context, target)
    if entry is not None:
        answer["LastUpdateDateTime"] = entry["UpdatedMs"] / 1000
        if answer["ContributorInsightsStatus"] == ENABLED:
            answer["ContributorInsightsRuleList"] = list(rules(target, entry).values())
    return answer


def list_contributor_insights(context: Context, request: Request) -> Response:
    """Return a page of the tables and indexes whose insights are not off: each table, then its indexes.

    Raises:
        ResourceNotFoundError: there is no such table.
        ValidationError: the token is not one of this operation's, or a page is asked for of less than one entry.
    """
    limit = request.get("MaxResults")
    if limit is not None and limit < 1:
        raise ValidationError(f"{INVALID}MaxResults must be at least 1")
    name = request.get("TableName")
    tables = [find(context, name)] if name else [table for _, table in sorted(context.catalogue.by_name.items())]
    after = _position(request.get("NextToken"))
    summaries = [
        (target, _summary(context, target))
        for table in tables
        for target in targets(table)
        if after is None or (table.name, target.key) > after
    ]
    listed = [(target, it) for target, it in summaries if it["ContributorInsightsStatus"] != DISABLED]
    page = listed[: limit or PAGE_MAX]
    answer: Response = {"ContributorInsightsSummaries": [it for _, it in page]}
    if len(page) < len(listed):
        last = page[-1][0]
        answer["NextToken"] = f"{last.table.name}/{last.key}"
    return answer


def _position(token: str | None) -> tuple[str, str] | None:
    if token is None:
        return None
    name, slash, index = token.partition("/")
    if not slash:
        raise ValidationError(f"{INVALID}NextToken is not valid")
    return name, index


def _target(context: Context, request: Request) -> Target:
    table = find(context, request["TableName"])
    name = request.get("IndexName")
    if name is not None and (name not in table.indexes or not table.indexes[name].global_):
        raise ResourceNotFoundError(f"Requested resource not found: Index: {name} not found for table: {table.name}")
    return Target(table, name)


def targets(table: Table) -> Iterator[Target]:
    """Yield what insights can be switched on for: the table, then its global indexes."""
    yield Target(table, None)
    for name in sorted(name for name, index in table.indexes.items() if index.global_):
        yield Target(table, name)


def _check_status(context: Context, target: Target) -> None:
    if status_of(context, target.table) == CREATING:
        raise ValidationError("TableStatus must be ACTIVE")
    if target.index_name is not None and target.table.indexes[target.index_name].status != ACTIVE:
        raise ValidationError("IndexStatus must be ACTIVE")


def _save(
    context: Context, target: Target, before: dict[str, Any] | None, *, enabled: bool, mode: str
) -> dict[str, Any]:
    """Write an entry; rules keep the time of their making while they only change their mode."""
    now_ms = context.now_ms()
    keeps = before is not None and before["Enabled"] and enabled
    entry = {
        "Enabled": enabled,
        "Mode": mode,
        "UpdatedMs": now_ms,
        "RulesMs": before["RulesMs"] if before is not None and keeps else now_ms,
        "UntilMs": records.until(context),
        "IndexId": target.index_id,
    }
    records.save_extra(context, target.table, OWN, {**target.table.local.extra.get(OWN, {}), target.key: entry})
    return entry


def _summary(context: Context, target: Target) -> dict[str, Any]:
    entry = target.entry()
    if entry is None:
        return {**target.named(), "ContributorInsightsStatus": DISABLED}
    on_the_way, arrived = (ENABLING, ENABLED) if entry["Enabled"] else (DISABLING, DISABLED)
    status = on_the_way if entry["UntilMs"] > context.now_ms() else arrived
    return {**target.named(), "ContributorInsightsStatus": status, "ContributorInsightsMode": entry["Mode"]}


def rules(target: Target, entry: dict[str, Any]) -> dict[str, str]:
    """Return the names of the rules by their kinds: of partition and sort keys (P, S) the most accessed and throttled.

    The kinds are ``PKC``, ``PKT``, ``SKC`` and ``SKT``, as they stand in the names. CloudWatch's names are short: of a
    long one for a table or index the end gives way to a digest.
    """
    kinds = "T" if entry["Mode"] == THROTTLED_KEYS else "CT"
    where = "-".join(target.named().values())
    room = RULE_NAME_MAX - len(f"{_PREFIX}-PKC--{entry['RulesMs']}")
    if len(where) > room:
        digest = blake2b(where.encode(), digest_size=4).hexdigest()
        where = f"{where[: room - len(digest) - 1]}-{digest}"
    return {
        f"{key}K{kind}": f"{_PREFIX}-{key}K{kind}-{where}-{entry['RulesMs']}"
        for key in ("PS" if target.keys.range else "P")
        for kind in kinds
    }
