"""CloudWatch on a region's endpoint: an existing lag dashboard works, and a cut link shows in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import botocore.model
import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

from atoll import Cluster
from atoll.config import load

EAST, WEST = "us-east-1", "eu-west-1"
TRANSACTION = "TransactWriteItems"
PROTOCOLS = ("smithy-rpc-v2-cbor", "json", "query")


@pytest.fixture(scope="module")
def watched() -> Iterator[Cluster]:
    """Two regions with proxied links and a gateway, throttling on; one global table with an index."""
    template = load(flags={"throttling": True, "ttl.sweep_ms": 50, "durability": "memory"})
    with Cluster((EAST, WEST), gateway=True, proxied=True, announce=False, template=template) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def used(watched: Cluster) -> Cluster:
    """The same, with a table that was used in every way that a metric counts."""
    dynamodb = client(watched, "dynamodb")
    attribute = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "kind")]
    dynamodb.create_table(
        TableName="orders",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=attribute,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-kind",
                "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    dynamodb.update_table(TableName="orders", ReplicaUpdates=[{"Create": {"RegionName": WEST}}])
    dynamodb.create_table(
        TableName="narrow",
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 2, "WriteCapacityUnits": 1},
        AttributeDefinitions=attribute[:1],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    for number in range(4):
        item = {"id": {"S": str(number)}, "kind": {"S": "a"}, "body": {"S": "x" * 1500}}
        dynamodb.put_item(TableName="orders", Item=item)
    key = {"id": {"S": "0"}}
    dynamodb.get_item(TableName="orders", Key=key)
    dynamodb.get_item(TableName="orders", Key=key, ConsistentRead=True)
    dynamodb.query(
        TableName="orders",
        IndexName="by-kind",
        KeyConditionExpression="kind = :k",
        ExpressionAttributeValues={":k": {"S": "a"}},
    )
    dynamodb.execute_statement(Statement="SELECT * FROM \"orders\" WHERE id = '1'")
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(TableName="orders", Item={"id": {"S": "0"}}, ConditionExpression="attribute_not_exists(id)")
    dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": "orders", "Item": {"id": {"S": f"t{number}"}}}} for number in range(2)]
    )
    with pytest.raises(ClientError, match="ValidationException"):
        dynamodb.get_item(TableName="orders", Key={"none": {"S": "0"}})
    large = {"TableName": "narrow", "Item": {"id": {"S": "1"}, "body": {"S": "x" * 20_000}}}
    dynamodb.put_item(**large)
    with pytest.raises(dynamodb.exceptions.ProvisionedThroughputExceededException):
        dynamodb.put_item(**large)
    return watched


def wait_for(holds: Callable[[], bool], timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.1)


def client(cluster: Cluster, service: str, region: str = EAST, *, url: str = "") -> Any:
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=url or cluster.endpoint(region),
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=BotoConfig(retries={"total_max_attempts": 1}, parameter_validation=False),
    )


@pytest.fixture(params=PROTOCOLS)
def cloudwatch(request: pytest.FixtureRequest, used: Cluster, monkeypatch: pytest.MonkeyPatch) -> Any:
    """CloudWatch's client, in each protocol that the service model lists."""
    monkeypatch.setattr(botocore.model, "PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", (request.param,))
    made = client(used, "cloudwatch")
    assert made.meta.service_model.resolved_protocol == request.param
    return made


def query(name: str, metric: str, stat: str = "Sum", period: int = 60, **dimensions: str) -> dict[str, Any]:
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/DynamoDB",
                "MetricName": metric,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            },
            "Period": period,
            "Stat": stat,
        },
    }


def around_now() -> dict[str, datetime]:
    now = datetime.now(UTC)
    return {"StartTime": now - timedelta(minutes=10), "EndTime": now + timedelta(minutes=2)}


def sums(cloudwatch: Any, *queries: dict[str, Any]) -> dict[str, float]:
    """Return what the periods of each query add up to."""
    results = cloudwatch.get_metric_data(MetricDataQueries=list(queries), **around_now())["MetricDataResults"]
    return {result["Id"]: sum(result["Values"]) for result in results}


