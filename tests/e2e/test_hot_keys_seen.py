"""Contributor Insights through the front door: switched on by boto3, used, and read by the command and over HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from settled import Run

from atoll import Cluster

BUSY, QUIET = {"id": {"S": "busy"}}, {"id": {"S": "quiet"}}


def target(cluster: Cluster) -> tuple[str, str]:
    return ("--cluster", str(cluster.data))


@pytest.fixture
def used(cluster: Cluster, table: str) -> str:
    """A table of three regions, two of which count: three writes here, and reads there."""
    here, there, _ = cluster.regions
    for region in (here, there):
        client = cluster.client(region)
        client.update_contributor_insights(TableName=table, ContributorInsightsAction="ENABLE")
    writer, reader = cluster.client(here), cluster.client(there)
    writer.put_item(TableName=table, Item={**BUSY, "n": {"N": "1"}})
    writer.put_item(TableName=table, Item={**BUSY, "n": {"N": "2"}})
    writer.put_item(TableName=table, Item=QUIET)
    cluster.wait_converged(table)
    for _ in range(4):
        reader.get_item(TableName=table, Key=BUSY, ConsistentRead=True)
    return table


def test_the_hottest_keys_of_all_regions_are_added_up(cluster: Cluster, used: str, run: Run) -> None:
    here, there, _ = cluster.regions
    answer = run("hot", used, "--json", *target(cluster))
    assert answer.returncode == 0, answer.stderr
    read: dict[str, Any] = json.loads(answer.stdout)
    assert read["modes"] == {
        here: "ACCESSED_AND_THROTTLED_KEYS",
        there: "ACCESSED_AND_THROTTLED_KEYS",
        cluster.regions[2]: None,
    }
    assert read["hot"] == {
        # Each region counts what anyone wrote, and what its own clients read.
        "total": 22.0,
        "observations": 10,
        "exact": True,
        "keys": [
            {"key": BUSY, "least": 16.0, "most": 16.0, "by_region": {here: 6.0, there: 10.0}},
            {"key": QUIET, "least": 6.0, "most": 6.0, "by_region": {here: 3.0, there: 3.0}},
        ],
    }
    shown = run("hot", used, *target(cluster)).stdout.splitlines()
    assert shown[0] == f"{used}: 22 units in the last 5 minutes"
    assert shown[2].split() == ["16", "72.7%", "6", "10", "id=busy"]
    one = json.loads(run("hot", used, "--region", here, "--limit", "1", "--json", *target(cluster)).stdout)
    assert [it["key"] for it in one["hot"]["keys"]] == [BUSY]


def test_where_nothing_is_counted_the_command_says_how_to_begin(cluster: Cluster, table: str, run: Run) -> None:
    answer = run("hot", table, *target(cluster))
    assert answer.returncode == 1
    assert f"Contributor Insights are off for {table}" in answer.stdout
    assert run("hot", "nowhere", *target(cluster)).returncode == 1
    assert run("hot", "nowhere", "--switch", "on", *target(cluster)).returncode == 1
    assert "no global index" in run("hot", table, "--index", "none", *target(cluster)).stderr


def test_the_command_switches_the_counting_on_and_off(cluster: Cluster, table: str, run: Run) -> None:
    here, there, _ = cluster.regions
    answer = run("hot", table, "--switch", "on", "--region", here, "--region", there, *target(cluster))
    assert answer.stdout == f"Contributor Insights are on for {table} in {here}, {there}.\n", answer.stderr
    assert json.loads(run("hot", table, "--json", *target(cluster)).stdout)["modes"][there] is not None
    off = run("hot", table, "--switch", "off", "--json", *target(cluster))
    assert json.loads(off.stdout) == {"table": table, "index": None, "on": False, "regions": list(cluster.regions)}
    assert run("hot", table, *target(cluster)).returncode == 1


def test_the_rules_that_are_described_are_those_that_count(cluster: Cluster, used: str) -> None:
    here = cluster.regions[0]
    described = cluster.client(here).describe_contributor_insights(TableName=used)
    report = cluster.admin(here).hot_keys(used)
    assert described["ContributorInsightsRuleList"] == [rule.name for rule in report.rules]
    assert [rule.kind for rule in report.rules] == ["PKC", "PKT"]


def test_cloudwatch_reports_the_rules_to_an_ordinary_client(cluster: Cluster, used: str) -> None:
    there = cluster.regions[1]
    cloudwatch: Any = boto3.client(
        "cloudwatch",
        endpoint_url=cluster.endpoint(there),
        region_name=there,
        aws_access_key_id="a",
        aws_secret_access_key="a",
    )
    (rule, *_) = cluster.client(there).describe_contributor_insights(TableName=used)["ContributorInsightsRuleList"]
    assert rule in [it["Name"] for it in cloudwatch.describe_insight_rules()["InsightRules"]]
    now = datetime.now(UTC)
    asked = {"StartTime": now - timedelta(minutes=5), "EndTime": now + timedelta(minutes=1), "Period": 60}
    report = cloudwatch.get_insight_rule_report(RuleName=rule, Metrics=["MaxContributorValue", "Sum"], **asked)
    assert report["KeyLabels"] == ["id"]
    assert [(it["Keys"], it["ApproximateAggregateValue"]) for it in report["Contributors"]] == [
        (["busy"], 10.0),
        (["quiet"], 3.0),
    ]
    assert sum(it["Sum"] for it in report["MetricDatapoints"]) == 13.0
    with pytest.raises(cloudwatch.exceptions.ResourceNotFoundException):
        cloudwatch.get_insight_rule_report(RuleName="none", **asked)
