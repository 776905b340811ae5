"""Contributor Insights as CloudWatch shows them: DescribeInsightRules and GetInsightRuleReport.

What: the rules are those that DynamoDB makes when insights are switched on for a table or an index; what they have
counted is read minute by minute (:mod:`region.operation.key_counts`). A contributor is a key, ``KeyLabels`` are its
attributes.

Invariants: a report never shows more than was counted for certain; where every key of a minute is known, that is exact.
As on AWS, rules of DynamoDB report up to :data:`CONTRIBUTORS_MAX` contributors.

Source: AWS CloudWatch API reference, the two operations; developer guide of DynamoDB, "CloudWatch Contributor Insights
for DynamoDB: how it works".
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from atoll.monitoring.errors import InvalidParameterValueError, InvalidTokenError, RuleNotFoundError
from region.model.key_series import MINUTE_MS, Minute, Totals, add_up
from region.operation.key_counts import Counted, KeyCounts

CONTRIBUTORS: Final = 10
CONTRIBUTORS_MAX: Final = 25
PAGE: Final = 500
MINUTE_S: Final = MINUTE_MS // 1000
METRICS: Final = ("UniqueContributors", "MaxContributorValue", "SampleCount", "Sum", "Minimum", "Maximum", "Average")
SUM, MAXIMUM = "Sum", "Maximum"
_SCHEMA: Final = json.dumps({"Name": "ServiceLogRule", "Version": 1})

Request = Mapping[str, Any]
Periods = dict[int, list[Minute]]


def describe_insight_rules(counts: KeyCounts, request: Request) -> dict[str, Any]:
    """Return a page of the rules.

    Raises:
        InvalidTokenError: the token is none of this operation's.
    """
    rules = sorted((name, counted, kind) for counted in counts.all() for kind, name in counted.rules.items())
    after = request.get("NextToken")
    names = [name for name, _, _ in rules]
    if after is not None and after not in names:
        raise InvalidTokenError("The token is invalid.")
    start = names.index(after) + 1 if after is not None else 0
    page = rules[start : start + request.get("MaxResults", PAGE)]
    answer: dict[str, Any] = {
        "InsightRules": [
            {
                "Name": name,
                "State": "ENABLED",
                "Schema": _SCHEMA,
                "Definition": json.dumps({"AggregateOn": SUM, "Contribution": {"Keys": _labels(counted, kind)}}),
                "ManagedRule": True,
            }
            for name, counted, kind in page
        ]
    }
    if start + len(page) < len(rules):
        answer["NextToken"] = page[-1][0]
    return answer


def get_insight_rule_report(counts: KeyCounts, request: Request) -> dict[str, Any]:
    """Return the heaviest contributors of a rule, and statistics of each period.

    Raises:
        RuleNotFoundError: there is no such rule.
        InvalidParameterValueError: a parameter is out of range.
    """
    _check(request)
    found = counts.rule(request["RuleName"])
    if found is None:
        raise RuleNotFoundError(f"The insight rule {request['RuleName']} does not exist.")
    counted, kind = found
    first = int(request["StartTime"] // MINUTE_S)
    last = int(-(-request["EndTime"] // MINUTE_S)) - 1
    minutes = counted.series[kind].minutes(first, last)
    periods = _periods(minutes, request["Period"])
    totals = add_up(minutes)
    by_maximum = request.get("OrderBy", SUM) == MAXIMUM
    values = _by_key(periods)
    ranked = sorted(totals.keys, key=lambda it: -max(values[it.key].values())) if by_maximum else totals.keys
    chosen = ranked[: request.get("MaxContributorCount", CONTRIBUTORS)]
    answer: dict[str, Any] = {
        "KeyLabels": _labels(counted, kind),
        "AggregationStatistic": SUM,
        "AggregateValue": totals.total,
        "ApproximateUniqueCount": totals.distinct,
        "Contributors": [
            {
                "Keys": [next(iter(value.values())) for value in counted.key_attributes(kind, it.key).values()],
                "ApproximateAggregateValue": it.least,
                "Datapoints": [
                    {"Timestamp": _time(begin), "ApproximateValue": value} for begin, value in values[it.key].items()
                ],
            }
            for it in chosen
        ],
    }
    if request.get("Metrics"):
        answer["MetricDatapoints"] = [
            {"Timestamp": _time(begin), **_statistics(add_up(within), within, request["Metrics"])}
            for begin, within in periods.items()
        ]
    return answer


def _check(request: Request) -> None:
    if request["StartTime"] >= request["EndTime"]:
        raise InvalidParameterValueError("The parameter StartTime must be less than the parameter EndTime.")
    if request["Period"] % MINUTE_S:
        raise InvalidParameterValueError("The parameter Period must be a multiple of 60.")
    if not 1 <= request.get("MaxContributorCount", CONTRIBUTORS) <= CONTRIBUTORS_MAX:
        raise InvalidParameterValueError(
            f"The parameter MaxContributorCount must be between 1 and {CONTRIBUTORS_MAX} for a rule of DynamoDB."
        )
    if request.get("OrderBy", SUM) not in (SUM, MAXIMUM):
        raise InvalidParameterValueError(f"The parameter OrderBy must be {SUM} or {MAXIMUM}.")
    for name in request.get("Metrics", ()):
        if name not in METRICS:
            raise InvalidParameterValueError(f"The parameter Metrics must hold values of [{', '.join(METRICS)}].")


def _periods(minutes: Iterable[Minute], period_s: int) -> Periods:
    """Divide minutes into periods, which begin at multiples of their length since 1970."""
    found: Periods = defaultdict(list)
    for minute in minutes:
        found[minute.minute * MINUTE_S // period_s * period_s].append(minute)
    return found


def _by_key(periods: Periods) -> dict[bytes, dict[int, float]]:
    """Return what each key weighs in each period in which it is shown."""
    found: dict[bytes, dict[int, float]] = defaultdict(dict)
    for begin, minutes in periods.items():
        for count in add_up(minutes).keys:
            found[count.key][begin] = count.least
    return found


def _statistics(totals: Totals, minutes: list[Minute], names: Iterable[str]) -> dict[str, float]:
    """Return the statistics of a period that are asked for, by their names."""
    values = {
        "UniqueContributors": float(totals.distinct),
        "MaxContributorValue": max(it.least for it in totals.keys),
        "SampleCount": float(totals.observations),
        "Sum": totals.total,
        "Minimum": min(it.least for it in totals.keys),
        "Maximum": max(minute.maximum for minute in minutes),
        "Average": totals.total / totals.distinct,
    }
    return {name: values[name] for name in names}


def _labels(counted: Counted, kind: str) -> list[str]:
    return list(counted.schema.hash if kind.startswith("P") else counted.schema.names)


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