def test_what_requests_did_is_counted_as_dynamodb_counts_it(cloudwatch: Any) -> None:
    index = {"TableName": "orders", "GlobalSecondaryIndexName": "by-kind"}
    found = sums(
        cloudwatch,
        query("written", "ConsumedWriteCapacityUnits", TableName="orders"),
        query("indexed", "ConsumedWriteCapacityUnits", **index),
        query("read", "ConsumedReadCapacityUnits", TableName="orders"),
        query("index_read", "ConsumedReadCapacityUnits", **index),
        query("puts", "SuccessfulRequestLatency", "SampleCount", TableName="orders", Operation="PutItem"),
        query("gets", "SuccessfulRequestLatency", "SampleCount", TableName="orders", Operation="GetItem"),
        query("selects", "SuccessfulRequestLatency", "SampleCount", TableName="orders", Operation="ExecuteStatement"),
        query("transacted", "SuccessfulRequestLatency", "SampleCount", TableName="orders", Operation=TRANSACTION),
        query("queried", "ReturnedItemCount", TableName="orders", Operation="Query"),
        query("failed", "ConditionalCheckFailedRequests", TableName="orders"),
        query("refused", "ThrottledRequests", TableName="narrow", Operation="PutItem"),
        query("throttled", "WriteThrottleEvents", TableName="narrow"),
        query("users", "UserErrors"),
    )
    # Four puts of two units, one that failed over an item of two, two puts of a transaction at two each.
    assert found == {
        "written": 8 + 2 + 4,
        "indexed": 8,
        "read": 0.5 + 1 + 0.5,
        "index_read": 1.0,
        "puts": 4,
        "gets": 2,
        "selects": 1,
        "transacted": 1,
        "queried": 4,
        "failed": 1,
        "refused": 1,
        "throttled": 1,
        "users": 1,
    }


def test_settings_are_metrics_too(cloudwatch: Any) -> None:
    def provisioned() -> bool:
        found = cloudwatch.get_metric_statistics(
            Namespace="AWS/DynamoDB",
            MetricName="ProvisionedReadCapacityUnits",
            Dimensions=[{"Name": "TableName", "Value": "narrow"}],
            Period=60,
            Statistics=["Maximum"],
            **around_now(),
        )["Datapoints"]
        return [point["Maximum"] for point in found[:1]] == [2.0]

    wait_for(provisioned)


def test_statistics_of_a_latency_are_in_order_and_have_its_unit(cloudwatch: Any) -> None:
    answer = cloudwatch.get_metric_statistics(
        Namespace="AWS/DynamoDB",
        MetricName="SuccessfulRequestLatency",
        Dimensions=[{"Name": "Operation", "Value": "PutItem"}, {"Name": "TableName", "Value": "orders"}],
        Period=3600,
        Statistics=["SampleCount", "Average", "Sum", "Minimum", "Maximum"],
        ExtendedStatistics=["p50", "p99"],
        StartTime=datetime.now(UTC) - timedelta(minutes=30),
        EndTime=datetime.now(UTC) + timedelta(minutes=30),
    )
    (point,) = answer["Datapoints"]
    assert answer["Label"] == "SuccessfulRequestLatency"
    assert point["Unit"] == "Milliseconds"
    assert point["SampleCount"] == 4
    assert point["Average"] * 4 == pytest.approx(point["Sum"])
    assert 0 < point["Minimum"] <= point["Average"] <= point["Maximum"] < 60_000
    extended = point["ExtendedStatistics"]
    assert point["Minimum"] <= extended["p50"] <= extended["p99"] <= point["Maximum"]
    assert point["Timestamp"].tzinfo is not None


def test_metrics_are_listed_by_name_and_dimension(cloudwatch: Any) -> None:
    def listed(**wanted: Any) -> set[str]:
        pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace="AWS/DynamoDB", **wanted)
        return {
            " ".join((metric["MetricName"], *sorted(each["Value"] for each in metric["Dimensions"])))
            for page in pages
            for metric in page["Metrics"]
        }

    assert listed(MetricName="ReplicationLatency") == {f"ReplicationLatency {WEST} orders"}
    assert listed(Dimensions=[{"Name": "GlobalSecondaryIndexName"}]) == {
        "ConsumedReadCapacityUnits by-kind orders",
        "ConsumedWriteCapacityUnits by-kind orders",
    }
    assert "UserErrors" in listed(RecentlyActive="PT3H")
    assert not listed(Dimensions=[{"Name": "TableName", "Value": "none"}])
    assert not cloudwatch.list_metrics(Namespace="AWS/EC2")["Metrics"]


def test_pages_of_data_put_together_are_the_whole(cloudwatch: Any) -> None:
    queries = [
        query("puts", "SuccessfulRequestLatency", "SampleCount", TableName="orders", Operation="PutItem"),
        query("none", "SuccessfulRequestLatency", TableName="nothing"),
        query("users", "UserErrors"),
        {"Id": "both", "Expression": "puts + users", "Label": "${LABEL} ${MAX}"},
    ]
    asked = {"MetricDataQueries": queries, **around_now()}
    whole = cloudwatch.get_metric_data(**asked)["MetricDataResults"]
    pages = list(cloudwatch.get_paginator("get_metric_data").paginate(MaxDatapoints=1, **asked))
    assert len(pages) == sum(len(result["Values"]) for result in whole)
    assert [result["Id"] for result in whole] == ["puts", "none", "users", "both"]
    together: dict[str, list[float]] = {}
    for page in pages:
        for result in page["MetricDataResults"]:
            together.setdefault(result["Id"], []).extend(result["Values"])
    assert together == {result["Id"]: result["Values"] for result in whole}


