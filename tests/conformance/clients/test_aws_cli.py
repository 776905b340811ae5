"""The AWS command line, unmodified: it creates, replicates, writes, reads and understands what goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

AWS = Path(sys.executable).parent / "aws"


class CommandLine:
    """The ``aws`` command of one region, for one service."""

    def __init__(self, fleet: Any, region: str, service: str = "dynamodb") -> None:
        self.region = region
        self._service = service
        self._options = ["--endpoint-url", fleet.endpoint(region), "--region", region, "--output", "json"]
        self._environment = fleet.environment()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command, whatever becomes of it."""
        command = [str(AWS), self._service, *arguments, *self._options]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False, timeout=60)

    def __call__(self, *arguments: str) -> Any:
        """Run a command that must succeed; return what it prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture(scope="module")
def virginia(fleet: Any) -> CommandLine:
    """The command line pointed at us-east-1."""
    return CommandLine(fleet, "us-east-1")


@pytest.fixture(scope="module")
def ireland(fleet: Any) -> CommandLine:
    """The command line pointed at eu-west-1."""
    return CommandLine(fleet, "eu-west-1")


@pytest.fixture(scope="module")
def table(fleet: Any, virginia: CommandLine) -> str:
    """A global table in two regions, created and replicated by the command line alone."""
    virginia(
        *("create-table", "--table-name", "cli", "--billing-mode", "PAY_PER_REQUEST"),
        *("--attribute-definitions", "AttributeName=pk,AttributeType=S", "AttributeName=sk,AttributeType=N"),
        *("--key-schema", "AttributeName=pk,KeyType=HASH", "AttributeName=sk,KeyType=RANGE"),
    )
    virginia("wait", "table-exists", "--table-name", "cli")
    virginia("update-table", "--table-name", "cli", "--replica-updates", '[{"Create":{"RegionName":"eu-west-1"}}]')
    fleet.wait_active("cli", "us-east-1", "eu-west-1")
    return "cli"


def test_a_replica_shows_in_the_description_of_the_table(ireland: CommandLine, table: str) -> None:
    description = ireland("describe-table", "--table-name", table)["Table"]
    assert description["GlobalTableVersion"] == "2019.11.21"
    assert [replica["RegionName"] for replica in description["Replicas"]] == ["us-east-1"]


def test_what_is_written_in_one_region_is_read_in_another(
    fleet: Any, virginia: CommandLine, ireland: CommandLine, table: str
) -> None:
    item = {"pk": {"S": "ann"}, "sk": {"N": "1.50"}, "tags": {"SS": ["b", "a"]}, "raw": {"B": "\x01\x02"}}
    virginia("put-item", "--table-name", table, "--item", json.dumps(item), "--return-consumed-capacity", "TOTAL")
    fleet.wait_replicated(table)
    key = json.dumps({"pk": {"S": "ann"}, "sk": {"N": "1.5"}})
    answer = ireland("get-item", "--table-name", table, "--key", key)
    # Version 1 of the command line takes a binary as its plain bytes, and prints it in base64.
    assert answer["Item"] == {**item, "sk": {"N": "1.5"}, "tags": {"SS": ["a", "b"]}, "raw": {"B": "AQI="}}


def test_an_update_goes_back_the_other_way(fleet: Any, virginia: CommandLine, ireland: CommandLine, table: str) -> None:
    key = json.dumps({"pk": {"S": "counter"}, "sk": {"N": "0"}})
    answer = ireland(
        *("update-item", "--table-name", table, "--key", key, "--update-expression", "ADD hits :one"),
        *("--expression-attribute-values", '{":one":{"N":"1"}}', "--return-values", "ALL_NEW"),
    )
    assert answer["Attributes"]["hits"] == {"N": "1"}
    fleet.wait_replicated(table)
    assert virginia("get-item", "--table-name", table, "--key", key)["Item"]["hits"] == {"N": "1"}


def test_a_query_comes_page_by_page_and_in_order(virginia: CommandLine, table: str) -> None:
    requests = [{"PutRequest": {"Item": {"pk": {"S": "pages"}, "sk": {"N": str(n)}}}} for n in range(-5, 6)]
    assert virginia("batch-write-item", "--request-items", json.dumps({table: requests}))["UnprocessedItems"] == {}
    answer = virginia(
        *("query", "--table-name", table, "--key-condition-expression", "pk = :p", "--page-size", "3"),
        *("--expression-attribute-values", '{":p":{"S":"pages"}}', "--no-scan-index-forward"),
    )
    assert [int(item["sk"]["N"]) for item in answer["Items"]] == list(range(5, -6, -1))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("describe-table", "--table-name", "missing"), "ResourceNotFoundException"),
        (
            (
                *("put-item", "--table-name", "cli", "--item", '{"pk":{"S":"x"},"sk":{"N":"1"}}'),
                *("--condition-expression", "attribute_exists(pk)"),
            ),
            "ConditionalCheckFailedException",
        ),
        (("put-item", "--table-name", "cli", "--item", '{"pk":{"S":"x"}}'), "ValidationException"),
        (
            ("update-table", "--table-name", "cli", "--replica-updates", '[{"Create":{"RegionName":"us-east-1"}}]'),
            "ValidationException",
        ),
    ],
)
def test_an_error_has_the_name_that_aws_gives_it(
    virginia: CommandLine, table: str, arguments: tuple[str, ...], error: str
) -> None:
    assert table == "cli"
    done = virginia.run(*arguments)
    assert done.returncode != 0
    assert f"({error})" in done.stderr


def test_aws_cloudwatch_lists_the_metrics_of_a_table(fleet: Any, virginia: CommandLine, table: str) -> None:
    listed = CommandLine(fleet, virginia.region, "cloudwatch")(
        "list-metrics", "--namespace", "AWS/DynamoDB", "--dimensions", f"Name=TableName,Value={table}"
    )
    names = {metric["MetricName"] for metric in listed["Metrics"]}
    assert {"SuccessfulRequestLatency", "PendingReplicationCount"} <= names
