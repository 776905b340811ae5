"""Contributor Insights as CloudWatch reports them: contributors, periods and statistics of what was counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from atoll.monitoring.errors import CloudWatchError, InvalidParameterValueError, RuleNotFoundError
from atoll.monitoring.insight_rules import METRICS, describe_insight_rules, get_insight_rule_report
from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.operation.context import RegionSettings
from region.operation.key_counts import KeyCounts
from region.randomness import SeededRng
from region.store.sqlite import open_store

REGION = "us-east-1"
START_S = 1_700_000_100 // 600 * 600
TYPES = {"pk": "S", "sk": "N"}


class Region:
    """A region that counts for one table, with a clock set by hand at the begin of ten minutes."""

    def __init__(self) -> None:
        rng = SeededRng(1)
        self.time = ManualClock(START_S * 1000)
        store = open_store(None, region=REGION, durability="memory", rng=rng)
        self.engine = Engine(
            store=store,
            clock=HybridLogicalClock(REGION, self.time, persist=store.save_ceiling),
            source=self.time,
            settings=RegionSettings(region=REGION),
            rng=rng,
        )

    @property
    def counts(self) -> KeyCounts:
        return self.engine.guards.counts

    async def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        return await self.engine.execute(operation, {"TableName": "things", **request})

    async def read(self, key: str, times: int) -> None:
        for _ in range(times):
            await self("GetItem", Key={"pk": {"S": key}, "sk": {"N": "1"}}, ConsistentRead=True)

    def rule(self, kind: str) -> str:
        (name,) = (name for counted in self.counts.all() for name in counted.rules.values() if f"-{kind}-" in name)
        return name

    def report(self, kind: str, **request: Any) -> dict[str, Any]:
        asked = {"RuleName": self.rule(kind), "StartTime": START_S, "EndTime": START_S + 600, "Period": 60, **request}
        return get_insight_rule_report(self.counts, asked)


@pytest.fixture
async def region() -> Region:
    """``a`` was read twice in the first minute and once in the sixth, ``b`` four times in the first."""
    made = Region()
    await made(
        "CreateTable",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in TYPES.items()],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    await made("UpdateContributorInsights", ContributorInsightsAction="ENABLE")
    await made.read("a", 2)
    await made.read("b", 4)
    made.time.advance(301_000)
    await made.read("a", 1)
    return made


def moment(offset_s: int) -> datetime:
    return datetime.fromtimestamp(START_S + offset_s, UTC)


def contributors(report: dict[str, Any]) -> list[tuple[list[str], float]]:
    return [(it["Keys"], it["ApproximateAggregateValue"]) for it in report["Contributors"]]


async def test_a_report_ranks_contributors_and_shows_when_they_were_met(region: Region) -> None:
    report = region.report("SKC")
    assert report["KeyLabels"] == ["pk", "sk"]
    assert (report["AggregationStatistic"], report["AggregateValue"], report["ApproximateUniqueCount"]) == ("Sum", 7, 2)
    assert contributors(report) == [(["b", "1"], 4), (["a", "1"], 3)]
    assert report["Contributors"][1]["Datapoints"] == [
        {"Timestamp": moment(0), "ApproximateValue": 2},
        {"Timestamp": moment(300), "ApproximateValue": 1},
    ]
    assert "MetricDatapoints" not in report
    assert region.report("PKC")["KeyLabels"] == ["pk"]


async def test_periods_and_times_bound_what_is_added_up(region: Region) -> None:
    later = region.report("PKC", StartTime=START_S + 300)
    assert contributors(later) == [(["a"], 1)]
    assert contributors(region.report("PKC", EndTime=START_S + 60)) == [(["b"], 4), (["a"], 2)]
    wide = region.report("PKC", Period=600)
    assert [len(it["Datapoints"]) for it in wide["Contributors"]] == [1, 1]
    assert contributors(region.report("PKC", MaxContributorCount=1)) == [(["b"], 4)]


async def test_by_maximum_the_heaviest_single_period_counts(region: Region) -> None:
    region.time.advance(60_000)
    await region.read("a", 3)
    assert contributors(region.report("PKC")) == [(["a"], 6), (["b"], 4)]
    assert contributors(region.report("PKC", OrderBy="Maximum")) == [(["b"], 4), (["a"], 6)]


async def test_each_period_has_the_statistics_that_are_asked_for(region: Region) -> None:
    first, second = region.report("PKC", Metrics=list(METRICS))["MetricDatapoints"]
    assert first == {
        "Timestamp": moment(0),
        "UniqueContributors": 2,
        "MaxContributorValue": 4,
        "SampleCount": 6,
        "Sum": 6,
        "Minimum": 2,
        "Maximum": 1,
        "Average": 3,
    }
    assert second["Sum"] == 1
    (only, _) = region.report("PKC", Metrics=["MaxContributorValue"])["MetricDatapoints"]
    assert only == {"Timestamp": moment(0), "MaxContributorValue": 4}


@pytest.mark.parametrize(
    "wrong",
    [{"EndTime": START_S}, {"Period": 90}, {"MaxContributorCount": 26}, {"OrderBy": "Average"}, {"Metrics": ["Mode"]}],
)
async def test_what_is_out_of_range_is_refused_and_named(region: Region, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterValueError, match=" ".join(wrong).replace("EndTime", "StartTime")):
        region.report("PKC", **wrong)


async def test_a_rule_goes_with_its_insights(region: Region) -> None:
    name = region.rule("PKC")
    await region("UpdateContributorInsights", ContributorInsightsAction="DISABLE")
    with pytest.raises(RuleNotFoundError):
        get_insight_rule_report(
            region.counts, {"RuleName": name, "StartTime": START_S, "EndTime": START_S + 60, "Period": 60}
        )
    assert describe_insight_rules(region.counts, {}) == {"InsightRules": []}


async def test_rules_are_listed_page_by_page(region: Region) -> None:
    names: list[str] = []
    request: dict[str, Any] = {"MaxResults": 3}
    while True:
        page = describe_insight_rules(region.counts, request)
        names += [it["Name"] for it in page["InsightRules"]]
        if "NextToken" not in page:
            break
        request["NextToken"] = page["NextToken"]
    described = await region("DescribeContributorInsights")
    assert names == sorted(described["ContributorInsightsRuleList"])
    with pytest.raises(CloudWatchError):
        describe_insight_rules(region.counts, {"NextToken": "none"})