@pytest.mark.parametrize(
    ("operation", "changed", "code", "problem"),
    [
        ("get_metric_statistics", {"Statistics": []}, "InvalidParameter", "greater than or equal to 1|At least one"),
        ("get_metric_statistics", {"Period": 61}, "InvalidParameterValue", "multiple of 60"),
        ("get_metric_statistics", {"Period": 1}, "InvalidParameterCombination", "exceeds the limit of 1,440"),
        ("get_metric_statistics", {"ExtendedStatistics": ["p101"]}, "InvalidParameterValue", "p101"),
        ("get_metric_statistics", {"MetricName": None}, "MissingParameter", "MetricName is required"),
        ("get_metric_statistics", {"EndTime": datetime(2000, 1, 1, tzinfo=UTC)}, "Combination", "less than"),
        ("get_metric_statistics", {"Unit": "Miles"}, "InvalidParameterValue", "Unit must be a value in the set"),
        ("get_metric_data", {"MetricDataQueries": []}, "ValidationError|MissingParameter", "MetricDataQueries"),
        ("get_metric_data", {"MetricDataQueries": [{"Id": "A", "Expression": "x"}]}, "ValidationError", "lower-case"),
        ("get_metric_data", {"MetricDataQueries": [{"Id": "a"}]}, "ValidationError", "either MetricStat or Expression"),
        ("get_metric_data", {"NextToken": "none"}, "InvalidNextToken", "NextToken"),
        ("get_metric_data", {"MaxDatapoints": 0}, "ValidationError", "MaxDatapoints"),
        ("put_metric_data", {}, "InvalidAction|UnknownOperation", "GetMetricStatistics, ListMetrics"),
    ],
)
def test_what_is_wrong_is_refused_with_cloudwatchs_code(
    cloudwatch: Any, operation: str, changed: dict[str, Any], code: str, problem: str
) -> None:
    right: dict[str, Any] = {
        "get_metric_statistics": {
            "Namespace": "AWS/DynamoDB",
            "MetricName": "UserErrors",
            "Period": 60,
            "Statistics": ["Sum"],
            **around_now(),
            "StartTime": datetime.now(UTC) - timedelta(hours=1),
        },
        "get_metric_data": {"MetricDataQueries": [query("a", "UserErrors")], **around_now()},
        "put_metric_data": {"Namespace": "mine"},
    }[operation]
    asked = {name: value for name, value in {**right, **changed}.items() if value is not None}
    with pytest.raises(ClientError, match=problem) as refused:
        getattr(cloudwatch, operation)(**asked)
    assert any(part in refused.value.response["Error"]["Code"] for part in code.split("|"))


def lag_ms(cloudwatch: Any, table: str) -> float:
    """Return the highest ReplicationLatency of the last moments, 0 where there was none."""
    now = datetime.now(UTC)
    (found,) = cloudwatch.get_metric_data(
        MetricDataQueries=[
            query("lag", "ReplicationLatency", "Maximum", 5, TableName=table, ReceivingRegion=WEST),
        ],
        StartTime=now - timedelta(seconds=5),
        EndTime=now + timedelta(seconds=5),
    )["MetricDataResults"]
    return max(found["Values"], default=0.0)


def test_replication_latency_rises_while_a_link_is_cut_and_falls_when_it_is_healed(watched: Cluster) -> None:
    watched.create_global_table("cut")
    cloudwatch = client(watched, "cloudwatch", url=watched.gateway)
    put = {"TableName": "cut", "Item": {"id": {"S": "1"}}}
    watched.call(EAST, "PutItem", put)
    watched.wait_converged("cut")
    wait_for(lambda: lag_ms(cloudwatch, "cut") > 0)
    watched.cut(f"{EAST}->{WEST}", mode="blackhole")
    try:
        watched.call(EAST, "PutItem", {"TableName": "cut", "Item": {"id": {"S": "2"}}})
        began = time.monotonic()
        wait_for(lambda: lag_ms(cloudwatch, "cut") > 2000)
        assert lag_ms(cloudwatch, "cut") <= (time.monotonic() - began) * 1000 + 1000
        pending = sums(
            cloudwatch, query("p", "PendingReplicationCount", "Maximum", TableName="cut", ReceivingRegion=WEST)
        )
        assert pending["p"] >= 1
    finally:
        watched.heal()
    watched.wait_converged("cut")
    wait_for(lambda: lag_ms(cloudwatch, "cut") < 2000, timeout_s=20)


def test_deleted_tables_are_forgotten_and_names_that_clients_make_up_leave_nothing_behind(watched: Cluster) -> None:
    cloudwatch = client(watched, "cloudwatch")
    dynamodb = client(watched, "dynamodb")
    for number in range(20):
        with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
            dynamodb.get_item(TableName=f"made-up-{number}", Key={"id": {"S": "0"}})
    names = [
        dimension["Value"]
        for page in cloudwatch.get_paginator("list_metrics").paginate()
        for metric in page["Metrics"]
        for dimension in metric["Dimensions"]
    ]
    assert not [name for name in names if name.startswith("made-up")]
