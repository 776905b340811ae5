"""DescribeEndpoints, DescribeLimits, and the operations of global tables version 2017.11.29."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import EU, US, TestFleet, simple_table

from region.errors import GlobalTableNotFoundError, ValidationError
from region.operation.registry import OPERATIONS


def test_the_endpoint_is_aws_own_of_the_region() -> None:
    assert TestFleet()[EU].call("DescribeEndpoints") == {
        "Endpoints": [{"Address": "dynamodb.eu-west-1.amazonaws.com", "CachePeriodInMinutes": 1440}]
    }


def test_the_quotas_are_those_of_a_new_account() -> None:
    assert TestFleet()[EU].call("DescribeLimits") == {
        "AccountMaxReadCapacityUnits": 80_000,
        "AccountMaxWriteCapacityUnits": 80_000,
        "TableMaxReadCapacityUnits": 40_000,
        "TableMaxWriteCapacityUnits": 40_000,
    }


def test_a_legacy_global_table_cannot_be_created() -> None:
    with pytest.raises(ValidationError, match=r"global tables version 2017\.11\.29 is not supported"):
        TestFleet()[US].call("CreateGlobalTable", GlobalTableName="table", ReplicationGroup=[{"RegionName": US}])


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("DescribeGlobalTable", {}),
        ("DescribeGlobalTableSettings", {}),
        ("UpdateGlobalTable", {"ReplicaUpdates": []}),
        ("UpdateGlobalTableSettings", {}),
    ],
)
def test_no_legacy_global_table_exists_not_even_for_a_table_of_the_current_version(
    operation: str, parameters: dict[str, Any]
) -> None:
    fleet = TestFleet()
    fleet[US].call("CreateTable", **simple_table())
    fleet[US].call("UpdateTable", TableName="table", ReplicaUpdates=[{"Create": {"RegionName": EU}}])
    with pytest.raises(GlobalTableNotFoundError) as caught:
        fleet[US].call(operation, GlobalTableName="table", **parameters)
    assert caught.value.message == "Global table with name: 'table' does not exist."
    assert fleet[US].call("ListGlobalTables") == {"GlobalTables": []}


def test_every_operation_of_the_control_plane_is_registered() -> None:
    from control_plane import OPERATIONS as CONTROL_PLANE

    for name, run in CONTROL_PLANE.items():
        assert OPERATIONS[name].run is run
    writing = {name for name in CONTROL_PLANE if OPERATIONS[name].writes}
    assert writing == {"CreateTable", "DeleteTable", "UpdateTable", "TagResource", "UntagResource"}
