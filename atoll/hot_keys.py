"""The hottest keys of a table, as a region counts them, and as several regions do together.

What: the contract between a region's admin address (``GET /hot/{table}``) and those who ask, and :func:`merge`, which
adds up what several regions say of one rule.

Invariant: a key's weight lies between ``least`` and ``most``, also in the sum: what a region does not show of a key, it
may have counted up to its ``missing``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec


class HotKey(msgspec.Struct, kw_only=True):
    """A key and what it weighs: consumed throughput units, or throttled requests."""

    key: dict[str, Any]
    """The key attributes, as DynamoDB JSON."""
    least: float
    most: float


class RuleReport(msgspec.Struct, kw_only=True):
    """What one rule of Contributor Insights has counted in the minutes that were asked for."""

    kind: str
    """``PKC``, ``SKC``, ``PKT`` or ``SKT``: partitions or items, accessed or throttled."""
    name: str
    total: float
    observations: int
    distinct: int
    """How many keys were met, at least that many where ``exact`` is false."""
    exact: bool
    """Whether every weight is exact; otherwise the bounds are."""
    missing: float
    """The most that a key may weigh which is not among ``keys``."""
    keys: list[HotKey]


class HotKeysReport(msgspec.Struct, kw_only=True):
    """What a region has counted for a table, or for one of its global indexes."""

    table: str
    index: str | None
    mode: str | None
    """The mode of Contributor Insights; ``None``: they are off, and nothing is counted."""
    minutes: int
    rules: list[RuleReport]

    def rule(self, kind: str) -> RuleReport | None:
        """Return what the rule of a kind has counted, where there is that rule."""
        return next((rule for rule in self.rules if rule.kind == kind), None)


class MergedKey(msgspec.Struct, kw_only=True):
    """A key with what it weighs in all regions together; ``by_region`` is the least of each that shows it."""

    key: dict[str, Any]
    least: float
    most: float
    by_region: dict[str, float]


class Merged(msgspec.Struct, kw_only=True):
    """One rule over all regions that count by it, the heaviest keys first."""

    total: float
    observations: int
    exact: bool
    keys: list[MergedKey]


def merge(rules: Mapping[str, RuleReport]) -> Merged:
    """Add up what regions have counted."""
    missing = sum(rule.missing for rule in rules.values())
    keys: dict[str, MergedKey] = {}
    for region, rule in rules.items():
        for hot in rule.keys:
            text = json.dumps(hot.key, sort_keys=True)
            known = keys.get(text) or MergedKey(key=hot.key, least=0, most=missing, by_region={})
            known.least += hot.least
            known.most += hot.most - rule.missing
            known.by_region[region] = hot.least
            keys[text] = known
    return Merged(
        total=sum(rule.total for rule in rules.values()),
        observations=sum(rule.observations for rule in rules.values()),
        exact=all(rule.exact for rule in rules.values()),
        keys=[it for _, it in sorted(keys.items(), key=lambda pair: (-pair[1].least, -pair[1].most, pair[0]))],
    )
